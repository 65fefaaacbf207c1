"""Draws plans: clamped to the present, steered by the classifier, chosen by the classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from networld_agent.planning.agent_noise import agent_normal, stream_keys
from networld_agent.planning.guidance import Guidance
from networld_agent.planning.planner_config import (
    DEFAULT_GUIDANCE_SCALE,
    DEFAULT_TEMPERATURE,
    PlannerConfig,
)
from networld_agent.planning.planning_model import PlanningModel
from networld_agent.planning.samplers import (
    SamplerStep,
    noised,
    sample,
    sampler_steps,
    trailing_levels,
)

__all__ = ["PlanGenerator", "shifted"]


def shifted(plan: Tensor, steps: int) -> Tensor:
    """`(R, H, C)` plan as seen `steps` later; its last time is repeated at the end."""
    return torch.cat([plan[:, steps:], plan[:, -1:].expand(-1, steps, -1)], 1)


class PlanGenerator:
    """Plans of one task from a world model. Rows are agents, each for itself.

    Args:
        model: the world model.
        task: name of the task.
        config: how to plan.

    Raises:
        ValueError: if the options do not fit the model's schedule or horizon.
    """

    def __init__(self, model: PlanningModel, task: str, config: PlannerConfig) -> None:
        self.model, self.config, self._task = model, config, model.tasks[task]
        self._alpha_bar = model.schedule.alpha_bar.detach().double().cpu()
        levels = trailing_levels(len(self._alpha_bar), config.steps, config.spacing)
        self._cold = sampler_steps(config.sampler, self._alpha_bar, levels)
        warm = levels[len(levels) - config.warm_start :]
        self._warm = sampler_steps(config.sampler, self._alpha_bar, warm)
        if config.execute >= model.config.horizon:
            raise ValueError(
                f"execute must be below the model's horizon {model.config.horizon}, "
                f"got {config.execute}."
            )
        scale = config.guidance_scale
        if scale is None:
            stored = self._task.guidance_scale
            scale = DEFAULT_GUIDANCE_SCALE if stored is None else stored
        temperature = config.temperature
        if temperature is None:
            temperature = self._task.temperature
        self.temperature = DEFAULT_TEMPERATURE if temperature is None else temperature
        self.guidance = Guidance(scale, config.normalize_gradient)
        steered = levels[: len(levels) - config.unguided_steps]
        self._steered = frozenset(steered if config.guided and scale > 0 else ())

    def generate(
        self, own: Tensor, neighbors: Tensor, keys: Tensor, previous: Tensor | None = None
    ) -> Tensor:
        """One plan per row.

        Args:
            own: `(R, D)` present latents.
            neighbors: `(R, D)` present means of the neighbours' latents.
            keys: `(R,)` key of each row's noise; no two decisions share one.
            previous: `(R, H, 2D)` last plans, already shifted to the present, to start from; None
                starts from pure noise.

        Returns:
            `(R, H, 2D)`.
        """
        count = self.config.samples
        present = torch.cat([own, neighbors], 1)
        if count > 1:
            # Row-major in rows: candidate c of row r is row r * count + c.
            present = present.repeat_interleave(count, 0)
            candidate = torch.arange(count, device=keys.device)
            keys = stream_keys(keys[:, None], candidate).flatten()
            if previous is not None:
                previous = previous.repeat_interleave(count, 0)
        plans = self._draw(present, keys, previous)
        if count == 1:
            return plans
        rows = len(plans) // count
        ratings = self.rate(plans).reshape(rows, count)
        best = ratings.argmax(1)
        return plans.reshape(rows, count, *plans.shape[1:])[
            torch.arange(rows, device=best.device), best
        ]

    def rate(self, plans: Tensor) -> Tensor:
        """`(R,)` predicted returns of finished plans, as seen at the least noisy level."""
        with torch.no_grad():
            return self.model.predicted_return(plans, *self._labels(plans, 0))

    def _draw(self, present: Tensor, keys: Tensor, previous: Tensor | None) -> Tensor:
        shape = (self.model.config.horizon, present.shape[1])
        temperature = self.temperature

        def noise(draw: int) -> Tensor:
            return temperature * agent_normal(keys, draw, shape)

        def clamp(x: Tensor) -> Tensor:
            # A copy: `x` may be an estimate that the sampler still needs as it was.
            x = x.clone()
            x[:, 0] = present
            return x

        steps, start = self._cold, noise(0)
        if previous is not None:
            steps = self._warm
            start = noised(previous, start, float(self._alpha_bar[steps[0].level]))
        with torch.no_grad():
            return sample(steps, start, self._estimate, lambda i: noise(i + 1), clamp)

    def _estimate(self, x: Tensor, step: SamplerStep) -> Tensor:
        tau, task = self._labels(x, step.level)
        if step.level not in self._steered:
            return self.model.denoise(x, tau, task)
        x0, gradient = self.model.denoise_with_gradient(x, tau, task)
        return x0 + self.guidance.shift(gradient, float(self._alpha_bar[step.level]))

    def _labels(self, x: Tensor, level: int) -> tuple[Tensor, Tensor]:
        tau = torch.full((len(x),), level, dtype=torch.long, device=x.device)
        return tau, torch.full_like(tau, self._task.index)
