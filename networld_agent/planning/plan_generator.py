"""Draws plans: clamped to the present, steered by the classifier, chosen by the classifier."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from networld_agent.keyed_random import hashed, normals, stream_keys
from networld_agent.planning.guidance import Guidance, resized
from networld_agent.planning.plan_networks import PlanNetwork, PlanNetworks
from networld_agent.planning.planner_config import (
    DEFAULT_GUIDANCE_SCALE,
    DEFAULT_STEPS,
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

    What is tuned for the task is read at construction, weights at every call of `generate`.

    Args:
        model: the world model.
        task: name of the task.
        config: how to plan.

    Raises:
        ValueError: if the options do not fit the model's schedule or horizon.
    """

    def __init__(self, model: PlanningModel, task: str, config: PlannerConfig) -> None:
        self.model, self.config = model, config
        spec = model.tasks[task]
        self._alpha_bar = model.schedule.alpha_bar.detach().double().cpu().tolist()
        steps = config.steps or spec.denoising_steps or DEFAULT_STEPS
        if config.steps is None:
            steps = min(steps, len(self._alpha_bar))
        self.steps = steps
        if config.warm_start > steps:
            raise ValueError(
                f"warm_start must be at most the {steps} steps of a plan, got {config.warm_start}."
            )
        levels = trailing_levels(len(self._alpha_bar), steps, config.spacing)
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
            stored = spec.guidance_scale
            scale = DEFAULT_GUIDANCE_SCALE if stored is None else stored
        temperature = config.temperature
        if temperature is None:
            temperature = spec.temperature
        self.temperature = DEFAULT_TEMPERATURE if temperature is None else temperature
        self.guidance = Guidance(scale, config.normalize_gradient)
        steered = levels[: len(levels) - config.unguided_steps]
        self._steered = frozenset(steered if config.guided and scale > 0 else ())
        # Finished plans are rated as seen at the least noisy level, 0.
        self._networks = PlanNetworks(model, task, sorted({0, *levels}))

    def generate(
        self,
        own: Tensor,
        neighbors: Tensor,
        keys: Tensor,
        previous: Tensor | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Generates one plan per row.

        Args:
            own: `(R, D)` present latents.
            neighbors: `(R, D)` present means of the neighbours' latents.
            keys: `(R,)` key of each row's noise; no two decisions share one.
            previous: `(R, H, 2D)` last plans, already shifted to the present, to start from; None
                starts from pure noise.
            condition: what the model's `condition` made of the rows' observations.

        Returns:
            `(R, H, 2D)`.
        """
        self.refresh(len(own))
        warm = previous is not None
        return self.plans(own, neighbors, self.noise_keys(keys, warm), previous, condition)

    def refresh(self, rows: int) -> bool:
        """Prepares for this many rows and reads weights that have changed since.

        Returns:
            Whether captured graphs of `plans` must be forgotten.
        """
        return self._networks.refresh(rows * self.config.samples)

    def noise_keys(self, keys: Tensor, warm: bool) -> Tensor:
        """`(R, S, K)` keys of every draw of S candidates, from the keys `(R,)` of a decision."""
        steps = self._warm if warm else self._cold
        draws = [0, *(index + 1 for index, step in enumerate(steps) if step.noise)]
        if self.config.plan_mode == "random":
            draws += [len(steps) + 1 + i for i, s in enumerate(steps) if s.level in self._steered]
        count = self.config.samples
        if count > 1:
            keys = stream_keys(keys[:, None], torch.arange(count, device=keys.device)).flatten()
        drawn = torch.tensor(draws, device=keys.device)
        return hashed(stream_keys(keys)[:, None], drawn).reshape(-1, count, len(draws))

    def plans(
        self,
        own: Tensor,
        neighbors: Tensor,
        noise_keys: Tensor,
        previous: Tensor | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """As `generate`, as a function of tensors that can be captured in a CUDA graph."""
        count = self.config.samples
        present = torch.cat([own, neighbors], 1)
        if count > 1:
            # Row-major in rows: candidate c of row r is row r * count + c.
            present = present.repeat_interleave(count, 0)
            if condition is not None:
                condition = condition.repeat_interleave(count, 0)
            if previous is not None:
                previous = previous.repeat_interleave(count, 0)
        plans = self._draw(present, noise_keys.flatten(0, 1), previous, condition)
        if count == 1:
            return plans
        rows = len(plans) // count
        best = self.rate(plans, condition).reshape(rows, count).argmax(1)
        return plans[torch.arange(0, len(plans), count, device=best.device) + best]

    def rate(self, plans: Tensor, condition: Tensor | None = None) -> Tensor:
        """`(R,)` predicted returns of finished plans, as seen at the least noisy level."""
        with torch.no_grad():
            return self._networks.of(len(plans)).predicted_return(plans, 0, condition)

    def _draw(
        self,
        present: Tensor,
        noise_keys: Tensor,
        previous: Tensor | None,
        condition: Tensor | None,
    ) -> Tensor:
        shape = (self.model.config.horizon, present.shape[1])
        steps = self._cold if previous is None else self._warm
        # All draws of the decision at once: the start, the sampler's noise, random directions.
        drawn = normals(noise_keys.t().contiguous(), shape)
        count = 1 + sum(bool(step.noise) for step in steps)
        noise = (self.temperature * drawn[:count]).unbind()
        directions = iter(drawn[count:])
        start = noise[0]
        if previous is not None:
            start = noised(previous, start, self._alpha_bar[steps[0].level])
        further = iter(noise[1:])

        def clamp(x: Tensor) -> Tensor:
            return torch.cat([present[:, None], x[:, 1:]], 1)

        network = self._networks.of(len(present))
        with torch.no_grad():
            return sample(
                steps,
                start,
                lambda x, step: self._estimate(network, x, step, condition, directions),
                lambda _: next(further),
                clamp,
            )

    def _estimate(
        self,
        network: PlanNetwork,
        x: Tensor,
        step: SamplerStep,
        condition: Tensor | None,
        directions: Iterator[Tensor],
    ) -> Tensor:
        if step.level not in self._steered:
            return network.denoise(x, step.level, condition)
        x0, gradient = network.denoise_with_gradient(x, step.level, condition)
        if self.config.plan_mode == "random":
            gradient = resized(next(directions), gradient)
        return self.guidance.steered(x0, gradient, self._alpha_bar[step.level])
