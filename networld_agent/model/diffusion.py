"""The forward process: cosine noise schedule, noisy samples, x0 and noise from each other."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["Schedule"]


class Schedule(nn.Module):
    """Signal and noise of every level tau = 0 .. T-1, from nearly clean to nearly noise.

    x_tau = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) noise. Betas follow the cosine schedule with
    offset s, cut at 0.999.

    Args:
        num_steps: T.
        offset: s.

    Attributes:
        alpha_bar: `(T,)` signal power.
        betas: `(T,)` of each step.
        posterior_variance: `(T,)` of x_{tau-1} given x_tau and x0.
    """

    alpha_bar: Tensor
    betas: Tensor
    posterior_variance: Tensor
    signal: Tensor
    spread: Tensor

    def __init__(self, num_steps: int, offset: float = 0.008) -> None:
        super().__init__()
        time = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64)
        curve = torch.cos((time + offset) / (1 + offset) * math.pi / 2) ** 2
        betas = (1 - curve[1:] / curve[:-1]).clamp(max=0.999)
        alpha_bar = torch.cumprod(1 - betas, 0)
        before = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
        tables = {
            "alpha_bar": alpha_bar,
            "betas": betas,
            "posterior_variance": betas * (1 - before) / (1 - alpha_bar),
            "signal": alpha_bar.sqrt(),
            "spread": (1 - alpha_bar).sqrt(),
        }
        for name, table in tables.items():
            self.register_buffer(name, table.float(), persistent=False)
        self.num_steps = num_steps

    def _at(self, table: Tensor, tau: Tensor, like: Tensor) -> Tensor:
        return table[tau].reshape(-1, *(1,) * (like.dim() - 1))

    def noisy(self, x0: Tensor, tau: Tensor, noise: Tensor) -> Tensor:
        """Samples `(B, ...)` at levels tau `(B,)`."""
        return self._at(self.signal, tau, x0) * x0 + self._at(self.spread, tau, x0) * noise

    def x0_from_noise(self, x: Tensor, tau: Tensor, noise: Tensor) -> Tensor:
        """The clean sample that x `(B, ...)` came from if this was its noise."""
        return (x - self._at(self.spread, tau, x) * noise) / self._at(self.signal, tau, x)

    def velocity(self, x0: Tensor, tau: Tensor, noise: Tensor) -> Tensor:
        """The mix signal noise - spread x0, of unit variance at every level if x0 has it."""
        return self._at(self.signal, tau, x0) * noise - self._at(self.spread, tau, x0) * x0

    def x0_from_velocity(self, x: Tensor, tau: Tensor, velocity: Tensor) -> Tensor:
        """The clean sample that x `(B, ...)` came from if this was its velocity."""
        return self._at(self.signal, tau, x) * x - self._at(self.spread, tau, x) * velocity

    def noise_from_x0(self, x: Tensor, tau: Tensor, x0: Tensor) -> Tensor:
        """The noise in x `(B, ...)` if this was the clean sample."""
        return (x - self._at(self.signal, tau, x) * x0) / self._at(self.spread, tau, x)
