"""Planners as one writes them first: the published recipe, and our network without shortcuts."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from benchmarks.speed.plain_unet import PlainUNet
from networld_agent.model import WorldModel
from networld_agent.planning.samplers import sample, sampler_steps, trailing_levels

__all__ = ["PlainPlanner", "PublishedPlanner"]


class PublishedPlanner:
    """Two networks in (batch, channel, time) layout, 20 steps, two gradients per step.

    It plans from latents; encoding and decoding are left out, to its advantage. Its return model
    has a down path of its own, and gradients run through weights that require them, too.
    """

    def __init__(self, model: WorldModel, scale: float = 0.1, gradient_steps: int = 2) -> None:
        self.denoiser = PlainUNet(model.unet)
        self.value = PlainUNet(model.unet)
        self.value_head = copy.deepcopy(model.classifier.head)
        self.conditioning = copy.deepcopy(model.conditioning).requires_grad_(True)
        for network in (self.denoiser, self.value, self.value_head):
            network.requires_grad_(True)
        self.horizon, self.schedule = model.config.horizon, model.schedule
        self.scale, self.gradient_steps = scale, gradient_steps

    def values(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return `(B,)` of noisy plans `(B, C, H)`: the down path, a mean over time, one layer."""
        values: Tensor = self.value_head(self.value.features(x, condition)[-1].mean(2)).mean(1)
        return values

    def plan(self, present: Tensor) -> Tensor:
        """Plans `(B, C, H)` from the present `(B, C)`."""
        schedule = self.schedule
        x = torch.randn(*present.shape, self.horizon)
        x[:, :, 0] = present
        task = torch.zeros(len(present), dtype=torch.long)
        before = torch.cat([torch.ones(1), schedule.alpha_bar[:-1]])
        for level in reversed(range(schedule.num_steps)):
            tau = torch.full_like(task, level)
            variance = schedule.posterior_variance[level]
            for _ in range(self.gradient_steps):
                with torch.enable_grad():
                    x.requires_grad_()
                    values = self.values(x, self.conditioning(tau, task))
                    gradient = torch.autograd.grad(values.sum(), x)[0]
                x = x.detach() + self.scale * variance * gradient
                x[:, :, 0] = present
            with torch.no_grad():
                x0 = self.denoiser(x, self.conditioning(tau, task))
                beta, now, last = schedule.betas[level], schedule.alpha_bar[level], before[level]
                mean = last.sqrt() * beta / (1 - now) * x0
                mean = mean + (1 - beta).sqrt() * (1 - last) / (1 - now) * x
                x = mean + (variance.sqrt() * torch.randn_like(x) if level else 0)
                x[:, :, 0] = present
        return x


class PlainPlanner:
    """Our network with none of the planner's shortcuts: 20 DDPM steps, every one guided.

    Denoiser and return model are called one after the other.
    """

    def __init__(self, model: WorldModel, task: str, scale: float = 0.1) -> None:
        self.model, self.task, self.scale = model, task, scale
        levels = trailing_levels(model.schedule.num_steps, model.schedule.num_steps)
        self.steps = sampler_steps("ddpm", model.schedule.alpha_bar, levels)

    def act(self, observations: Tensor, weights: Tensor) -> Tensor:
        """Actions `(B,)` of agents `(B, d)` who hear each other by `weights` `(B, B)`."""
        model, size = self.model, self.model.config.latent_size
        with torch.no_grad():
            z = model.encode(self.task, observations)
            present = torch.cat([z, weights @ z], 1)
        task = torch.full((len(z),), model.tasks[self.task].index)

        def clamp(x: Tensor) -> Tensor:
            x = x.clone()
            x[:, 0] = present
            return x

        def denoise(x: Tensor, step: Any) -> Tensor:
            tau = torch.full_like(task, step.level)
            with torch.enable_grad():
                free = x.detach().requires_grad_()
                value = model.predicted_return(free, tau, task).sum()
                gradient = torch.autograd.grad(value, free)[0]
            with torch.no_grad():
                x0 = model.denoise(x, tau, task)
            rest = 1 - model.schedule.alpha_bar[step.level]
            length = gradient.square().mean((1, 2), keepdim=True).sqrt()
            return x0 + self.scale * rest * gradient / length.clamp_min(1e-20)

        shape = (len(z), model.config.horizon, 2 * size)
        with torch.no_grad():
            plan = sample(
                self.steps, torch.randn(shape), denoise, lambda _: torch.randn(shape), clamp
            )
            return model.decode_actions(self.task, z, plan[:, 1, :size])
