"""Methods as evaluation plays them: a trained planner, or a policy shipped with the task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from networld_agent.model.action_spec import spec_of_space
from networld_agent.model.task_spec import ActionSpec
from networld_agent.worlds.interface import Worlds
from networld_agent.worlds.policies import BatchFunction, BatchPolicy, BatchRandom
from wirelessenvs.loading import load

if TYPE_CHECKING:
    from networld_agent.planning import Planner

__all__ = ["Fitted", "PlannerPlayer", "Player", "PolicyPlayer", "check_fit"]


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
    """A rule: random actions, a policy of the task, or code of one's own.

    Every episode has random numbers of its own, so that a score does not depend on how many
    episodes are played at once.

    Args:
        worlds: that it plays in.
        policy: "random"; of one of this project's tasks also the name of a policy or
            `module:Class`; of another environment `module:function`, see `BatchFunction`.
        name: in tables; the policy by default.

    Raises:
        ValueError: if there is no such rule, or no random actions in the action space.
    """

    def __init__(self, worlds: Worlds, policy: str, name: str | None = None) -> None:
        self.name, self._policy = name or policy, policy
        self._worlds = worlds
        self._function: Any = None
        if worlds.simulator is None and policy != "random":
            if ":" not in policy:
                raise ValueError(
                    f"{worlds.task} ships no policy {policy!r}: random or module:function play "
                    "there."
                )
            self._function = load(policy, "--policies")
        self._play = self._made((0,))
        play = self._play
        self.information = str(play.information) if isinstance(play, BatchPolicy) else "local"

    def _made(self, seeds: tuple[int, ...]) -> BatchRandom | BatchPolicy | BatchFunction:
        worlds = self._worlds
        if self._policy == "random":
            return BatchRandom(worlds.sampler(), seeds)
        if worlds.simulator is not None:
            return BatchPolicy(self._policy, worlds.simulator, seeds)
        return BatchFunction(self._function, seeds, self._policy, worlds)

    def begin(self, seeds: Sequence[int]) -> None:
        """A fresh policy: no memory of the last episode, random numbers by seed."""
        self._play = self._made(tuple(seeds))

    def act(
        self,
        worlds: Worlds,  # noqa: ARG002
        observations: NDArray[np.float32],
    ) -> NDArray[Any]:
        """Acts by the rule."""
        return self._play(observations)

    @property
    def bytes_per_step(self) -> float:
        """What a rule would send is not counted, and this is nan."""
        return float("nan")


def _reason(size: int, worlds: Worlds) -> str:
    """Why a model may read observations of another size than these environments give."""
    if worlds.simulator is not None:
        entries = len(worlds.simulator.context.names)
        has = worlds.simulator.config.context
        if size - worlds.observation_size == (-entries if has else entries):
            return (
                "it was trained without the context, which context=true appends here" if has
                else "it was trained with the context, which --set context=true appends"
            )  # fmt: skip
    return "another preset or observation"


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
            f"{worlds.observation_size}: {_reason(size, worlds)}."
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
