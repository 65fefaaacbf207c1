"""Seconds of the units that jobs consist of: measured where a file has them, else estimated.

Measured figures are those of `python -m benchmarks.speed`. Estimates count operations and
assume the speeds of `benchmarks.experiment.costs.operations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import torch

from benchmarks.baselines import method_class
from benchmarks.baselines.registry import CENTRAL
from benchmarks.baselines.shared.policy import PolicySpec
from benchmarks.experiment.costs.operations import (
    CORE,
    EAGER,
    RECORDED,
    Operations,
    count_operations,
)
from benchmarks.speed.data import SHAPES, random_batches, ring
from benchmarks.speed.models import fresh_model
from benchmarks.speed.pieces.baselines import make_learner
from benchmarks.speed.record import measured
from networld_agent.config import PRESETS
from networld_agent.planning import Planner
from wirelessenvs.command import program

__all__ = ["Rates", "Seconds"]

#: As `networld_agent.pretrain` trains on a GPU that is left to choose.
_VARIANT: Final = "graph bf16"
#: The task that stands for all where a count takes long.
_COUNTED: Final = "rb-v0"
#: Denoising steps of a planner as shipped.
_PLAN_STEPS: Final = 3


@dataclass(frozen=True)
class Seconds:
    """A duration, and whether all of it was measured."""

    value: float
    measured: bool

    def __add__(self, other: Seconds) -> Seconds:
        if not other.value:
            return self
        return Seconds(self.value + other.value, self.measured and other.measured)

    def __mul__(self, count: float) -> Seconds:
        return Seconds(self.value * count, self.measured)


class Rates:
    """Seconds per unit.

    Args:
        documents: of measured pieces by name, as `read_documents` returns them.
    """

    def __init__(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        self._figures = {name: measured(document) for name, document in documents.items()}

    def _found(self, piece: str, row: str) -> dict[str, Any] | None:
        return self._figures.get(piece, {}).get(row)

    def training_step(self, network: str) -> Seconds:
        """One step of pre-training or adaptation, which have batches of one size."""
        if (found := self._found(f"training-{network}", _VARIANT)) is not None:
            return Seconds(1 / found["steps_per_s"], True)
        return Seconds(RECORDED.seconds(_training_operations(network)), False)

    def update(self, method: str, task: str) -> Seconds:
        """One update of a baseline as preset `paper` trains it."""
        if (found := self._found("baselines", f"{method}, {task}, cuda")) is not None:
            return Seconds(1 / found["updates_per_s"], True)
        return Seconds(EAGER.seconds(_update_operations(method, task)), False)

    def plan(self, network: str, rows: float) -> Seconds:
        """One decision of a planner for all agents of all environments together."""
        piece = self._figures.get(f"planning-{network}", {})
        for how in ("graph", "eager"):
            ending = f", {_PLAN_STEPS} steps, {how}"
            points = {
                int(name.split()[0]): found["median_ms"] / 1e3
                for name, found in piece.items()
                if name.endswith(ending)
            }
            if len(points) > 1:
                return Seconds(_between(points, rows), True)
        work = _plan_operations(network)
        scaled = Operations(work.flops * rows, work.calls)
        return Seconds(RECORDED.seconds(scaled), False)

    def decision(self, method: str, task: str, rows: float) -> Seconds:
        """One decision of a baseline, on a core, for all agents of all environments together."""
        work = _decision_operations(method, task)
        return Seconds(CORE.seconds(Operations(work.flops * rows, work.calls)), False)

    def environment_step(self, task: str, tier: str = "expert") -> Seconds:
        """One step of one environment on a core, with the rule that collecting plays.

        Raises:
            ValueError: if collecting was not measured.
        """
        found = self._found("collecting", f"{task}, {tier}, 1 processes")
        if found is None:
            raise ValueError(
                f"no measurement of collecting: run {program('benchmarks.speed')} --pieces "
                "collecting first."
            )
        return Seconds(1 / found["env_steps_per_s"], True)


def _between(points: Mapping[int, float], rows: float) -> float:
    """Linear between measured sizes; beyond the greatest, in proportion to it."""
    sizes = sorted(points)
    if rows > sizes[-1]:
        return points[sizes[-1]] * rows / sizes[-1]
    return float(np.interp(rows, sizes, [points[size] for size in sizes]))


# ---------------------------------------------------------------------------- counts
@cache
def _training_operations(network: str) -> Operations:
    """Forward and backward of a small batch, with the products of a whole one."""
    preset = PRESETS[network]
    sampler = random_batches(preset.model, 1)
    model, batch = fresh_model(network).train(), sampler(0)
    work = count_operations(lambda: model.loss(batch)["loss"].backward())
    share = preset.training.batch_size / sampler.num_sequences
    return Operations(work.flops * share, work.calls)


@cache
def _update_operations(method: str, task: str) -> Operations:
    if method in CENTRAL and task != _COUNTED:
        # Its networks hardly differ between the tasks, and counting takes seconds.
        return _update_operations(method, _COUNTED)
    learner = make_learner(method, task, "cpu", episodes=1)
    batch = learner.batch(0)
    # The first update makes what optimisers keep.
    learner.update(batch, 0)
    return count_operations(lambda: learner.update(batch, 1))


@cache
def _plan_operations(network: str) -> Operations:
    """Operations of the plan of one decision, products per row."""
    task = "cbf-v0"
    shape, model = SHAPES[task], fresh_model(network).requires_grad_(False).eval()
    planner = Planner(model, task)
    seen = np.zeros((shape.agents, shape.observation_size), np.float32)
    work = count_operations(lambda: planner.act(seen, ring(shape.agents)))
    return Operations(work.flops / shape.agents, work.calls)


@cache
def _decision_operations(method: str, task: str) -> Operations:
    """Operations of one decision, products per row."""
    shape, learner = SHAPES[task], make_learner(method, task, "cpu", episodes=1)
    kind = method_class(method)
    config = kind.config_type()
    policy = kind.policy_type(
        PolicySpec(task, shape.observation_size, shape.action, config, learner.extra())
    )
    policy.begin((0,))
    inputs = torch.zeros(1, shape.agents, shape.observation_size)

    def decide() -> None:
        with torch.inference_mode():
            policy.decide(inputs)

    work = count_operations(decide)
    return Operations(work.flops / shape.agents, work.calls)
