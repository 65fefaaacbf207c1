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

    graph_given = True

    def __init__(self, config: TaskConfig, task: str, num_envs: int) -> None:
        simulator = get_task(task).simulator(config, num_envs)
        self.task, self.num_envs = task, num_envs
        self.simulator: Simulator[Any] | None = simulator
        self._simulator = simulator
        self.agents = simulator.agents
        self.observation_space = simulator.observation_space
        self.action_space: gymnasium.Space[Any] = simulator.action_space
        self.observation_size = int(np.prod(simulator.observation_space.shape))
        self.state_size = int(np.prod(simulator.state_space.shape))
        # A graph of all environments is broadcast; one that changes is an array of each.
        self.graph_changes = simulator.adjacency.strides[0] != 0

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """`(B, N, N)` who hears whom now."""
        return self._simulator.adjacency

    def state(self) -> NDArray[np.float32]:
        """`(B, S)` global states."""
        return self._simulator.state()

    def sampler(self) -> Sampler:
        """Actions of the task's own random policy."""
        return task_sampler(self._simulator)

    def reset(self, seeds: Sequence[int | None]) -> NDArray[np.float32]:
        """Starts an episode in every environment that has a seed."""
        chosen = np.array([seed is not None for seed in seeds])
        return self._simulator.reset(list(seeds), chosen)

    def step(self, actions: NDArray[Any], active: NDArray[np.bool_] | None = None) -> WorldStep:
        """Advances all environments, or the active ones, by one step."""
        step = self._simulator.step(actions, active)
        # Episodes of the tasks end by time alone.
        never = np.zeros_like(step.truncated)
        return WorldStep(step.observations, step.rewards, step.metrics, never, step.truncated)

    def close(self) -> None:
        """A simulator holds memory alone."""
