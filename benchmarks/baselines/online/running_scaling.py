"""Scaling of observations and states by the statistics of what has been seen so far."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from networld_agent.model.symlog import symlog

__all__ = ["RunningScaling"]


class RunningScaling(ObservationScaling):
    """symlog, then mean 0 and deviation 1 over all entries seen, limited to ±3.

    Means and deviations are merged batch by batch (T. F. Chan et al., "Algorithms for computing the
    sample variance", The American Statistician 37(3), 1983).

    Args:
        size: entries of a vector.
    """

    count: Tensor
    squares: Tensor
    exact_mean: Tensor

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("exact_mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(size, dtype=torch.float64))

    @torch.no_grad()
    def update(self, vectors: Tensor) -> None:
        """Takes in `(..., k)` vectors in the environment's units."""
        rows = symlog(vectors.reshape(-1, self.size)).double()
        mean = rows.mean(0)
        total = self.count + len(rows)
        gap = mean - self.exact_mean
        self.squares += (rows - mean).square().sum(0) + gap.square() * self.count * (
            len(rows) / total
        )
        self.exact_mean += gap * (len(rows) / total)
        self.count.copy_(total)
        deviation = (self.squares / total).sqrt()
        self.mean.copy_(self.exact_mean)
        # An entry that never changes carries nothing: any scale will do.
        self.deviation.copy_(torch.where(deviation > 1e-6, deviation, 1.0))

    def as_fixed(self) -> ObservationScaling:
        """The scaling as it is now, for a policy."""
        fixed = ObservationScaling(self.size)
        fixed.load_state_dict({"mean": self.mean, "deviation": self.deviation})
        return fixed
