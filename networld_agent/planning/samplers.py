"""Samplers that turn noise into a plan in few steps, written in x0 form.

A denoiser estimates the clean sample x0 from a noisy one; a sampler decides where to look next.
With alpha and sigma the signal and noise shares of a level (alpha^2 + sigma^2 = 1, clean: 1 and 0),
every step from level t to the less noisy level s is linear in the sample and the estimate:

    x_s = carry * x_t + estimate * D + noise * (standard normal)

* "ddim": D = x0, no noise; the exact solution where x0 does not change between the levels.
* "dpm": DPM-Solver++ (2M). D extrapolates this estimate and the last one in log(alpha/sigma). The
  step to the clean level is of first order: that level lies at infinity.
* "ddpm": the posterior q(x_s | x_t, x0) of the forward process, with its own variance.

The first level is always the noisiest of the schedule: a grid that starts below it (as the usual
"leading" and "linspace" spacings do) begins from noise that the model never saw, and shifts the
mean of the samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

__all__ = ["SAMPLERS", "SamplerStep", "noised", "sample", "sampler_steps", "trailing_levels"]

SAMPLERS: Final = ("ddim", "dpm", "ddpm")


def trailing_levels(num_levels: int, steps: int, spacing: float = 1.0) -> tuple[int, ...]:
    """Noise levels to visit, from the noisiest down; the step after the last one is clean.

    Args:
        num_levels: T of the schedule.
        steps: how many levels, at most T.
        spacing: 1 spaces them evenly; above 1, they crowd towards the clean end.

    Raises:
        ValueError: if `steps` is not between 1 and T.

    Example:
        >>> trailing_levels(20, 5)
        (19, 15, 11, 7, 3)
        >>> trailing_levels(20, 4, spacing=2.0)
        (19, 10, 4, 0)
    """
    if not 1 <= steps <= num_levels:
        raise ValueError(f"steps must be between 1 and {num_levels} (the schedule), got {steps}.")
    levels: list[int] = []
    for i in range(steps):
        level = round(num_levels * ((steps - i) / steps) ** spacing) - 1
        # Crowded levels may round to the same one: each must leave room for those after it.
        level = max(level, steps - 1 - i)
        levels.append(min(level, levels[-1] - 1) if levels else num_levels - 1)
    return tuple(levels)


@dataclass(frozen=True)
class SamplerStep:
    """One step: the level it starts from, and its coefficients.

    Args:
        level: index into the schedule; what the denoiser is told.
        carry: factor of the sample.
        estimate: factor of D.
        noise: factor of fresh noise.
        blend: D = (1 + blend) x0 - blend * (x0 of the last step).
    """

    level: int
    carry: float
    estimate: float
    noise: float = 0.0
    blend: float = 0.0


def sampler_steps(
    sampler: str, alpha_bar: Tensor | Sequence[float], levels: Sequence[int]
) -> tuple[SamplerStep, ...]:
    """Coefficients of every step, in double precision.

    Args:
        sampler: one of `SAMPLERS`.
        alpha_bar: `(T,)` alpha squared per level, falling.
        levels: to visit, from noisy to clean, as `trailing_levels` gives them.

    Raises:
        ValueError: for an unknown sampler.
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {sampler!r}.")
    squares = [float(alpha_bar[level]) for level in levels]
    alphas = [*(math.sqrt(a) for a in squares), 1.0]
    sigmas = [*(math.sqrt(1.0 - a) for a in squares), 0.0]
    steps = []
    for i, level in enumerate(levels):
        alpha, sigma, alpha_next, sigma_next = alphas[i], sigmas[i], alphas[i + 1], sigmas[i + 1]
        if sampler == "ddpm":
            ratio = alpha / alpha_next
            spread = 1.0 - ratio**2
            steps.append(
                SamplerStep(
                    level,
                    carry=ratio * (sigma_next / sigma) ** 2,
                    estimate=alpha_next * spread / sigma**2,
                    noise=sigma_next / sigma * math.sqrt(spread),
                )
            )
            continue
        blend = 0.0
        if sampler == "dpm" and 0 < i < len(levels) - 1:
            now, last, following = (math.log(alphas[j] / sigmas[j]) for j in (i, i - 1, i + 1))
            blend = 0.5 * (following - now) / (now - last)
        carry = sigma_next / sigma
        steps.append(SamplerStep(level, carry, alpha_next - carry * alpha, blend=blend))
    return tuple(steps)


def noised(clean: Tensor, noise: Tensor, alpha_bar: float) -> Tensor:
    """The sample at a noise level: alpha * clean + sigma * noise."""
    return math.sqrt(alpha_bar) * clean + math.sqrt(1.0 - alpha_bar) * noise


def sample(
    steps: Sequence[SamplerStep],
    start: Tensor,
    denoise: Callable[[Tensor, SamplerStep], Tensor],
    draw_noise: Callable[[int], Tensor],
    clamp: Callable[[Tensor], Tensor] = lambda x: x,
) -> Tensor:
    """Runs a sampler.

    Args:
        steps: from `sampler_steps`.
        start: `(R, H, C)` sample at the first step's level.
        denoise: estimate of x0 for a clamped sample at a step's level.
        draw_noise: `(R, H, C)` standard normal numbers for the step of this index; asked only by
            samplers that add noise.
        clamp: overwrites the known part of a sample; applied before every estimate and at the end.

    Returns:
        `(R, H, C)` clean samples.
    """
    x, last = start, None
    for index, step in enumerate(steps):
        x = clamp(x)
        x0 = denoise(x, step)
        target = x0 if step.blend == 0.0 or last is None else torch.lerp(last, x0, 1 + step.blend)
        # The step to the clean level carries nothing over.
        moved = target if step.estimate == 1.0 else step.estimate * target
        x = torch.add(moved, x, alpha=step.carry) if step.carry else moved
        if step.noise:
            x = x + step.noise * draw_noise(index)
        last = x0
    return clamp(x)
