"""Updates per second of every baseline as preset `paper` trains it, on the device and on the CPU.

An update is what the training loop does: random numbers seeded, a batch drawn on the CPU, losses
read back for the log. One thread works on the CPU, as in a job of the experiment.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import torch

from benchmarks.baselines import BASELINES, OfflineData, make_baseline
from benchmarks.baselines.registry import CENTRAL
from benchmarks.baselines.shared.interface import Learner
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.torch_threads import torch_threads
from benchmarks.experiment.presets import PRESETS
from benchmarks.speed.gpu.clocks import synchronize
from benchmarks.speed.gpu.data import SHAPES, random_dataset
from benchmarks.speed.gpu.piece import Row, Setting

__all__ = ["make_learner", "rows"]

#: Of the data set, beside 5,000 steps each.
_EPISODES: Final = 4
_LEAST: Final = 3
_QUICK: Final = {"batch_size": "8", "hidden_size": "16"}
_QUICK_MORE: Final = {
    "dt": ("layers=1", "context=4"),
    "dd": ("horizon=8", "channels=8", "diffusion_steps=4", "sampler_steps=2"),
    "dima": ("model=tiny", "denoiser_conditioning=joint", "state_read=True"),
}


def rows(setting: Setting) -> Sequence[Row]:
    """Every method in every task, on the device and on the CPU."""
    seconds = 0.2 if setting.quick else 1.5
    methods = (*BASELINES, *CENTRAL)
    return [
        Row(
            f"{method}, {task}, {device}",
            seconds + (3 if method in CENTRAL and not setting.quick else 1),
            partial(_updates, method, task, device, setting.quick, seconds),
        )
        for method in methods
        for task in SHAPES
        # An update of DIMA takes seconds on a core.
        for device in dict.fromkeys(
            (setting.device, setting.device if method in CENTRAL else "cpu")
        )
    ]


def make_learner(
    method: str, task: str, device: str, quick: bool = False, episodes: int = _EPISODES
) -> Learner:
    """A learner of preset `paper` on random data of a task's shape.

    Args:
        method: of the experiment.
        task: in `SHAPES`.
        device: to train on.
        quick: sizes of a test.
        episodes: of the data.
    """
    protocol, name = PRESETS["paper"], task.removesuffix("-v0")
    options = [o for o in protocol.options_of(method, name) if not o.startswith("device=")]
    if quick:
        options = [f"{key}={value}" for key, value in _QUICK.items()]
        options += _QUICK_MORE.get(method, ())
    baseline = make_baseline(method)
    config = baseline.config_type.from_overrides([*options, f"device={device}"])
    dataset = random_dataset(task, 1 if quick else episodes, 200 if quick else 5_000)
    data = OfflineData(dataset)
    torch.manual_seed(0)
    return baseline.learner(data, ObservationScaling.of_data(data, False), config)


def _updates(method: str, task: str, device: str, quick: bool, seconds: float) -> dict[str, Any]:
    try:
        with torch_threads(1):
            return _timed(make_learner(method, task, device, quick), device, seconds)
    except ImportError as error:
        return {"skipped": str(error)}


def _timed(learner: Learner, device: str, seconds: float) -> dict[str, Any]:
    times: list[float] = []
    step, end = 0, float("inf")
    while len(times) < _LEAST or time.perf_counter() < end:
        start = time.perf_counter()
        torch.manual_seed(step)
        values = learner.update(learner.batch(step), step)
        torch.stack([value.detach().float() for value in values.values()]).tolist()
        synchronize(device)
        if step == _LEAST:
            end = time.perf_counter() + seconds
        if step >= _LEAST:  # the first ones allocate
            times.append(time.perf_counter() - start)
        step += 1
    return {
        "updates_per_s": 1 / statistics.mean(times),
        "median_ms": 1e3 * statistics.median(times),
        "updates": len(times),
    }
