"""Policies: one batched interface, with what each may know declared and enforced."""

from __future__ import annotations

import abc
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from wirelessenvs.checks import check_int
from wirelessenvs.graph import NeighborGraph

if TYPE_CHECKING:
    from wirelessenvs.config import TaskConfig

__all__ = ["Information", "Policy", "PolicySpec", "Privileged"]


class Information(enum.StrEnum):
    """What a policy may know when it acts, from least to most."""

    #: Every agent acts on its own observation alone.
    LOCAL = "local"
    #: Every agent acts on its own observation and those of its 1-hop neighbours.
    NEIGHBORS = "neighbors"
    #: One controller knows what all agents have measured so far, and nothing of the step to come.
    #: A backhaul without delay would make this possible.
    CENTRAL = "central"
    #: The controller also knows what nobody can measure, the simulator's hidden state (present
    #: channels, traffic modes).
    GENIE = "genie"
    #: The controller also knows the random outcome of the step to come. An upper reference only.
    CLAIRVOYANT = "clairvoyant"


@dataclass(frozen=True)
class Privileged:
    """Base of a task's privileged views; `information` is the class that it was made for."""

    information: Information


@dataclass(frozen=True)
class PolicySpec:
    """The static knowledge that a policy is built from: no random outcome is in it."""

    task: str
    config: TaskConfig
    graph: NeighborGraph
    observation_space: gymnasium.spaces.Box
    action_space: gymnasium.spaces.Discrete | gymnasium.spaces.Box

    @property
    def num_agents(self) -> int:
        """Number of agents N."""
        return self.graph.num_agents


class Policy(abc.ABC):
    """Maps the observations of a batch to its actions.

    Args:
        spec: static knowledge of the task (`simulator.spec`).
        num_envs: batch size B.
        seed: of the policy's own randomness, independent of every environment's.

    Raises:
        ValueError: if the policy cannot play this configuration (a sentence says why).
    """

    #: Name on the command line and in tables.
    name: ClassVar[str] = "unnamed"
    #: What the policy may know; enforced at every call.
    information: ClassVar[Information]

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        self.spec = spec
        self.num_envs = check_int("num_envs", num_envs, 1)
        self.seed = check_int("seed", seed, 0)

    def reset(self, mask: NDArray[np.bool_] | None = None) -> None:  # noqa: B027, a hook
        """Forgets everything about the environments where `mask` is true (all by default).

        Call it at the start of an episode. Policies without memory need not override it.
        """

    def __call__(
        self, observations: NDArray[np.float32], privileged: Privileged | None = None
    ) -> NDArray[Any]:
        """Actions for a batch.

        Args:
            observations: `(B, N, D)`.
            privileged: `simulator.privileged(policy.information)`.

        Returns:
            `(B, N)` int64 or `(B, N, A)` float64.

        Raises:
            ValueError: if `privileged` is not of this policy's information class.
        """
        shape = (self.num_envs, self.spec.num_agents, *self.spec.observation_space.shape)
        if np.shape(observations) != shape:
            raise ValueError(f"observations must have shape {shape}, got {np.shape(observations)}.")
        allowed = self.information not in (Information.LOCAL, Information.NEIGHBORS)
        if not allowed and privileged is not None:
            raise ValueError(
                f"policy {self.name!r} is {self.information}: it must not see privileged data."
            )
        if allowed and (privileged is None or privileged.information != self.information):
            given = "none" if privileged is None else str(privileged.information)
            raise ValueError(
                f"policy {self.name!r} needs privileged data of class {self.information}, "
                f"got {given}."
            )
        return np.asarray(self._act(np.asarray(observations), privileged))

    @abc.abstractmethod
    def _act(self, observations: NDArray[np.float32], privileged: Any) -> NDArray[Any]:
        """The rule itself, on checked input."""
