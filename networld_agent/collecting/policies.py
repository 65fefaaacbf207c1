"""What plays a block of episodes: a policy of a task or of one's own, or a function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from networld_agent.worlds.randomness import episode_generator
from wirelessenvs.policy import Information, Policy, Privileged
from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import make_policy

__all__ = ["BatchFunction", "BatchPolicy"]


class BatchPolicy:
    """A policy for a block of episodes whose actions do not depend on the block.

    A policy that draws random numbers shares one stream among its environments; so each episode
    gets a policy of its own, with a seed of its own. All others play the whole batch at once.

    Args:
        name: of a policy of the task, or `module:Class`.
        simulator: that the block is played in.
        seeds: `(B,)` of the episodes.
    """

    def __init__(self, name: str, simulator: Simulator[Any], seeds: tuple[int, ...]) -> None:
        self._simulator, self._foreign = simulator, ":" in name
        self._policies = [make_policy(name, simulator)]
        self._information: Information = self._policies[0].information
        self._single = any(map(_draws, vars(self._policies[0]).values()))
        if self._single:
            policy_class: Callable[..., Policy] = type(self._policies[0])
            self._policies = [policy_class(simulator.spec, 1, seed) for seed in seeds]
        for policy in self._policies:
            policy.reset()

    def __call__(self, observations: NDArray[np.float32]) -> NDArray[Any]:
        """Actions `(B, N[, A])`."""
        view = self._simulator.privileged(self._information)
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
    """

    def __init__(self, function: Callable[..., Any], seeds: tuple[int, ...]) -> None:
        self._function = function
        # A second stream: what the policy draws does not move the random actions.
        self._generators = [episode_generator(seed).spawn(1)[0] for seed in seeds]

    def __call__(self, observations: NDArray[np.float32]) -> NDArray[Any]:
        """Actions `(B, N[, A])`."""
        pairs = zip(observations, self._generators, strict=True)
        return np.stack([np.asarray(self._function(seen, rng)) for seen, rng in pairs])


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
