"""Diffusion in the form of Karras et al. (EDM, arXiv 2206.00364) on data of deviation 0.5.

x = clean + sigma' noise, where sigma'^2 = sigma^2 + offset^2. With an offset the network never sees
states that are nearly clean: it has to read what they become off the actions.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import Tensor

__all__ = ["SIGMA_DATA", "Preconditioning", "draw_noise_levels", "euler", "noise_levels"]

#: Standard deviation of the scaled states.
SIGMA_DATA: Final = 0.5


class Preconditioning(NamedTuple):
    """Coefficients of D = skip x + out F(scale x; noise), each of the shape of sigma."""

    skip: Tensor
    out: Tensor
    scale: Tensor
    noise: Tensor

    @classmethod
    def at(cls, sigma: Tensor, offset: float) -> Preconditioning:
        """Those of noise levels (table 1 of arXiv 2206.00364, with the offset in every level)."""
        spread = torch.sqrt(sigma**2 + offset**2)
        total = spread**2 + SIGMA_DATA**2
        return cls(
            skip=SIGMA_DATA**2 / total,
            out=SIGMA_DATA * spread / total.sqrt(),
            scale=1 / total.sqrt(),
            noise=spread.log() / 4,
        )


def draw_noise_levels(like: Tensor, mean: float, std: float, least: float, most: float) -> Tensor:
    """Levels of training, of the shape of `like`: Gaussian logarithms, held within a range."""
    return torch.exp(mean + std * torch.randn_like(like)).clamp(least, most)


def noise_levels(steps: int, first: float, least: float, rho: float) -> list[float]:
    """K levels from `first` down to `least`, and 0 (equation 5 of arXiv 2206.00364)."""
    if steps == 1:
        return [first, 0.0]
    low, high = least ** (1 / rho), first ** (1 / rho)
    return [(high + i / (steps - 1) * (low - high)) ** rho for i in range(steps)] + [0.0]


def euler(
    denoise: Callable[[Tensor, float, int], Tensor], noise: Tensor, levels: list[float]
) -> Tensor:
    """Samples by Euler's method along dx / dsigma = (x - D(x; sigma)) / sigma.

    Args:
        denoise: D of `x`, sigma and the number of the step.
        noise: standard Gaussian, of the shape of the samples.
        levels: from `noise_levels`.
    """
    x = noise * levels[0]
    for step, (sigma, following) in enumerate(pairwise(levels)):
        x = torch.lerp(denoise(x, sigma, step), x, following / sigma)
    return x
