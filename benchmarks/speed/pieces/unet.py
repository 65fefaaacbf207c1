"""A training step of the published planner's U-Net, beside the same network written plainly.

Both networks hold the same weights, so that their losses are equal (checked first). One step
denoises, takes the mean squared error, its gradient, one step of Adam and one of the moving
average. The plain one is written as published planners are: Conv1d, GroupNorm and Mish in
(batch, channel, time) layout, Adam's default, a Python loop for the average. Rounds of the two
alternate, so that a busy host slows both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn

from benchmarks.speed.clocks import alternate
from benchmarks.speed.models import PUBLISHED, fresh_model
from benchmarks.speed.piece import Row, Setting
from benchmarks.speed.plain_unet import PlainUNet
from networld_agent.config import PRESETS
from networld_agent.model import WorldModel

__all__ = ["rows"]

_ROUNDS: Final = 15
_DECAY: Final = 0.995

_Batch = tuple[Tensor, Tensor, Tensor]


def rows(setting: Setting) -> Sequence[Row]:
    """One per batch size."""
    return [
        Row(f"batch {size}", 2 if setting.quick else 30, partial(_measure, setting.quick, size))
        for size in ((4,) if setting.quick else (32, 256))
    ]


def _measure(quick: bool, size: int) -> dict[str, Any]:
    model = fresh_model(PRESETS["smoke"].model if quick else PUBLISHED)
    batch, plain = _batch(model, size), PlainUNet(model.unet)
    steps = {"plain": _step(plain, batch, True), "ours": _step(model.unet, batch, False)}
    losses = [float(step()) for step in steps.values()]
    if abs(losses[0] / losses[1] - 1) > 1e-3:
        raise ValueError("the two networks differ: the comparison would be meaningless.")
    return dict(alternate(steps, "cpu", 2 if quick else _ROUNDS))


def _step(unet: nn.Module, batch: _Batch, plain: bool) -> Callable[[], Tensor]:
    (x0, noisy, condition), weights = batch, list(unet.parameters())
    averages = [weight.detach().clone() for weight in weights]
    adam = torch.optim.Adam(weights, 2e-4, fused=None if plain else True)
    # The plain one takes (B, C, H), ours (H, B, C).
    dims = (1, 2) if plain else (0, 1)

    def step() -> Tensor:
        adam.zero_grad(set_to_none=True)
        output = unet(noisy.transpose(*dims), condition).transpose(*dims)
        loss: Tensor = (output - x0).square().mean()
        loss.backward()
        adam.step()
        if plain:
            for average, weight in zip(averages, weights, strict=True):
                average.data = _DECAY * average + (1 - _DECAY) * weight.data
        else:
            torch._foreach_lerp_(averages, [weight.data for weight in weights], 1 - _DECAY)
        return loss.detach()

    return step


@torch.no_grad()
def _batch(model: WorldModel, size: int) -> _Batch:
    """Random latents `(B, H, C)`, the same with noise, and conditions."""
    generator, config = torch.Generator().manual_seed(0), model.config
    shape = (size, config.horizon, 2 * config.latent_size)
    x0, noise = (torch.randn(shape, generator=generator) for _ in range(2))
    tau = torch.randint(config.diffusion_steps, (size,), generator=generator)
    noisy = model.schedule.noisy(x0, tau, noise)
    return x0, noisy, model.conditioning(tau, torch.zeros_like(tau))
