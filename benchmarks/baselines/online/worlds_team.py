"""Any worlds with a global state as a team environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.online.team_env import Flags, Reals, TeamEnv
from networld_agent.model.action_spec import spec_of_space
from networld_agent.worlds.interface import Worlds

__all__ = ["WorldsTeam"]

#: Tasks whose state begins with all observations.
_OBSERVED: Final = ("rb-v0", "cbf-v0")


class WorldsTeam(TeamEnv):
    """The environments of worlds, which start anew when they end.

    Args:
        worlds: B environments.

    Raises:
        ValueError: if they have no `state()`, or actions without bounds.
    """

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds
        self.task, self.batch = worlds.task, worlds.num_envs
        self.num_agents = len(worlds.agents)
        self.observation_size, self.state_size = worlds.observation_size, worlds.state_size
        self.action = spec_of_space(worlds.action_space)
        self.observed = worlds.task in _OBSERVED
        super().__init__()

    def _begin(self, seeds: Sequence[int | None]) -> None:
        self._observations = self._worlds.reset(seeds)

    def _advance(
        self, actions: NDArray[Any], active: Flags
    ) -> tuple[NDArray[np.float64], Flags, Flags]:
        step = self._worlds.step(actions, active)
        self._observations = step.observations
        return step.rewards.mean(1), step.terminated, step.truncated

    def _look(self) -> tuple[Reals, Reals]:
        return self._observations, self._worlds.state()
