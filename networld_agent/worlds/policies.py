"""What plays a batch of episodes: random actions, a policy of a task or of one's own, a function.

Every episode has random numbers of its own: how episodes are batched changes no action.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from networld_agent.worlds.interface import Worlds
from networld_agent.worlds.randomness import Sampler, episode_generator
from networld_agent.worlds.spaces import action_shape
from wirelessenvs.policy import Information, Policy, Privileged
from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import make_policy

__all__ = ["BatchFunction", "BatchPolicy", "BatchRandom"]


class BatchRandom:
    """Random actions.

    Args:
        sampler: draws them.
        seeds: `(B,)` of the episodes.
    """

    def __init__(self, sampler: Sampler, seeds: tuple[int, ...]) -> None:
        self._sampler = sampler
        self._generators = [np.random.default_rng([seed, 1]) for seed in seeds]
        self._blocks: list[list[Any]] = [[] for _ in seeds]

    def __call__(self, observations: NDArray[np.float32]) -> NDArray[Any]:  # noqa: ARG002
        """Actions `(B, N[, A])`."""
        for rows, generator in zip(self._blocks, self._generators, strict=True):
            if not rows:
                rows.extend(self._sampler(generator))
        return np.stack([rows.pop() for rows in self._blocks])


class BatchPolicy:
    """A policy for a batch of episodes whose actions do not depend on the batch.

    A policy that draws random numbers shares one stream among its environments; so each episode
    gets a policy of its own, with a seed of its own. All others play the whole batch at once.

    Args:
        name: of a policy of the task, or `module:Class`.
        simulator: that the batch is played in.
        seeds: `(B,)` of the episodes.

    Attributes:
        information: class of what it may know.
    """

    def __init__(self, name: str, simulator: Simulator[Any], seeds: tuple[int, ...]) -> None:
        self._simulator, self._foreign = simulator, ":" in name
        self._policies = [make_policy(name, simulator)]
        self.information: Information = self._policies[0].information
        self._single = any(map(_draws, vars(self._policies[0]).values()))
        if self._single:
            policy_class: Callable[..., Policy] = type(self._policies[0])
            self._policies = [policy_class(simulator.spec, 1, seed) for seed in seeds]
        for policy in self._policies:
            policy.reset()

    def __call__(self, observations: NDArray[np.float32]) -> NDArray[Any]:
        """Actions `(B, N[, A])`."""
        view = self._simulator.privileged(self.information)
        if self._single:
            actions = np.concatenate([
                policy(observations[env : env + 1], _only(view, env, len(observations)))
                for env, policy in enumerate(self._policies)
            ])  # fmt: skip
        else:
            actions = self._policies[0](observations, view)
        # Before they are cast to the type that is recorded, which would hide a fault.
        return self._simulator.check_actions(actions) if self._foreign else actions


class BatchFunction:
    """A function `(observations (N, d), rng) -> (N[, A])` that plays episodes one by one.

    Args:
        function: to call.
        seeds: `(B,)` of the episodes.
        name: of the function, for errors.
        worlds: that it plays in.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        seeds: tuple[int, ...],
        name: str,
        worlds: Worlds,
    ) -> None:
        self._function, self._name = function, name
        self._shape = (len(worlds.agents), *action_shape(worlds.action_space))
        # A second stream: what the policy draws does not move the random actions.
        self._generators = [episode_generator(seed).spawn(1)[0] for seed in seeds]

    def __call__(self, observations: NDArray[np.float32]) -> NDArray[Any]:
        """Actions `(B, N[, A])`.

        Raises:
            ValueError: if the function fails, or returns another shape.
        """
        pairs = zip(observations, self._generators, strict=True)
        return np.stack([self._call(seen, rng) for seen, rng in pairs])

    def _call(self, seen: NDArray[np.float32], rng: np.random.Generator) -> NDArray[Any]:
        try:
            actions = np.asarray(self._function(seen, rng))
        except Exception as error:
            # Its traceback stays the cause.
            raise ValueError(f"{self._name} failed: {type(error).__name__}: {error}.") from error
        if actions.shape != self._shape or actions.dtype.kind not in "biuf":
            raise ValueError(
                f"{self._name} must return numbers of shape {self._shape}, got shape "
                f"{actions.shape} of {actions.dtype}."
            )
        return actions


def _draws(value: object) -> bool:
    return isinstance(value, (np.random.Generator, np.random.RandomState)) or (
        isinstance(value, Policy) and any(map(_draws, vars(value).values()))
    )


def _only(view: Privileged | None, env: int, num_envs: int) -> Privileged | None:
    """One environment's part of a privileged view."""
    if view is None:
        return None
    changes: dict[str, Any] = {
        field.name: value[env : env + 1]
        for field in dataclasses.fields(view)
        if isinstance(value := getattr(view, field.name), np.ndarray) and len(value) == num_envs
    }
    return dataclasses.replace(view, **changes)
