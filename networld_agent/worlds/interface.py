"""What plays in batches: B environments in lockstep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from networld_agent.worlds.randomness import Sampler
from wirelessenvs.simulator import Simulator

__all__ = ["WorldStep", "Worlds"]


@dataclass(frozen=True)
class WorldStep:
    """The result of one step of a batch of worlds.

    Args:
        observations: `(B, N, d)` float32.
        rewards: `(B, N)`.
        metrics: per-agent quantities by name, each `(B, N)`; nan where the environment said none.
        terminated: `(B,)` where the episode ended for good.
        truncated: `(B,)` where its time was up, and it had not ended for good.
    """

    observations: NDArray[np.float32]
    rewards: NDArray[np.float64]
    metrics: dict[str, NDArray[np.float64]]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]


class Worlds(Protocol):
    """B environments in lockstep, of N agents that are alike and live as long as the episode."""

    task: str
    num_envs: int
    agents: tuple[str, ...]
    #: Spaces of every agent; a box of several axes is flattened in observations and actions.
    observation_space: gymnasium.spaces.Box
    action_space: gymnasium.Space[Any]
    #: The simulator behind them, for this project's policies and drawings; else None.
    simulator: Simulator[Any] | None

    @property
    def observation_size(self) -> int:
        """Entries d of one agent's observation."""
        ...

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """`(B, N, N)` who hears whom now."""
        ...

    @property
    def graph_given(self) -> bool:
        """Whether the environment says who hears whom; otherwise all agents hear all."""
        ...

    @property
    def graph_changes(self) -> bool:
        """Whether who hears whom may change within an episode."""
        ...

    @property
    def state_size(self) -> int:
        """Entries S of the global state; raises `ValueError` where there is none."""
        ...

    def state(self) -> NDArray[np.float32]:
        """`(B, S)` global states."""
        ...

    def sampler(self) -> Sampler:
        """Draws random actions of one episode."""
        ...

    def reset(self, seeds: Sequence[int | None]) -> NDArray[np.float32]:
        """Starts an episode in every environment that has a seed; the others go on.

        Returns:
            `(B, N, d)` observations of all environments.
        """
        ...

    def step(self, actions: NDArray[Any], active: NDArray[np.bool_] | None = None) -> WorldStep:
        """Advances environments by one step.

        Args:
            actions: `(B, N[, A])`.
            active: `(B,)`, all by default. Where false, the environment keeps its state and its
                observation; its rewards and metrics are zero.

        Raises:
            ValueError: for an illegal action, an agent that left before the others, or a result
                that is no finite number; the sentence names agent, step and field.
        """
        ...

    def close(self) -> None:
        """Lets go of what the environments hold: processes, ports, windows."""
        ...
