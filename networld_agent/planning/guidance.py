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
from typing import Final

import torch
from torch import Tensor

__all__ = ["Guidance", "resized"]


#: A row whose root mean square is smaller is left shorter than 1, and a zero one zero.
_LEAST: Final = 1e-20


def _size(gradient: Tensor) -> Tensor:
    """`(R, 1, 1)` root mean square over the free times, at least `_LEAST`.

    Of each row by itself: a norm over the batch would make agents depend on each other.
    """
    free = gradient[:, 1:]
    norm = torch.linalg.vector_norm(free, dim=(1, 2), keepdim=True)
    return (norm / math.sqrt(max(free[0].numel(), 1))).clamp_min(_LEAST)


def resized(direction: Tensor, gradient: Tensor) -> Tensor:
    """A direction `(R, H, 2D)` with the size of a gradient, row by row."""
    return direction * (_size(gradient) / _size(direction))


@dataclass(frozen=True)
class Guidance:
    """How strongly plans are steered.

    Args:
        scale: w; 0 steers nothing.
        normalize: whether gradients are brought to unit size.
    """

    scale: float
    normalize: bool = True

    def steered(self, estimate: Tensor, gradient: Tensor, alpha_bar: float) -> Tensor:
        """The estimate of the clean plan, moved; what it says of the present is overwritten later.

        Args:
            estimate: `(R, H, 2D)`.
            gradient: `(R, H, 2D)` of the predicted return.
            alpha_bar: squared signal share of the level.
        """
        step = self.scale * (1.0 - alpha_bar)
        if self.normalize:
            return estimate + gradient * (step / _size(gradient))
        return estimate + step / math.sqrt(alpha_bar) * gradient
