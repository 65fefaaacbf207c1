"""What one training step reads: joint windows of several tasks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Batch", "TaskBatch"]


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
        weight: of each of its sequences in the batch's mean loss.
    """

    task: str
    observations: Tensor
    actions: Tensor
    returns: Tensor
    mean_weights: Tensor
    weight: float

    @property
    def num_sequences(self) -> int:
        """W N."""
        return self.observations.shape[0] * self.observations.shape[1]

    def to(self, device: torch.device) -> TaskBatch:
        """The same on a device."""
        return TaskBatch(
            self.task,
            self.observations.to(device, non_blocking=True),
            self.actions.to(device, non_blocking=True),
            self.returns.to(device, non_blocking=True),
            self.mean_weights.to(device, non_blocking=True),
            self.weight,
        )


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
