"""Methods as evaluation plays them: a trained planner, or a policy shipped with the task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from networld_agent.model.action_spec import spec_of_space
from networld_agent.model.task_spec import ActionSpec
from networld_agent.worlds.interface import Worlds
from wirelessenvs.policy import Policy
from wirelessenvs.tasks import make_policy

if TYPE_CHECKING:
    from networld_agent.planning import Planner

__all__ = ["Fitted", "PlannerPlayer", "Player", "PolicyPlayer", "RandomPlayer", "check_fit"]


class Player(Protocol):
    """A method that can be scored."""

    #: In tables.
    name: str
    #: What it may know.
    information: str

    def begin(self, seeds: Sequence[int]) -> None:
        """A new episode in every environment; `seeds` are for the method's own randomness."""
        ...

    def act(self, worlds: Worlds, observations: NDArray[np.float32]) -> NDArray[Any]:
        """Actions `(B, N[, A])` of all agents."""
        ...

    @property
    def bytes_per_step(self) -> float:
        """Bytes that an agent sends per step; nan where nobody counts."""
        ...


class PlannerPlayer:
    """A planner: it sees observations and the neighbour graph, nothing else."""

    information = "neighbors"

    def __init__(self, planner: Planner, name: str = "networld") -> None:
        self.name, self._planner = name, planner

    def begin(self, seeds: Sequence[int]) -> None:
        """Forgets all plans."""
        self._planner.reset(seeds)

    def act(self, worlds: Worlds, observations: NDArray[np.float32]) -> NDArray[Any]:
        """Plans for all agents of all environments in one batch."""
        return self._planner.act(observations, worlds.adjacency)

    @property
    def bytes_per_step(self) -> float:
        """Bytes that an agent broadcasts per step."""
        return self._planner.messages.bytes_per_step


class PolicyPlayer:
    """A policy of the task, with the privileged view of its information class."""

    def __init__(self, worlds: Worlds, policy: str, name: str | None = None) -> None:
        self.name, self._policy_name = name or policy, policy
        self._policy = self._make(worlds, 0)
        self._worlds = worlds
        self.information = str(self._policy.information)

    def _make(self, worlds: Worlds, seed: int) -> Policy:
        return make_policy(self._policy_name, worlds.simulator, seed=seed)

    def begin(self, seeds: Sequence[int]) -> None:
        """A fresh policy: no memory of the last episode, random numbers by seed."""
        self._policy = self._make(self._worlds, seeds[0])
        self._policy.reset()

    def act(self, worlds: Worlds, observations: NDArray[np.float32]) -> NDArray[Any]:
        """Acts by the rule."""
        simulator = worlds.simulator
        assert simulator is not None
        return self._policy(observations, simulator.privileged(self._policy.information))

    @property
    def bytes_per_step(self) -> float:
        """Zero: what a rule would send is not counted."""
        return float("nan")


class RandomPlayer:
    """Uniformly random actions, for environments that ship no policies."""

    name, information = "random", "local"

    def __init__(self, worlds: Worlds) -> None:
        self._sampler = worlds.sampler()

    def begin(self, seeds: Sequence[int]) -> None:
        """Restarts the random numbers."""
        self._generators = [np.random.default_rng([seed, 1]) for seed in seeds]
        self._blocks: list[list[Any]] = [[] for _ in seeds]

    def act(
        self,
        worlds: Worlds,  # noqa: ARG002
        observations: NDArray[np.float32],  # noqa: ARG002
    ) -> NDArray[Any]:
        """Draws one action per agent."""
        for rows, generator in zip(self._blocks, self._generators, strict=True):
            if not rows:
                rows.extend(self._sampler(generator))
        return np.stack([rows.pop() for rows in self._blocks])

    @property
    def bytes_per_step(self) -> float:
        """Zero: random agents send nothing."""
        return 0.0


class Fitted(Protocol):
    """A model or a policy that was fitted to the observations and actions of a task."""

    @property
    def label(self) -> str:
        """What it is, for errors."""
        ...

    @property
    def spec(self) -> Any:
        """Its `observation_size` and its `action`, an `ActionSpec`."""
        ...


def check_fit(fitted: Fitted, worlds: Worlds) -> None:
    """Raises in one sentence if a model or a policy was not made for these environments.

    Raises:
        ValueError: naming the size or action space that differs.
    """
    size = fitted.spec.observation_size
    if size != worlds.observation_size:
        raise ValueError(
            f"{fitted.label} reads {size} entries per observation, but these environments give "
            f"{worlds.observation_size}: another preset or observation."
        )
    ours: ActionSpec = fitted.spec.action
    theirs = worlds.action_space
    if ours.kind == "box":
        # Where the space has no bound, the bounds are those of the data.
        low, high = (np.ravel(getattr(theirs, name, np.zeros(0))) for name in ("low", "high"))
        fits = len(low) == len(ours.low) and all(
            np.allclose(np.array(own)[np.isfinite(bound)], bound[np.isfinite(bound)])
            for own, bound in ((ours.low, low), (ours.high, high))
        )
    else:
        fits = hasattr(theirs, "n") or hasattr(theirs, "nvec")
        fits = fits and spec_of_space(theirs) == ours
    if not fits:
        raise ValueError(
            f"{fitted.label} acts in another action space ({ours.kind}, "
            f"{ours.sizes or f'{len(ours.low)} reals'}) than these environments ({theirs})."
        )
