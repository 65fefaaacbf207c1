"""The jobs that play: test scores, and learning curves from a training run's snapshots."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from benchmarks.experiment.jobs.work import player_module
from benchmarks.experiment.jobs.worlds import make_job_worlds
from networld_agent.collecting.tiers import tier_policy
from networld_agent.evaluation.episodes import play, whole_batch
from networld_agent.evaluation.players import Player, PolicyPlayer
from networld_agent.evaluation.seeds import VALIDATION_SEEDS, block_seeds, group_seeds
from networld_agent.worlds.interface import Worlds
from wirelessenvs.tasks import get_task

__all__ = ["BATCH", "TIMED_STEPS", "curve", "evaluate", "tuned_options"]

#: Episodes played at once.
BATCH = 64
#: Decisions of a single network that latency is measured on.
TIMED_STEPS = 20


def evaluate(settings: dict[str, Any], inputs: dict[str, Path], folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """Plays the test worlds: the same seeds and openings for every method."""
    seeds = block_seeds(settings.get("test_block"), settings["episodes"])
    worlds = make_job_worlds(settings, whole_batch(len(seeds), BATCH))
    path = inputs.get("policy")
    player = _player(settings, worlds, path, tuned_options(settings, path))
    played = play(worlds, player, seeds, settings["steps"], settings["warm_up"])
    return {
        "policy": player.name,
        "information": player.information,
        "seeds": list(played.seeds),
        "rewards": played.rewards.tolist(),
        "metrics": {name: values.tolist() for name, values in played.metrics.items()},
        "repeated": played.repeated.tolist(),
        "bytes_per_step": played.bytes_per_step,
        "ms_per_decision": _latency(settings, path),
        "batch_ms_per_decision": 1000 * played.seconds_per_step,
    }


def curve(settings: dict[str, Any], inputs: dict[str, Path], folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """Plays every snapshot in the first test worlds."""
    seeds = block_seeds(settings.get("test_block"), settings["episodes"])
    worlds = make_job_worlds(settings, whole_batch(len(seeds), BATCH))
    path = inputs["policy"]
    tuned = tuned_options(settings, path)
    points = []
    for snapshot in _snapshots(path):
        player = _player(settings, worlds, snapshot, tuned)
        played = play(worlds, player, seeds, settings["steps"], settings["warm_up"])
        points.append({"step": int(snapshot.name), "rewards": played.rewards.tolist()})
    if not points:
        raise ValueError(f"{path} holds no snapshots.")
    return {"points": points}


def _snapshots(path: Path) -> list[Path]:
    folders = [entry for entry in path.glob("*/snapshots/*") if entry.name.isdecimal()]
    return sorted(folders, key=lambda entry: int(entry.name))


def _latency(settings: dict[str, Any], path: Path | None) -> float:
    """Milliseconds per joint decision of one network, all its agents on this processor."""
    worlds = make_job_worlds({**settings, "steps": TIMED_STEPS}, 1)
    player = _player(settings, worlds, path, tuned_options(settings, path))
    seeds = group_seeds(VALIDATION_SEEDS, None, 1, 1)
    return 1000 * play(worlds, player, seeds, TIMED_STEPS, settings["warm_up"]).seconds_per_step


def _player(
    settings: dict[str, Any], worlds: Worlds, path: Path | None, tuned: dict[str, float]
) -> Player:
    if path is None:
        assert worlds.simulator is not None
        rule = tier_policy(get_task(worlds.task), settings["policy"], worlds.simulator.config)
        return PolicyPlayer(worlds, rule)
    played: Player = _module(settings).load_player(settings, worlds, path, tuned)
    return played


def tuned_options(settings: dict[str, Any], path: Path | None) -> dict[str, float]:
    """Options tuned after training; snapshots are played with those of the finished policy.

    Args:
        settings: of the job.
        path: of the job that trained the policy; None for one that is not trained.

    Returns:
        Options of the planner, or attributes of a baseline's policy.
    """
    if path is None:
        return {}
    found: dict[str, float] = _module(settings).tuned_options(settings, path)
    return found


def _module(settings: dict[str, Any]) -> Any:
    # By name: the key of a job that plays one method does not follow the code of the others.
    return importlib.import_module(player_module(settings["method"]))
