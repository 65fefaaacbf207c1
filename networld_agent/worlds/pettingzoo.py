"""Worlds of any PettingZoo parallel environment whose agents are alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from networld_agent.worlds.interface import WorldStep
from networld_agent.worlds.randomness import Sampler, space_sampler
from networld_agent.worlds.spaces import action_size
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.simulator import Simulator

__all__ = ["PettingZooWorlds"]


class PettingZooWorlds:
    """Copies of a PettingZoo parallel environment, one after the other.

    Agents must share one observation and one action space, and all live until the episode ends.
    The environment's `graph.adjacency` says who hears whom if it has one; otherwise all hear all.

    Args:
        task: name, for messages and files.
        make: makes one copy.
        num_envs: B.

    Raises:
        ValueError: if the environment is not parallel, or its agents are not alike.
    """

    simulator: Simulator[Any] | None = None
    #: A graph is taken for static; collecting checks that it is.
    graph_changes = False

    def __init__(self, task: str, make: Callable[[], Any], num_envs: int) -> None:
        self.task, self.num_envs = task, num_envs
        self._envs = [make() for _ in range(num_envs)]
        first = self._envs[0]
        self.agents: tuple[str, ...] = tuple(getattr(first, "possible_agents", ()))
        # An environment of the agent-environment cycle has agents too, but acts for one at a time.
        cycle = hasattr(first, "agent_selection") or hasattr(first, "agent_iter")
        if cycle or not self.agents:
            raise ValueError(f"{task} gives no PettingZoo parallel environment.")
        space = self._shared("observation")
        if not isinstance(space, gymnasium.spaces.Box):
            raise ValueError(f"{task}: observations must be a Box of numbers, got {space}.")
        self.observation_space = space
        self.action_space = self._shared("action")
        action_size(self.action_space)  # raises for a space without a known form
        self.observation_size = int(np.prod(space.shape))
        self._observations = np.zeros(
            (num_envs, len(self.agents), self.observation_size), np.float32
        )
        self._seeds = np.zeros(num_envs, object)
        self._steps = np.zeros(num_envs, np.int64)

    def _shared(self, kind: str) -> gymnasium.Space[Any]:
        """The one space of all agents."""
        spaces = [getattr(self._envs[0], f"{kind}_space")(agent) for agent in self.agents]
        for agent, space in zip(self.agents, spaces, strict=True):
            if space != spaces[0]:
                raise ValueError(
                    f"{self.task}: agents must share one {kind} space: {self.agents[0]} has "
                    f"{spaces[0]}, {agent} has {space}; pad them with a wrapper first."
                )
        return spaces[0]

    # --------------------------------------------------------------- who hears whom
    @property
    def graph_given(self) -> bool:
        """Whether the environment has a graph; some have one only after their first reset."""
        return _graph(self._envs[0]) is not None

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """`(B, N, N)`; without a graph, every agent hears every other one."""
        return np.stack([self._neighbors(_graph(env)).adjacency for env in self._envs])

    def _neighbors(self, graph: Any) -> NeighborGraph:
        if graph is None:
            return NeighborGraph.complete(self.agents)
        if isinstance(graph, NeighborGraph):
            return graph
        return NeighborGraph(self.agents, graph.adjacency)

    # ------------------------------------------------------------------------ state
    @property
    def state_size(self) -> int:
        """Entries of the global state; starts an episode of the first copy to see it."""
        self._envs[0].reset(seed=0)
        try:
            return int(np.size(self._envs[0].state()))
        except (AttributeError, NotImplementedError):
            raise ValueError(
                f"{self.task} has no state(): a critic of the whole team needs one."
            ) from None

    def state(self) -> NDArray[np.float32]:
        """`(B, S)` global states."""
        return np.array([np.ravel(env.state()) for env in self._envs], np.float32)

    # ------------------------------------------------------------------------- play
    def sampler(self) -> Sampler:
        """Uniform actions."""
        return space_sampler(self.action_space, len(self.agents))

    def reset(self, seeds: Sequence[int | None]) -> NDArray[np.float32]:
        """Starts an episode in every copy that has a seed."""
        for index, (env, seed) in enumerate(zip(self._envs, seeds, strict=True)):
            if seed is not None:
                self._seeds[index], self._steps[index] = int(seed), 0
                self._see(index, env.reset(seed=int(seed))[0])
        return self._observations.copy()

    def step(self, actions: NDArray[Any], active: NDArray[np.bool_] | None = None) -> WorldStep:
        """Advances all copies, or the active ones, by one step."""
        rewards = np.zeros(self._observations.shape[:2])
        terminated, truncated = (np.zeros(self.num_envs, np.bool_) for _ in range(2))
        everywhere = np.ones(self.num_envs, np.bool_)
        chosen: list[int] = np.flatnonzero(everywhere if active is None else active).tolist()
        infos: list[list[dict[str, Any]]] = [[{}] * len(self.agents)] * self.num_envs
        for index in chosen:
            env, rows = self._envs[index], actions[index]
            joint = {a: self._native(row) for a, row in zip(self.agents, rows, strict=True)}
            seen, reward, ended, cut, info = env.step(joint)
            self._steps[index] += 1
            self._check_alive(index, "reward", reward)
            # After the last step an environment may have no agents, but not some of them.
            self._check_alive(index, "next turn", getattr(env, "agents", ()) or self.agents)
            self._see(index, seen)
            rewards[index] = [reward[agent] for agent in self.agents]
            terminated[index] = any(ended.values())
            truncated[index] = any(cut.values()) and not terminated[index]
            infos[index] = [info.get(agent, {}) for agent in self.agents]
        metrics = {
            name: np.array([[float(i.get(name, 0.0)) for i in row] for row in infos])
            for name, value in infos[chosen[0]][0].items()
            if isinstance(value, Real) and all(name in i for env in chosen for i in infos[env])
        }
        return WorldStep(self._observations.copy(), rewards, metrics, terminated, truncated)

    def _native(self, row: Any) -> Any:
        """One agent's action as its environment takes it."""
        space = self.action_space
        if isinstance(space, gymnasium.spaces.Discrete):
            return int(row)
        return np.asarray(row, space.dtype).reshape(space.shape or ())

    def _see(self, index: int, seen: dict[str, Any]) -> None:
        self._check_alive(index, "observation", seen)
        rows = np.array([np.ravel(seen[agent]) for agent in self.agents])
        self._observations[index] = rows.reshape(self._observations.shape[1:])

    def _check_alive(self, index: int, what: str, present: Any) -> None:
        for agent in self.agents:
            if agent not in present:
                raise ValueError(
                    f"agent {agent} has no {what} at step {self._steps[index]} of the episode with "
                    f"seed {self._seeds[index]}: it left before the others, but all agents must "
                    "live as long as the episode."
                )


def _graph(env: Any) -> Any:
    return getattr(getattr(env, "unwrapped", env), "graph", None)
