"""Time of DIMA's world model: an epoch of updates, part by part, and one round of imagination.

Data is random, of the sizes of the tasks. Processor time is what a quiet machine would take; the
clock says what this one took beside whatever else ran.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import torch

from benchmarks.baselines.dima.config import BatchShape, DimaConfig
from benchmarks.baselines.dima.sequences import Context, Sequences, WorldSpec
from benchmarks.baselines.dima.world_model import WorldModel
from benchmarks.speed.clocks import alternate
from benchmarks.speed.piece import Row, Setting

__all__ = ["rows"]

#: Sizes of the tasks at their first presets.
_SPECS: Final = {
    "rb-v0": WorldSpec("rb-v0", 8, 40, 4, num_choices=11, observed=True),
    "cbf-v0": WorldSpec("cbf-v0", 19, 1539, 62, num_choices=40, observed=True),
    "slicing-v0": WorldSpec("slicing-v0", 19, 304, 12, action_size=3),
    "halfcheetah-2x3": WorldSpec("halfcheetah-2x3", 2, 17, 19, action_size=3),
}
#: Updates of an epoch; starts and steps of a round of imagination.
_UPDATES, _STARTS, _HORIZON = 200, 600, 15
_ROUNDS: Final = 10


def rows(setting: Setting) -> Sequence[Row]:
    """One per task, with the model of preset `wireless`."""
    preset, seconds = ("tiny", 2) if setting.quick else ("wireless", 40)
    return [
        Row(f"{task}, {preset}", seconds, partial(_measure, setting, spec, preset))
        for task, spec in _SPECS.items()
    ]


def _measure(setting: Setting, spec: WorldSpec, preset: str) -> dict[str, Any]:
    try:
        torch.manual_seed(0)
        model = WorldModel(spec, DimaConfig.from_preset(preset))
    except ImportError as error:
        return {"skipped": str(error)}
    data = _random_sequences(spec, BatchShape(64, 8))
    model.observe(data.states, data.observations, data.rewards)
    works: dict[str, Callable[[], object]] = {}
    for part, shape in model.batches().items():
        works[part] = partial(model.update, {part: _random_sequences(spec, shape)})
    times = alternate(works, setting.device, 2 if setting.quick else _ROUNDS)
    starts, horizon = (4, 2) if setting.quick else (_STARTS, _HORIZON)
    imagine = {"imagination": partial(_imagine, model, starts, horizon)}
    times |= alternate(imagine, setting.device, 2)
    found: dict[str, Any] = {
        "denoising_steps": model.config.denoiser.steps(spec.num_agents),
        "weights": sum(p.numel() for p in model.parameters()),
        "updates": _UPDATES,
        "imagined": [starts, horizon],
    }
    for part, spent in times.items():
        calls = 1 if part == "imagination" else _UPDATES
        found[f"{part}_cpu_s"] = spent["cpu_ms"] * calls / 1e3
        found[f"{part}_s"] = spent["median_ms"] * calls / 1e3
    return found


def _imagine(model: WorldModel, starts: int, horizon: int) -> None:
    size = model.config.denoiser.context
    start = _random_sequences(model.spec, BatchShape(starts, size))
    model.begin(Context(start.states[:, :size], start.actions[:, : size - 1], start.valid))
    for _ in range(horizon):
        model.step(start.actions[:, 0])


def _random_sequences(spec: WorldSpec, shape: BatchShape) -> Sequences:
    rows, steps, agents = shape.rows, shape.steps, spec.num_agents
    if spec.discrete:
        actions = torch.randint(spec.num_choices, (rows, steps, agents))
    else:
        actions = 2 * torch.rand(rows, steps, agents, spec.action_size) - 1
    return Sequences(
        states=torch.randn(rows, steps + 1, spec.state_size),
        observations=torch.randn(rows, steps + 1, agents, spec.observation_size),
        actions=actions,
        rewards=torch.randn(rows, steps),
        terminated=torch.zeros(rows, steps, dtype=torch.bool),
        valid=torch.ones(rows, steps, dtype=torch.bool),
    )
