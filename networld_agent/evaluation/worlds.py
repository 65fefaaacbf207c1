"""Environments as evaluation plays them: a batch of worlds, each with its own seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from networld_agent.collecting.pettingzoo_source import load
from networld_agent.collecting.randomness import Sampler, space_sampler, task_sampler
from networld_agent.data import TrajectoryDataset
from wirelessenvs.config import TaskConfig
from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import TASKS, get_task

__all__ = ["PettingZooWorlds", "SimulatorWorlds", "WorldStep", "Worlds", "make_worlds", "worlds_of"]


@dataclass(frozen=True)
class WorldStep:
    """What one step returns.

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


class PettingZooWorlds:
    """Copies of any PettingZoo parallel environment whose agents are alike, one after the other.

    Args:
        reference: `module:factory`.
        num_envs: B.
        arguments: of the factory.

    Raises:
        ValueError: if its agents differ in their spaces.
    """

    simulator: Simulator[Any] | None = None

    def __init__(self, reference: str, num_envs: int, arguments: dict[str, Any]) -> None:
        self.task, self.num_envs = reference, num_envs
        make = load(reference, "--env")
        self._envs = [make(**arguments) for _ in range(num_envs)]
        self._agents = tuple(getattr(self._envs[0], "possible_agents", ()))
        if not self._agents:
            raise ValueError(f"--env {reference} gives no PettingZoo parallel environment.")
        first = self._agents[0]
        for kind in ("observation_space", "action_space"):
            spaces = [getattr(self._envs[0], kind)(agent) for agent in self._agents]
            if any(space != spaces[0] for space in spaces):
                raise ValueError(f"agents of --env {reference} must share one {kind}.")
        self.observation_size = int(np.prod(self._envs[0].observation_space(first).shape))
        self.action_space = self._envs[0].action_space(first)

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """`(B, N, N)`; without a graph, every agent hears every other one."""
        rows = []
        for env in self._envs:
            graph = getattr(getattr(env, "unwrapped", env), "graph", None)
            complete = ~np.eye(len(self._agents), dtype=np.bool_)
            rows.append(complete if graph is None else np.asarray(graph.adjacency, np.bool_))
        return np.stack(rows)

    def sampler(self) -> Sampler:
        """Uniform actions."""
        return space_sampler(self.action_space, len(self._agents))

    def reset(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Starts one episode per seed."""
        first = [env.reset(seed=int(seed))[0] for env, seed in zip(self._envs, seeds, strict=True)]
        return self._stack(first)

    def step(self, actions: NDArray[Any]) -> WorldStep:
        """Advances all environments by one step.

        Raises:
            ValueError: if an episode ends: evaluation compares episodes of one length.
        """
        observations, rewards, infos = [], [], []
        for env, rows in zip(self._envs, actions, strict=True):
            joint = {a: self._action(row) for a, row in zip(self._agents, rows, strict=True)}
            seen, reward, ended, _, info = env.step(joint)
            if any(ended.values()) or len(reward) != len(self._agents):
                raise ValueError(f"an episode of {self.task} ended early: ask for fewer --steps.")
            observations.append(seen)
            rewards.append([reward[agent] for agent in self._agents])
            infos.append([info.get(agent, {}) for agent in self._agents])
        names = [
            name
            for name, value in infos[0][0].items()
            if isinstance(value, (int, float)) and all(name in i for row in infos for i in row)
        ]
        metrics = {n: np.array([[float(i[n]) for i in row] for row in infos]) for n in names}
        return WorldStep(self._stack(observations), np.array(rewards, np.float64), metrics)

    def _action(self, row: Any) -> Any:
        space = self.action_space
        if isinstance(space, gymnasium.spaces.Discrete):
            return int(row)
        return np.asarray(row, space.dtype).reshape(space.shape or ())

    def _stack(self, rows: list[dict[str, Any]]) -> NDArray[np.float32]:
        flat = [[np.asarray(row[a], np.float32).ravel() for a in self._agents] for row in rows]
        return np.array(flat)


def make_worlds(
    env: str, num_envs: int, steps: int, preset: str | None, overrides: dict[str, Any]
) -> Worlds:
    """Environments of a task id, or of any `module:factory`.

    Raises:
        ValueError: for an unknown id, preset or value.
    """
    if ":" in env:
        if preset is not None:
            raise ValueError("--preset is for this project's tasks; give --set NAME=VALUE instead.")
        return PettingZooWorlds(env, num_envs, overrides)
    if "max_steps" in overrides:
        raise ValueError("max_steps is the length of an episode: give --steps instead.")
    task = get_task(env)
    config = task.config.from_preset(preset, **{**overrides, "max_steps": steps})
    return SimulatorWorlds(config, task.id, num_envs)


def worlds_of(dataset: TrajectoryDataset, num_envs: int, steps: int) -> Worlds | None:
    """The environments that a data set came from; None for a factory outside this project.

    The metadata of a data set may name any code: it is not called here.
    """
    task = dataset.description.task
    if task not in TASKS:
        return None
    config = dataclasses.replace(dataset.make_simulator().config, max_steps=steps)
    return SimulatorWorlds(config, task, num_envs)
