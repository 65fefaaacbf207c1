"""Minari with one episode per agent, for libraries that know a single agent only.

Episode `e N + i` of an export holds what agent i saw, did and earned in episode e, in plain spaces:
observations `(T + 1, D)`, actions `(T[, A])`, rewards `(T,)`. Its metrics are in `infos`, its name
and its team's episode in the episode's metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.metadata import Description
from networld_agent.data.minari_scores import recorded_policy
from wirelessenvs.tasks import TASKS

__all__ = ["agent_arguments", "agent_episodes", "agent_labels", "agent_spaces"]


def agent_spaces(
    description: Description,
) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
    """Observation and action space of one agent."""
    seen, action = description.observation, description.action
    lows = np.array([-np.inf if x is None else x for x in seen.low], np.float32)
    highs = np.array([np.inf if x is None else x for x in seen.high], np.float32)
    observation = gymnasium.spaces.Box(lows, highs)
    if action.kind == "discrete":
        return observation, gymnasium.spaces.Discrete(action.sizes[0], start=action.start)
    if action.kind == "multidiscrete":
        return observation, gymnasium.spaces.MultiDiscrete(np.array(action.sizes))
    dtype = np.dtype(action.dtype).type
    low, high = action.bounds()
    return observation, gymnasium.spaces.Box(low.astype(dtype), high.astype(dtype), dtype=dtype)


def agent_arguments(description: Description) -> dict[str, Any]:
    """Arguments of `AgentEnv`: the others play the policy of the data, or the task's expert."""
    known = description.policy in TASKS[description.task].policies
    return {"others": recorded_policy(description, description.policy if known else "expert")}


def agent_episodes(
    dataset: TrajectoryDataset, report: Callable[[int], None] | None
) -> Iterator[Any]:
    """One buffer after the other, agents of an episode in order."""
    from minari.data_collector import EpisodeBuffer

    description = dataset.description
    discrete, terminations = description.action.kind != "box", dataset.terminations
    for count, episode in enumerate(dataset.episodes.tolist()):
        ended = terminations[episode]
        cut = np.zeros(description.steps, np.bool_)
        cut[-1] = not ended[-1]
        for agent in range(description.num_agents):
            actions = np.array(dataset.actions[episode, agent])
            infos = {
                metric.name: np.array(dataset.array("metrics")[episode, agent, :, k])
                for k, metric in enumerate(description.metrics)
            }
            for name in description.forms:
                infos[f"action_{name}"] = np.array(dataset.array(name)[episode, agent])
            yield EpisodeBuffer(
                id=count * description.num_agents + agent,
                seed=description.seeds[episode],
                observations=np.array(dataset.observations[episode, agent]),
                actions=actions.astype(np.int64) if discrete else actions,
                rewards=np.array(dataset.rewards[episode, agent]),
                terminations=ended,
                truncations=cut,
                infos=infos,
            )
        if report is not None:
            report(count + 1)


def agent_labels(dataset: TrajectoryDataset) -> list[dict[str, Any]]:
    """Of every episode of the export: the agent, and the episode of the data set."""
    return [
        {"agent": agent, "team_episode": count}
        for count in range(dataset.num_episodes)
        for agent in dataset.description.agents
    ]
