"""Worlds of any PettingZoo parallel environment whose agents are alike."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from networld_agent.worlds.interface import WorldStep
from networld_agent.worlds.randomness import Sampler, space_sampler
from wirelessenvs.simulator import Simulator

__all__ = ["PettingZooWorlds", "load"]


def load(reference: str, what: str) -> Callable[..., Any]:
    """The object that `module:name` names.

    Raises:
        ValueError: if there is none that can be called.
    """
    module, _, name = reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{what} {reference!r} cannot be loaded: {error}.") from None
    if not callable(found):
        raise ValueError(f"{what} {reference!r} cannot be called.")
    return found


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
