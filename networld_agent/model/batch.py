"""What one training step reads: joint windows of several tasks."""

from __future__ import annotations

from collections.abc import Callable
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
        """Number of single-agent sequences W N."""
        return self.observations.shape[0] * self.observations.shape[1]

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Observations, actions, returns and neighbours' weights."""
        return self.observations, self.actions, self.returns, self.mean_weights

    def map(self, function: Callable[[Tensor], Tensor]) -> TaskBatch:
        """The same with a function of each tensor."""
        observations, actions, returns, mean_weights = map(function, self.tensors)
        return TaskBatch(self.task, observations, actions, returns, mean_weights, self.weight)

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
