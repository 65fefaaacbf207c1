"""Returns as the critic learns them: mean 0 and deviation 1, by running statistics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ValueNormaliser"]


class ValueNormaliser(nn.Module):
    """Running mean and deviation of the returns (H. van Hasselt et al., arXiv 1602.07714).

    Exponential averages, freed of their start at 0: after one batch, the statistics are that
    batch's own.

    Args:
        decay: of the averages, per batch.
    """

    mean: Tensor
    square: Tensor
    weight: Tensor

    def __init__(self, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        # float64: deviations that are small beside the mean are differences of large squares.
        for name in ("mean", "square", "weight"):
            self.register_buffer(name, torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def update(self, returns: Tensor) -> None:
        """Takes in a batch of returns, of any shape."""
        values = returns.double()
        self.mean.lerp_(values.mean(), 1 - self.decay)
        self.square.lerp_(values.square().mean(), 1 - self.decay)
        self.weight.lerp_(torch.ones_like(self.weight), 1 - self.decay)

    def normalise(self, returns: Tensor) -> Tensor:
        """Returns on the critic's scale."""
        mean, deviation = self._statistics()
        return ((returns - mean) / deviation).to(returns.dtype)

    def denormalise(self, values: Tensor) -> Tensor:
        """The critic's values on the scale of the returns."""
        mean, deviation = self._statistics()
        return (values * deviation + mean).to(values.dtype)

    def _statistics(self) -> tuple[Tensor, Tensor]:
        if not bool(self.weight):
            return torch.zeros_like(self.mean), torch.ones_like(self.mean)
        mean = self.mean / self.weight
        variance = self.square / self.weight - mean.square()
        return mean, variance.clamp(min=1e-8).sqrt()
