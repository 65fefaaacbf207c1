"""Episodes of any PettingZoo parallel environment whose agents are alike."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions, version
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

import networld_agent
from networld_agent.collecting.settings import CollectionSettings
from networld_agent.collecting.spaces import action_info, action_size, observation_info
from networld_agent.data.files import Chunk
from networld_agent.data.labels import action_labels, observation_labels
from networld_agent.data.metadata import Description, Quantity
from networld_agent.worlds.pettingzoo import load
from networld_agent.worlds.randomness import (
    BLOCK,
    RandomActions,
    episode_generator,
    space_sampler,
)
from wirelessenvs.graph import NeighborGraph

__all__ = ["PettingZooSource"]

#: Bytes of steps held before they are handed on.
BUFFER_BYTES = 48_000_000


class PettingZooSource:
    """Plays episodes one after the other in an environment made by a factory.

    Agents must share one observation and one action space, and all live until the episode ends.
    The environment's `graph.adjacency` is recorded if it has one; otherwise all agents hear all.

    Args:
        settings: of the collection.
    """

    def __init__(self, settings: CollectionSettings) -> None:
        self._settings = settings
        if settings.preset is not None:
            raise ValueError("--preset is for this project's tasks; give --set NAME=VALUE instead.")
        self._env = load(settings.env, "--env")(**settings.overrides)
        self._rule: Callable[..., Any] | None = None
        if settings.policy != "random":
            if ":" not in settings.policy:
                raise ValueError(
                    "--policy of an environment from a factory must be 'random' or "
                    f"module:function, got {settings.policy!r}."
                )
            self._rule = load(settings.policy, "--policy")
        self._agents: tuple[str, ...] = tuple(getattr(self._env, "possible_agents", ()))
        if not self._agents:
            raise ValueError(f"--env {settings.env} gives no PettingZoo parallel environment.")
        self._space, self._actions = self._shared_spaces()
        self._size = int(np.prod(self._space.shape))
        self._sampler = space_sampler(self._actions, len(self._agents))
        self._metric_names: tuple[str, ...] = ()
        self._graph = self._current_graph(settings.seeds[0])
        self._description = self._describe()

    def _shared_spaces(self) -> tuple[gymnasium.spaces.Box, gymnasium.Space[Any]]:
        first = self._agents[0]
        for kind in ("observation", "action"):
            spaces = [getattr(self._env, f"{kind}_space")(agent) for agent in self._agents]
            for agent, space in zip(self._agents, spaces, strict=True):
                if space != spaces[0]:
                    raise ValueError(
                        f"agents must share one {kind} space: {first} has {spaces[0]}, {agent} has "
                        f"{space}; pad them with a wrapper first."
                    )
        space = self._env.observation_space(first)
        if not isinstance(space, gymnasium.spaces.Box):
            raise ValueError(f"observations must be a Box of numbers, got {space}.")
        action_size(self._env.action_space(first))
        return space, self._env.action_space(first)

    def _current_graph(self, seed: int) -> NeighborGraph | None:
        """The neighbour graph; plays one step to see which metrics the infos hold."""
        self._env.reset(seed=int(seed))
        graph = self._adjacency()
        sample = self._sampler(np.random.default_rng(0))[0]
        infos = self._env.step(self._joint(sample))[4]
        names = [
            name
            for name, value in infos.get(self._agents[0], {}).items()
            if isinstance(value, (int, float, np.integer, np.floating))
            and all(name in infos.get(agent, {}) for agent in self._agents)
        ]
        self._metric_names = tuple(names)
        if graph is None:
            warnings.warn(
                f"{self._settings.env} has no graph: every agent hears every other one.",
                stacklevel=2,
            )
            return None
        return NeighborGraph(self._agents, graph)

    def _adjacency(self) -> NDArray[Any] | None:
        graph = getattr(getattr(self._env, "unwrapped", self._env), "graph", None)
        return None if graph is None else np.array(graph.adjacency)

    def _joint(self, actions: NDArray[Any]) -> dict[str, Any]:
        shape = self._actions.shape or ()
        if isinstance(self._actions, gymnasium.spaces.Discrete):
            return dict(zip(self._agents, actions.astype(int).tolist(), strict=True))
        rows = actions.astype(self._actions.dtype).reshape(len(self._agents), *shape)
        return dict(zip(self._agents, rows, strict=True))

    # ----------------------------------------------------------------- describe
    def describe(self) -> Description:
        """The data set that these settings give."""
        return self._description

    def _describe(self) -> Description:
        settings, n = self._settings, len(self._agents)
        graph = self._graph or NeighborGraph.complete(self._agents)
        package = settings.env.split(":")[0].split(".")[0]
        versions = {name: version(name) for name in packages_distributions().get(package, ())[:1]}
        try:
            arguments = json.loads(json.dumps(settings.overrides))
        except (TypeError, ValueError):
            raise ValueError(
                f"--set must give numbers, words and lists, got {settings.overrides}."
            ) from None
        rows = graph.adjacency.astype(int).tolist() if n > 1 else [[0]]
        return Description(
            task=settings.env,
            environment={"factory": settings.env, "arguments": arguments},
            versions={"networld_agent": networld_agent.__version__, **versions},
            policy=settings.policy,
            epsilon=float(settings.epsilon),
            seeds=settings.seeds,
            episode_policies=settings.episode_policies,
            steps=settings.steps,
            agents=self._agents,
            observation=observation_info(
                self._space, observation_labels(settings.env, None, self._size)
            ),
            action=action_info(
                self._actions, action_labels(settings.env, None, action_size(self._actions))
            ),
            metrics=tuple(Quantity(name, "") for name in self._metric_names),
            forms={},
            adjacency=tuple(tuple(row) for row in rows),
            graph_given=self._graph is not None,
        )

    # --------------------------------------------------------------------- play
    def play(self, episodes: tuple[int, ...]) -> Iterator[Chunk]:
        """Plays the episodes one after the other."""
        for episode in episodes:
            yield from self._play_one(episode)

    def _play_one(self, episode: int) -> Iterator[Chunk]:
        settings, total, n = self._settings, self._settings.steps, len(self._agents)
        seed = settings.seeds[episode]
        layouts = self._description.layouts()
        per_step = sum(layout.episode_bytes for layout in layouts.values()) / total
        length = int(min(total, max(1, BUFFER_BYTES // per_step)))
        observations, _ = self._env.reset(seed=seed)
        self._check_graph(seed)
        source = RandomActions(
            seed, 1.0 if self._rule is None else settings.epsilon, n, self._sampler
        )
        # A second stream: what the policy draws does not move the random actions.
        rng = episode_generator(seed).spawn(1)[0]
        dtypes = {name: np.dtype(layout.dtype) for name, layout in layouts.items()}
        rows: dict[str, list[NDArray[Any]]] = {name: [] for name in layouts}
        first = 0
        for t in range(total):
            if t % BLOCK == 0:
                chosen, drawn = source.draw()
            seen = self._stack(observations, seed, t)
            actions = drawn[t % BLOCK].astype(dtypes["actions"])
            if self._rule is not None:
                planned = np.asarray(self._rule(seen, rng)).astype(dtypes["actions"])
                if planned.shape != actions.shape:
                    raise ValueError(
                        f"--policy {settings.policy} must return shape {actions.shape}, "
                        f"got {planned.shape}."
                    )
                mask = chosen[t % BLOCK]
                planned[mask] = actions[mask]
                actions = planned
            result = self._env.step(self._joint(actions))
            observations, rewards, terminations, truncations, infos = result
            rows["observations"].append(seen)
            rows["actions"].append(actions)
            rows["rewards"].append(np.array([rewards[agent] for agent in self._agents]))
            if self._metric_names:
                rows["metrics"].append(self._metrics(infos, seed, t))
            over = any(terminations.values()) or any(truncations.values())
            if over and t + 1 < total:
                raise ValueError(
                    f"the episode with seed {seed} ended after {t + 1} steps: --steps must be at "
                    f"most {t + 1} (or the environment be told to go on longer)."
                )
            last = t + 1 == total
            if last:
                rows["observations"].append(self._stack(observations, seed, t + 1))
            if last or t + 1 - first == length:
                arrays = {
                    name: np.stack(values, 1).astype(dtypes[name])[None]
                    for name, values in rows.items()
                }
                yield Chunk((episode,), first, arrays)
                first = t + 1
                rows = {name: [] for name in layouts}
        self._check_graph(seed)

    def _check_graph(self, seed: int) -> None:
        if self._graph is None:
            return
        current = self._adjacency()
        if current is None or not np.array_equal(current, self._graph.adjacency):
            raise ValueError(
                f"the graph of {self._settings.env} changed in the episode with seed {seed}: only "
                "static graphs can be recorded."
            )

    def _stack(self, observations: dict[str, Any], seed: int, t: int) -> NDArray[np.float32]:
        missing = [agent for agent in self._agents if agent not in observations]
        if missing:
            raise ValueError(
                f"agent {missing[0]} has no observation at step {t} of the episode with seed "
                f"{seed}: all agents must live as long as the episode."
            )
        rows = [np.ravel(observations[agent]) for agent in self._agents]
        return np.stack(rows).astype(np.float32)

    def _metrics(self, infos: dict[str, Any], seed: int, t: int) -> NDArray[np.float32]:
        try:
            return np.array(
                [[float(infos[a][name]) for name in self._metric_names] for a in self._agents],
                np.float32,
            )
        except KeyError as error:
            raise ValueError(
                f"{error} is missing in the infos of step {t} of the episode with seed {seed}."
            ) from None
