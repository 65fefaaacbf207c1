"""Adapters that make agents of other projects' environments alike, such as multi-agent MuJoCo's."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pettingzoo.utils.wrappers import BaseParallelWrapper

from wirelessenvs.checks import check_choice
from wirelessenvs.graph import NeighborGraph

__all__ = ["PaddedAgents", "mamujoco"]

GRAPHS = ("complete", "chain", "ring")


class PaddedAgents(BaseParallelWrapper):
    """A PettingZoo parallel environment whose agents share one observation and one action space.

    Shorter observations end in zeros; of an action, an agent uses the components that it has.

    Args:
        env: whose observations and actions are boxes of one axis.
        graph: who hears whom: "complete", or neighbours in the order of the agents, "chain" or
            "ring".

    Raises:
        ValueError: for other spaces.
    """

    def __init__(self, env: Any, graph: str = "complete") -> None:
        super().__init__(env)
        agents = tuple(env.possible_agents)
        check_choice("graph", graph, GRAPHS)
        self._observations = {agent: env.observation_space(agent) for agent in agents}
        self._actions = {agent: env.action_space(agent) for agent in agents}
        self._shared_observation = _enclosing("observation", self._observations)
        self._shared_action = _enclosing("action", self._actions)
        #: The neighbour graph, which collection records.
        self.graph = _neighbors(agents, graph)

    @property
    def unwrapped(self) -> Any:
        """This environment itself, since the wrapped one has other spaces."""
        return self

    def observation_space(self, agent: str) -> gymnasium.spaces.Box:  # noqa: ARG002
        """The common space."""
        return self._shared_observation

    def action_space(self, agent: str) -> gymnasium.spaces.Box:  # noqa: ARG002
        """The common space."""
        return self._shared_action

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts an episode."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return self._padded(observations), infos

    def step(self, actions: dict[str, NDArray[Any]]) -> tuple[dict[str, Any], ...]:
        """One step of all agents."""
        own = {
            agent: np.asarray(action)[: self._actions[agent].shape[0]]
            for agent, action in actions.items()
        }
        observations, *rest = self.env.step(own)
        return (self._padded(observations), *rest)

    def _padded(self, observations: dict[str, Any]) -> dict[str, Any]:
        size, dtype = self._shared_observation.shape[0], self._shared_observation.dtype
        return {
            agent: np.concatenate([seen, np.zeros(size - len(seen))]).astype(dtype)
            for agent, seen in observations.items()
        }


def _enclosing(kind: str, spaces: dict[str, gymnasium.Space[Any]]) -> gymnasium.spaces.Box:
    """The smallest box that holds every agent's, zeros where one has no entry."""
    boxes = []
    for agent, space in spaces.items():
        if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 1:
            raise ValueError(
                f"the {kind} space of {agent} must be a box of one axis to be padded, got {space}."
            )
        boxes.append(space)
    size = max(box.shape[0] for box in boxes)
    low, high = np.zeros(size), np.zeros(size)
    for box in boxes:
        low[: box.shape[0]] = np.minimum(low[: box.shape[0]], box.low)
        high[: box.shape[0]] = np.maximum(high[: box.shape[0]], box.high)
    dtype: Any = boxes[0].dtype
    return gymnasium.spaces.Box(low.astype(dtype), high.astype(dtype), dtype=dtype.type)


def _neighbors(agents: tuple[str, ...], graph: str) -> NeighborGraph:
    if graph == "complete" or len(agents) == 1:
        return NeighborGraph.complete(agents)
    next_to = np.eye(len(agents), k=1, dtype=np.bool_)
    if graph == "ring" and len(agents) > 2:
        next_to[0, -1] = True
    return NeighborGraph(agents, next_to | next_to.T)


def mamujoco(
    scenario: str = "Ant", agent_conf: str | None = "4x2", graph: str = "complete", **arguments: Any
) -> PaddedAgents:
    """A multi-agent MuJoCo environment of Gymnasium-Robotics, agents padded alike.

    Bodies that can fall end their episodes early; collection wants whole ones, so pass
    `terminate_when_unhealthy=False` where the scenario has it.

    Args:
        scenario: "Ant", "HalfCheetah", ...
        agent_conf: how the body is cut into agents, "4x2".
        graph: see `PaddedAgents`.
        **arguments: of `gymnasium_robotics.mamujoco_v1.parallel_env`.

    Raises:
        ImportError: if Gymnasium-Robotics is not installed.
    """
    try:
        from gymnasium_robotics import mamujoco_v1
    except ImportError:
        raise ImportError(
            "multi-agent MuJoCo needs pip install 'gymnasium-robotics' 'gymnasium[mujoco]'."
        ) from None
    return PaddedAgents(mamujoco_v1.parallel_env(scenario, agent_conf, **arguments), graph)
