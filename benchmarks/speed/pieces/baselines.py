"""Updates per second of every baseline as preset `paper` trains it, on the device and on the CPU.

An update is what the training loop does: random numbers seeded, a batch drawn on the CPU, losses
read back for the log. One thread works on the CPU, as in a job of the experiment. BC, CQL and IQL
at their defaults, too, on random transitions of 40 entries: what other libraries are timed at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Any, Final

import torch

from benchmarks.baselines import BASELINES, OfflineData, make_baseline
from benchmarks.baselines.registry import CENTRAL
from benchmarks.baselines.shared.interface import Learner
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.torch_threads import torch_threads
from benchmarks.experiment.presets import PRESETS
from benchmarks.speed.clocks import latency
from benchmarks.speed.data import SHAPES, random_dataset
from benchmarks.speed.piece import Row, Setting
from benchmarks.speed.transitions import KINDS, METHODS, transitions_learner

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
    """Every method in every task, on the device and on the CPU; some on random transitions."""
    seconds = 0.2 if setting.quick else 1.5
    places = [
        (method, task, device)
        for method in (*BASELINES, *CENTRAL)
        for task in SHAPES
        # An update of DIMA takes seconds on a core.
        for device in dict.fromkeys(
            (setting.device, setting.device if method in CENTRAL else "cpu")
        )
    ]
    places += [(method, kind, "cpu") for kind in KINDS for method in METHODS]
    return [
        Row(
            ", ".join(place),
            seconds + (3 if place[0] in CENTRAL and not setting.quick else 1),
            partial(_updates, *place, setting.quick, seconds),
        )
        for place in places
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
            if task in KINDS:
                learner = transitions_learner(method, task, 8 if quick else 256)
            else:
                learner = make_learner(method, task, device, quick)
            return _timed(learner, device, seconds)
    except ImportError as error:
        return {"skipped": str(error)}


def _timed(learner: Learner, device: str, seconds: float) -> dict[str, Any]:
    steps = count()

    def update() -> None:
        step = next(steps)
        torch.manual_seed(step)
        values = learner.update(learner.batch(step), step)
        torch.stack([value.detach().float() for value in values.values()]).tolist()

    for _ in range(_LEAST):  # the first ones allocate
        update()
    found = latency(update, device, seconds, _LEAST, math.inf)
    return {"updates_per_s": 1e3 / found["mean_ms"], **found}
