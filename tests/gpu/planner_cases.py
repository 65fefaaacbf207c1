"""Scenes and planners for their parity."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tiny_models import RB, tiny_model

from networld_agent.model import ActionSpec, TaskSpec, WorldModel
from networld_agent.planning import Planner, PlannerConfig

__all__ = ["BEAM", "TASKS", "planner_of", "ring", "scene"]

BEAM = TaskSpec("cbf-v0", 1, 4, ActionSpec("box", low=(0.0, -2.0), high=(1.0, 2.0)))
TASKS = (RB, BEAM)


def planner_of(device: torch.device, task: str = "rb-v0", **options: Any) -> Planner:
    """A planner with a model of random weights; plans at temperature 1 unless told otherwise."""
    # Two channels to a group: single ones have gradients of terms that cancel.
    model: WorldModel = tiny_model(*TASKS, seed=0, channels=16)
    # Softer than that model's heads: where a softmax is saturated, its gradient is rounding alone.
    for module in (*model.inverses.values(), model.classifier):
        module.head.weight.mul_(0.3)
    model = model.to(device)
    return Planner(model, task, PlannerConfig(**{"temperature": 1.0, "votes": 1, **options}))


def ring(agents: int) -> NDArray[np.int64]:
    """Everybody hears the two next to it."""
    one = np.roll(np.eye(agents, dtype=np.int64), 1, 0)
    return one + one.T


def scene(envs: int = 2, agents: int = 16, seed: int = 0) -> NDArray[np.float32]:
    """Observations `(B, N, 4)`."""
    return np.random.default_rng(seed).normal(0, 5, (envs, agents, 4)).astype(np.float32)
