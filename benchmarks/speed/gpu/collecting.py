"""Seconds per trajectory of 5,000 steps that the experts play, by task, with one process and more.

No GPU is used: collecting is here because an experiment on one begins with it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.speed.gpu.piece import Row, Setting
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.collecting.run import available_cores

__all__ = ["rows"]

#: Environment's preset, and steps per process that take some seconds: slicing is the slow one.
_TASKS: Final[dict[str, tuple[str | None, int]]] = {
    "rb-v0": ("rb-8", 5_000),
    "cbf-v0": ("paper", 1_000),
    "slicing-v0": (None, 100),
}
_PAPER_STEPS: Final = 5_000
#: Trajectories side by side in one process.
_BATCH: Final = 8


def rows(setting: Setting) -> Sequence[Row]:
    """Every task and tier with one process, and with one per core."""
    counts = (1,) if setting.quick else tuple(dict.fromkeys((1, available_cores())))
    return [
        Row(
            f"{task}, {tier}, {count} processes",
            1 if setting.quick else 12,
            partial(_collect, task, tier, count, setting.quick),
        )
        for task in _TASKS
        for tier in (("expert",) if setting.quick else ("expert", "mixed"))
        for count in counts
    ]


def _collect(task: str, tier: str, processes: int, quick: bool) -> dict[str, Any]:
    preset, steps = _TASKS[task]
    batch = 2 if quick else _BATCH
    steps = 10 if quick else steps
    # Twice: compiled code is kept on the disk between processes, and the first run makes it.
    episodes, seconds = batch * processes, 0.0
    for length in (5, steps):
        settings = CollectionSettings(
            env=task, preset=preset, policy=tier, episodes=episodes, steps=length
        )
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            collect(settings, Path(folder) / "data", num_envs=batch, jobs=processes)
            seconds = time.perf_counter() - start
    return {
        "processes": processes,
        "episodes": episodes,
        "steps": steps,
        "seconds": seconds,
        "env_steps_per_s": episodes * steps / seconds,
        "seconds_per_trajectory": seconds / (episodes * steps) * _PAPER_STEPS,
    }
