"""Guidance: moves the estimate of a plan towards a higher predicted return.

Sampling from the plans tilted by exp(w J) adds sigma^2 / alpha * w * gradient to the estimate of
the clean plan, where the gradient is taken at the noisy plan x_tau. That gradient carries a factor
alpha of its own, because x_tau shows only the share alpha of the clean plan; together they scale
with sigma^2, the variance that is still open at this level.

Rewards of different tasks differ in unit, and classifiers in sharpness: tuned scales of the plain
gradient lie five orders of magnitude apart. So each plan's gradient is brought to unit size first.
That removes its alpha as well; what remains of the factor is sigma^2, or else the first step
(alpha = 1/400) would throw the plan far out of the data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Guidance", "unit_rows"]


def unit_rows(gradient: Tensor) -> Tensor:
    """Scales every row to a root mean square of 1 over its free times; zero rows stay zero.

    Each row by itself: a norm over the batch would make agents depend on each other.
    """
    free = gradient[:, 1:]
    size = free.square().mean((1, 2), keepdim=True).sqrt()
    return torch.where(size > 1e-20, gradient / size.clamp_min(1e-20), 0.0)


@dataclass(frozen=True)
class Guidance:
    """How strongly plans are steered.

    Args:
        scale: w; 0 steers nothing.
        normalize: whether gradients are brought to unit size.
    """

    scale: float
    normalize: bool = True

    def shift(self, gradient: Tensor, alpha_bar: float) -> Tensor:
        """What to add to the estimate of the clean plan; nothing at the present, which is clamped.

        Args:
            gradient: `(R, H, 2D)` of the predicted return.
            alpha_bar: squared signal share of the level.
        """
        variance = 1.0 - alpha_bar
        gradient = torch.cat([torch.zeros_like(gradient[:, :1]), gradient[:, 1:]], 1)
        if self.normalize:
            return self.scale * variance * unit_rows(gradient)
        return self.scale * variance / math.sqrt(alpha_bar) * gradient
