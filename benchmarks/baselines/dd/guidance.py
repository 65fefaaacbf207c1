"""Diffusion steered by a condition that the network was trained with and without.

J. Ho and T. Salimans, Classifier-Free Diffusion Guidance, arXiv 2207.12598. The condition's
embedding is zero for a share of the training samples; when sampling, the estimate without the
condition is moved beyond the one with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["ReturnConditioning", "guided_estimate"]


class ReturnConditioning(nn.Module):
    """Noise level and return as one vector, of the size that the temporal U-Net takes.

    Args:
        size: of each of the two embeddings, even.
    """

    frequencies: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.level = nn.Sequential(nn.Linear(size, 4 * size), nn.Mish(), nn.Linear(4 * size, size))
        self.value = nn.Sequential(
            nn.Linear(1, size), nn.Mish(), nn.Linear(size, 4 * size), nn.Mish(),
            nn.Linear(4 * size, size),
        )  # fmt: skip
        half = size // 2
        frequencies = torch.exp(torch.arange(half) * (-math.log(10_000) / half))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, tau: Tensor, returns: Tensor, given: Tensor) -> Tensor:
        """`(R, 2 size)` conditions.

        Args:
            tau: `(R,)` noise levels.
            returns: `(R,)` scaled returns.
            given: `(R,)` 1 where the network is told the return, 0 where not.
        """
        angles = tau.float()[:, None] * self.frequencies
        level = self.level(torch.cat([angles.sin(), angles.cos()], -1))
        # After the activation: a return that is not told must add nothing at all.
        value = nn.functional.mish(self.value(returns[:, None])) * given[:, None]
        return torch.cat([nn.functional.mish(level), value], -1)


def guided_estimate(
    denoise: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
    x: Tensor,
    tau: Tensor,
    returns: Tensor,
    weight: float,
) -> Tensor:
    """The clean sample without the condition, plus `weight` times what the condition changes.

    Both estimates are one batch. At fixed x, the clean sample is linear in the noise and in the
    velocity, so guiding any of the three is the same.

    Args:
        denoise: `(x, tau, returns, given)` to the estimated clean sample.
        x: `(R, H, C)` noisy samples.
        tau: `(R,)` noise levels.
        returns: `(R,)` scaled returns to ask for.
        weight: 0 ignores the condition, 1 samples given it, above 1 exaggerates it.
    """
    if weight in (0.0, 1.0):
        return denoise(x, tau, returns, torch.full_like(returns, weight))
    given = torch.cat([torch.zeros_like(returns), torch.ones_like(returns)])
    both = denoise(torch.cat([x, x]), torch.cat([tau, tau]), torch.cat([returns, returns]), given)
    free, conditioned = both.chunk(2)
    return torch.lerp(free, conditioned, weight)
