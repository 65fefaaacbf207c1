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
        metrics: per-agent quantities by name, each `(B, N)`.
    """

    observations: NDArray[np.float32]
    rewards: NDArray[np.float64]
    metrics: dict[str, NDArray[np.float64]]


class Worlds(Protocol):
    """B environments in lockstep."""

    task: str
    num_envs: int
    observation_size: int
    action_space: gymnasium.Space[Any]
    #: The simulator behind them, for this project's policies and drawings; else None.
    simulator: Simulator[Any] | None

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """`(B, N, N)` who hears whom now."""
        ...

    def sampler(self) -> Sampler:
        """Draws random actions for the opening of an episode."""
        ...

    def reset(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Starts one episode per seed; `(B, N, d)` observations."""
        ...

    def step(self, actions: NDArray[Any]) -> WorldStep:
        """Advances all environments by one step."""
        ...
