"""Running mean and variance of states, observations and rewards."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

__all__ = ["StateNormaliser"]

#: Added to the variance (arXiv 2505.20922, released code).
_EPSILON: Final = 1e-8


class StateNormaliser(nn.Module):
    """Brings vectors to mean 0 and variance 1 per entry, by all that was ever given to `update`.

    Before the first update it changes nothing.

    Args:
        size: entries of a vector.
        limit: greatest magnitude of a normalised entry.
    """

    count: Tensor
    mean: Tensor
    squares: Tensor

    def __init__(self, size: int, limit: float) -> None:
        super().__init__()
        self.size, self._limit = size, limit
        # float64: float32 loses the variance of entries whose mean is large against it.
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(size, dtype=torch.float64))

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        """Takes in vectors `(..., size)`; batches merge as in Chan, Golub and LeVeque (1983)."""
        x = x.reshape(-1, self.size).to(self.mean)
        if len(x) == 0:
            return
        if not torch.isfinite(x).all():
            raise ValueError("statistics were given a number that is not finite.")
        mean, total = x.mean(0), self.count + len(x)
        apart = mean - self.mean
        self.squares += (x - mean).square().sum(0) + apart.square() * self.count * len(x) / total
        self.mean += apart * len(x) / total
        self.count.copy_(total)

    @property
    def deviation(self) -> Tensor:
        """`(size,)` float64 square roots of the variances, never quite 0."""
        if self.count == 0:
            return torch.ones_like(self.mean)
        return (self.squares / self.count + _EPSILON).sqrt()

    def forward(self, x: Tensor) -> Tensor:
        """Normalised vectors `(..., size)`, float32."""
        scaled = (x.to(torch.float64) - self.mean) / self.deviation
        return scaled.clamp_(-self._limit, self._limit).float()

    def inverse(self, x: Tensor) -> Tensor:
        """Vectors `(..., size)` in their own units, float32."""
        return (x.to(torch.float64) * self.deviation + self.mean).float()
