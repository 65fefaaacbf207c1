"""Seconds per trajectory of 5,000 steps that the experts play, by task, their start left out.

Beside it, the share of collecting's processor time that the bare simulator takes for the same
actions, in the same run. No GPU is used: collecting is here because an experiment on one begins
with it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.speed.piece import Row, Setting
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.collecting.run import available_cores
from networld_agent.data import TrajectoryDataset
from wirelessenvs.tasks import make_simulator

__all__ = ["rows"]

#: Environment's preset, and steps per process that take some seconds: slicing is the slow one.
_TASKS: Final[dict[str, tuple[str | None, int]]] = {
    "rb-v0": ("rb-8", 5_000),
    "cbf-v0": ("paper", 1_000),
    "slicing-v0": (None, 100),
}
_PAPER_STEPS: Final = 5_000
_SLOW: Final = "slicing-v0"
#: Trajectories side by side in one process.
_BATCH: Final = 8


def rows(setting: Setting) -> Sequence[Row]:
    """Every task and tier with one process; the slow task with one per core, and its share, too."""
    found = [
        Row(
            f"{task}, {tier}, 1 processes",
            1 if setting.quick else 10,
            partial(_collect, task, tier, 1, setting.quick),
        )
        for task in _TASKS
        for tier in (("expert",) if setting.quick else ("expert", "mixed"))
    ]
    share = partial(_simulator_share, _SLOW, setting.quick)
    found.append(Row(f"{_SLOW}, expert, beside the simulator", 2 if setting.quick else 40, share))
    cores = available_cores()
    if cores > 1 and not setting.quick:
        work = partial(_collect, _SLOW, "expert", cores, False)
        found.append(Row(f"{_SLOW}, expert, {cores} processes", 60, work))
    return found


def _collect(task: str, tier: str, processes: int, quick: bool) -> dict[str, Any]:
    preset, steps = _TASKS[task]
    episodes = (2 if quick else _BATCH) * processes
    # Processes take seconds to start: more steps, so that the difference tells the rest.
    long, short = (10 if quick else steps * (5 if processes > 1 else 1)), 5
    # Compiled code is kept on the disk: the first collection makes it.
    _seconds(task, preset, tier, episodes, short, processes)
    start = _seconds(task, preset, tier, episodes, short, processes)
    seconds = _seconds(task, preset, tier, episodes, long, processes)
    per_step = max(seconds - start, 1e-9) / (episodes * (long - short))
    return {
        "processes": processes,
        "episodes": episodes,
        "steps": long,
        "start_s": start,
        "seconds": seconds,
        "env_steps_per_s": 1 / per_step,
        "seconds_per_trajectory": per_step * _PAPER_STEPS,
    }


def _seconds(
    task: str, preset: str | None, tier: str, episodes: int, steps: int, processes: int
) -> float:
    settings = CollectionSettings(
        env=task, preset=preset, policy=tier, episodes=episodes, steps=steps
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        collect(settings, Path(folder) / "data", num_envs=episodes // processes, jobs=processes)
        return time.perf_counter() - start


def _simulator_share(task: str, quick: bool) -> dict[str, Any]:
    """Medians over rounds: processor seconds of collecting, and of the recorded actions alone."""
    episodes, steps = (2, 5) if quick else (5, 100)
    settings = CollectionSettings(env=task, episodes=episodes, steps=steps)
    rounds = []
    for _ in range(2 if quick else 6):
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            data = collect(settings, Path(folder) / "data", num_envs=episodes)
            collected = time.process_time() - start
            actions = np.asarray(TrajectoryDataset.open(data).actions)
        simulator = make_simulator(task, episodes, max_steps=steps)
        start = time.process_time()
        simulator.reset(0)
        for step in range(steps):
            simulator.step(actions[:, :, step])
        rounds.append((collected, time.process_time() - start))
    # The first round compiles.
    collecting, simulating = zip(*rounds[1:], strict=True)
    return {
        "collecting_cpu_s": statistics.median(collecting),
        "simulator_cpu_s": statistics.median(simulating),
        "simulator_share": statistics.median(b / a for a, b in rounds[1:]),
        "rounds": rounds[1:],
    }
