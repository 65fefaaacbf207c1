"""The wireless tasks as team environments, by their batched simulators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.online.team_env import Flags, Reals, TeamEnv
from benchmarks.baselines.shared.action_codec import spec_of_space
from wirelessenvs.config import TaskConfig
from wirelessenvs.tasks import get_task

__all__ = ["WirelessTeam"]


#: Tasks whose state begins with all observations.
_OBSERVED: Final = ("rb-v0", "cbf-v0")


class WirelessTeam(TeamEnv):
    """B environments of one task; an episode is truncated after the configuration's `max_steps`.

    Args:
        task: id, "rb-v0".
        config: of the task.
        batch: B.
    """

    def __init__(self, task: str, config: TaskConfig, batch: int) -> None:
        simulator = get_task(task).simulator(config, batch)
        self._simulator = simulator
        self.task, self.batch = get_task(task).id, batch
        self.num_agents = simulator.num_agents
        self.observation_size = int(np.prod(simulator.observation_space.shape))
        self.state_size = int(np.prod(simulator.state_space.shape))
        self.action = spec_of_space(simulator.action_space)
        self.observed = self.task in _OBSERVED
        super().__init__()

    def _begin(self, seeds: Sequence[int | None]) -> None:
        mask = np.array([seed is not None for seed in seeds])
        self._observations = self._simulator.reset(list(seeds), mask)

    def _advance(
        self, actions: NDArray[Any], active: Flags
    ) -> tuple[NDArray[np.float64], Flags, Flags]:
        step = self._simulator.step(actions, active)
        self._observations = step.observations
        return step.rewards.mean(1), np.zeros(self.batch, np.bool_), step.truncated

    def _look(self) -> tuple[Reals, Reals]:
        return self._observations, self._simulator.state()
