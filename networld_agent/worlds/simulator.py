"""Worlds of this project's tasks: one batched simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from networld_agent.worlds.interface import WorldStep
from networld_agent.worlds.randomness import Sampler, task_sampler
from wirelessenvs.config import TaskConfig
from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import get_task

__all__ = ["SimulatorWorlds"]


class SimulatorWorlds:
    """Environments of one of this project's tasks, in one batched simulator.

    Args:
        config: of the task.
        task: id.
        num_envs: B.
    """

    def __init__(self, config: TaskConfig, task: str, num_envs: int) -> None:
        simulator = get_task(task).simulator(config, num_envs)
        self.task, self.num_envs = task, num_envs
        self.simulator: Simulator[Any] | None = simulator
        self._simulator = simulator
        self.observation_size = int(np.prod(simulator.observation_space.shape))
        self.action_space: gymnasium.Space[Any] = simulator.action_space

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """`(B, N, N)` who hears whom now."""
        return self._simulator.adjacency

    def sampler(self) -> Sampler:
        """Actions of the task's own random policy."""
        return task_sampler(self._simulator)

    def reset(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Starts one episode per seed."""
        return self._simulator.reset(list(seeds))

    def step(self, actions: NDArray[Any]) -> WorldStep:
        """Advances all environments by one step."""
        step = self._simulator.step(actions)
        return WorldStep(step.observations, step.rewards, step.metrics)
