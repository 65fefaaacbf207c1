"""What studies of online methods share: a run that goes on where it stopped, and its cost."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from benchmarks.baselines.dima.policy_config import OnlineConfig
from benchmarks.baselines.dima.train import train_dima
from benchmarks.baselines.mappo.config import MappoConfig
from benchmarks.baselines.mappo.train import train_mappo
from benchmarks.baselines.online.evaluation import Setting
from benchmarks.baselines.online.run import last_metrics
from benchmarks.records import remembered
from networld_agent.documents import write_json
from wirelessenvs.files import read_regular

__all__ = ["train_piece"]


def train_piece(
    setting: Setting, config: MappoConfig | OnlineConfig, folder: Path
) -> dict[str, Any]:
    """Trains a run, or goes on with it; steps, updates per step and processor seconds by name.

    The seconds are those of all processes that took part; null where one was killed outright.
    """
    # A file of its own: other test episodes do not tell again what training took.
    seconds = remembered(
        folder / "training.json",
        {"config": config.to_json()},
        lambda: {"cpu_seconds": _train(setting, config, folder)},
    )["cpu_seconds"]
    last = last_metrics(folder)
    # MAPPO updates its policy once per rollout of every environment.
    own = 0.0
    if isinstance(config, MappoConfig):
        own = 1 / (config.rollout * config.num_envs)
    return {
        "steps": last["step"],
        "model_updates_per_step": last.get("model_updates_per_step", 0.0),
        "policy_updates_per_step": last.get("policy_updates_per_step", own),
        "cpu_seconds": seconds,
    }


def _train(setting: Setting, config: MappoConfig | OnlineConfig, folder: Path) -> float | None:
    """Processor seconds, added up in a file beside the folder."""
    file = folder.with_name(f"{folder.name}.cpu.json")
    seconds, whole = _spent(file)
    # A process that is killed outright cannot say what it has used: the file is left open.
    write_json(file, {"seconds": seconds, "whole": False})
    start = time.process_time()
    try:
        if isinstance(config, MappoConfig):
            train_mappo(setting, config, folder)
        else:
            train_dima(setting, config, folder)
    finally:
        seconds += time.process_time() - start
        write_json(file, {"seconds": seconds, "whole": whole})
    return round(seconds, 1) if whole else None


def _spent(file: Path) -> tuple[float, bool]:
    """Seconds of earlier processes, and whether these are all; a damaged file says nothing."""
    if not file.exists():
        return 0.0, True
    try:
        document = json.loads(read_regular(file))
        return float(document["seconds"]), document["whole"] is True
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0.0, False
