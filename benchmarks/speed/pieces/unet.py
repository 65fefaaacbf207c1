"""A training step of the published planner's U-Net, beside the same network written plainly.

Both networks hold the same weights, so that their outputs are equal (checked first, and the
gradients too). One step draws noise, denoises, takes the mean squared error, its gradient, one step
of Adam and one of the moving average. The plain one is written as published planners are: Conv1d,
GroupNorm and Mish in (batch, channel, time) layout, Adam's default, a Python loop for the average.
Rounds of the two alternate, so that a busy host slows both.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from typing import Any, Final

import torch
from torch import Tensor, nn

from benchmarks.speed.clocks import alternate
from benchmarks.speed.models import PUBLISHED
from benchmarks.speed.piece import Row, Setting
from benchmarks.speed.plain_unet import PlainUNet
from networld_agent.config import PRESETS
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.diffusion import Schedule
from networld_agent.model.temporal_unet import Conditioning, TemporalUNet

__all__ = ["rows"]

_ROUNDS: Final = 15
#: Relative difference of losses and gradients above which the comparison means nothing.
_EQUAL: Final = 1e-3

_Batch = tuple[Tensor, Tensor, Tensor]


def rows(setting: Setting) -> Sequence[Row]:
    """One per batch size."""
    return [
        Row(f"batch {size}", 2 if setting.quick else 30, partial(_measure, setting, size))
        for size in ((4,) if setting.quick else (32, 256))
    ]


def _measure(setting: Setting, size: int) -> dict[str, Any]:
    config = PRESETS["smoke"].model if setting.quick else PUBLISHED
    steps = _steps(config)
    difference = _difference(steps, _batch(config, 8, 0))
    if difference > _EQUAL:
        raise ValueError("the two networks differ: the comparison would be meaningless.")
    works: dict[str, Callable[[], object]] = {}
    for name, step in _steps(config).items():
        batches = cycle([_batch(config, size, seed) for seed in range(4)])
        works[f"{name} network"] = partial(_on_next, step, batches)
        works[f"{name} adam"] = step.adam.step
        works[f"{name} average"] = step.average
    times = alternate(works, setting.device, 2 if setting.quick else _ROUNDS)
    ours, plain = (
        {part: times[f"{name} {part}"]["median_ms"] for part in ("network", "adam", "average")}
        for name in ("ours", "plain")
    )
    totals = sum(ours.values()), sum(plain.values())
    return {
        "weights": sum(weight.numel() for weight in steps["ours"].weights),
        "difference": difference,
        "ours": {**ours, "total": totals[0]},
        "plain": {**plain, "total": totals[1]},
        "speedup": totals[1] / totals[0],
    }


def _on_next(step: _Step, batches: cycle[_Batch]) -> Tensor:
    return step.network(*next(batches))


class _Step:
    """A training step in three timed parts: network, Adam, moving average."""

    def __init__(
        self, unet: nn.Module, conditioning: Conditioning, config: WorldModelConfig, plain: bool
    ) -> None:
        self.unet, self.conditioning, self.plain = unet, conditioning, plain
        self.schedule = Schedule(config.diffusion_steps)
        self.weights = [*unet.parameters(), *conditioning.parameters()]
        self.averages = [weight.detach().clone() for weight in self.weights]
        self.adam = torch.optim.Adam(self.weights, 2e-4, fused=None if plain else True)

    def network(self, x0: Tensor, noise: Tensor, tau: Tensor) -> Tensor:
        """Loss of a batch `(B, H, C)`, with its gradients."""
        self.adam.zero_grad(set_to_none=True)
        # Ours takes (H, B, C), the plain one (B, C, H).
        dims = (1, 2) if self.plain else (0, 1)
        condition = self.conditioning(tau, torch.zeros_like(tau))
        x = self.schedule.noisy(x0, tau, noise).transpose(*dims)
        loss = (self.unet(x, condition).transpose(*dims) - x0).square().mean()
        loss.backward()
        return loss.detach()

    @torch.no_grad()
    def average(self) -> None:
        """One update of the moving average."""
        if not self.plain:
            torch._foreach_lerp_(self.averages, [w.data for w in self.weights], 0.005)
            return
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.data = 0.995 * average + 0.005 * weight.data


def _steps(config: WorldModelConfig) -> dict[str, _Step]:
    """Both, with equal weights."""
    torch.manual_seed(0)
    ours = TemporalUNet(2 * config.latent_size, config)
    conditioning = Conditioning(config.embedding_size, 1)
    plain = PlainUNet(ours)
    return {
        "plain": _Step(plain, copy.deepcopy(conditioning), config, True),
        "ours": _Step(ours, conditioning, config, False),
    }


def _batch(config: WorldModelConfig, size: int, seed: int) -> _Batch:
    """Random latents, noise, and noise levels."""
    generator = torch.Generator().manual_seed(seed)
    shape = (size, config.horizon, 2 * config.latent_size)
    x0, noise = (torch.randn(shape, generator=generator) for _ in range(2))
    return x0, noise, torch.randint(config.diffusion_steps, (size,), generator=generator)


def _difference(steps: dict[str, _Step], batch: _Batch) -> float:
    """Greatest difference of loss and of the gradient of the last layer, relative."""
    losses = {name: step.network(*batch).item() for name, step in steps.items()}
    ours: Any = steps["ours"].unet
    plain: Any = steps["plain"].unet
    mine, theirs = ours.out.weight.grad, plain.last[3].weight.grad[:, :, 0]
    gradient = float((theirs - mine).norm() / mine.norm())
    return max(abs(losses["plain"] / losses["ours"] - 1), gradient)
