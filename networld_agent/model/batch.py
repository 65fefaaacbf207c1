"""What one training step reads: joint windows of several tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Batch", "Seating", "TaskBatch"]


@dataclass(frozen=True)
class Seating:
    """Which rows of a part are the agents of one network, where networks of several sizes are.

    Args:
        seats: `(W, n)` row of each agent of each window; of a window of fewer agents, any row.
        rows: `(R,)` seat of each row, counted through all windows.
    """

    seats: Tensor
    rows: Tensor


@dataclass(frozen=True)
class TaskBatch:
    """W windows of H steps of one task, each of all its N agents.

    Joint windows are the natural unit: the mean field needs the latents of all neighbours, and
    here each is encoded once.

    Args:
        task: name.
        observations: `(W, N, H, d)`.
        actions: `(W, N, H - 1[, A])`, between the observations.
        returns: `(W, N)` discounted sums of the rewards between the observations.
        mean_weights: `(N, N)`, or `(W, H, N, N)` where the graph changes: rows that average over
            the neighbours.
        weight: of each of its sequences in the batch's mean loss, or `(R,)`, of each by itself.
        seating: where windows have different numbers of agents: then all R agents lie in one row of
            windows, `(1, R, ...)`, and `mean_weights` is `(W, 1, n, n)` or `(W, H, n, n)` over the
            n seats of each window.
    """

    task: str
    observations: Tensor
    actions: Tensor
    returns: Tensor
    mean_weights: Tensor
    weight: float | Tensor
    seating: Seating | None = None

    @property
    def num_sequences(self) -> int:
        """Number of single-agent sequences W N."""
        return self.observations.shape[0] * self.observations.shape[1]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Everything in it that is a tensor, in one order for all steps."""
        found = [self.observations, self.actions, self.returns, self.mean_weights]
        if isinstance(self.weight, Tensor):
            found.append(self.weight)
        if self.seating is not None:
            found += [self.seating.seats, self.seating.rows]
        return tuple(found)

    def map(self, function: Callable[[Tensor], Tensor]) -> TaskBatch:
        """The same with a function of each tensor."""
        observations, actions, returns, mean_weights, *rest = map(function, self.tensors)
        weight = rest.pop(0) if isinstance(self.weight, Tensor) else self.weight
        seating = Seating(*rest) if rest else None
        return TaskBatch(self.task, observations, actions, returns, mean_weights, weight, seating)

    def to(self, device: torch.device) -> TaskBatch:
        """The same on a device."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=True))


@dataclass(frozen=True)
class Batch:
    """Windows of all tasks, and the random numbers that go with them.

    Args:
        parts: one per task.
        tau: `(B,)` noise level of each sequence, in the order of the parts.
        noise: `(B, H, 2 D)` standard normal numbers.
    """

    parts: tuple[TaskBatch, ...]
    tau: Tensor
    noise: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        parts = tuple(part.to(device) for part in self.parts)
        return Batch(parts, self.tau.to(device), self.noise.to(device))
