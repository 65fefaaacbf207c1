"""The one interface of a task's core: a batch of independent environments in lockstep."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from wirelessenvs.actions import check_actions
from wirelessenvs.checks import check_int
from wirelessenvs.config import TaskConfig
from wirelessenvs.context import Context
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.lockstep import check_mask, check_seeds
from wirelessenvs.policy import Information, PolicySpec, Privileged
from wirelessenvs.rewards import OwnReward
from wirelessenvs.streams import Streams, episode_streams

__all__ = ["Simulator", "Step"]

C = TypeVar("C", bound=TaskConfig)


@dataclass(frozen=True)
class Step:
    """What one step of a batch returns; every array is fresh.

    Args:
        observations: `(B, N, D)` float32.
        rewards: `(B, N)` float64.
        truncated: `(B,)` booleans, true where the episode has reached `max_steps`.
        metrics: per-agent quantities of the step just simulated, each `(B, N)` float64.
    """

    observations: NDArray[np.float32]
    rewards: NDArray[np.float64]
    truncated: NDArray[np.bool_]
    metrics: dict[str, NDArray[np.float64]]


class Simulator(abc.ABC, Generic[C]):
    """`num_envs` independent copies of one task.

    Arrays lead with (B, N): environments, then agents. Environment b of a batch seeded with s_b
    equals a batch of one seeded with s_b, bit for bit. Random draws come from named streams and
    never depend on actions.

    What a configuration brings along for every task is done here: a reward of one's own, in `step`,
    and a graph of one's own, in `_own_graph`.

    A subclass calls `super().__init__`, then sets `agents`, `graph`, `observation_space`,
    `action_space` and `state_space`, and implements `_reset_env`, `_observe`, `_advance`,
    `_state` and `_privileged`. If the task has a context, it ends with `_declare_context`.
    """

    #: Name of the task, as in the id of its environments.
    task: ClassVar[str]
    #: Names of the per-agent quantities in `Step.metrics`.
    metric_names: tuple[str, ...]

    agents: tuple[str, ...]
    #: Neighbour graph; a task whose graph changes overrides this with a property (batch of one).
    graph: NeighborGraph
    #: Space of one agent's observation.
    observation_space: gymnasium.spaces.Box
    #: Space of one agent's action.
    action_space: gymnasium.spaces.Discrete | gymnasium.spaces.Box
    #: Space of one environment's global state.
    state_space: gymnasium.spaces.Box
    #: Public static numbers of the network; in the observations if the configuration says so. A
    #: task that declares none has no entries.
    context: Context = Context((), (), np.zeros((0, 0), np.float32))

    #: Whether real-valued actions for a `Discrete` space are rounded and clipped.
    rounds_real_actions: ClassVar[bool] = False

    def __init__(self, config: C, num_envs: int = 1) -> None:
        self.config: C = config
        self.num_envs = check_int("num_envs", num_envs, 1, 1_000_000)
        #: Steps taken in the running episode of each environment.
        self.elapsed = np.zeros(self.num_envs, np.int64)
        self._entropy: list[int | None] = [None] * self.num_envs
        self._episode = np.zeros(self.num_envs, np.int64)

    def _own_graph(self, graph: NeighborGraph) -> NeighborGraph:
        """The graph, with the adjacency that the configuration brings along, if it does."""
        if self.config.adjacency is None:
            return graph
        return NeighborGraph(self.agents, np.array(self.config.adjacency), graph.positions)

    @cached_property
    def _own_reward(self) -> OwnReward | None:
        """The reward that the configuration brings along, if it does."""
        function = self.config.own_reward
        return None if function is None else OwnReward(function, self.metric_names, self.agents)

    def _declare_context(self, context: Context) -> None:
        """Sets the context, with its place in the observation."""
        self._own_reward  # noqa: B018, one that fails is told now and not in the first step
        self.context = context
        if self.config.context:
            self.observation_space = context.extend(self.observation_space)

    @property
    def num_agents(self) -> int:
        """Number of agents N."""
        return len(self.agents)

    @property
    def spec(self) -> PolicySpec:
        """The static knowledge that a policy is built from."""
        return PolicySpec(
            self.task, self.config, self.graph, self.observation_space, self.action_space
        )

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """`(B, N, N)` current neighbour relation of every environment."""
        return np.broadcast_to(self.graph.adjacency, (self.num_envs, *self.graph.adjacency.shape))

    # ------------------------------------------------------------------ reset
    def reset(
        self,
        seeds: int | Sequence[int | None] | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float32]:
        """Starts a new episode in every environment, or in those where `mask` is true.

        Args:
            seeds: one integer s (environment b gets s + b), one per environment, or None. An
                environment with a seed restarts its random streams; one without goes on to its
                next episode.
            mask: `(B,)` booleans.

        Returns:
            `(B, N, D)` observations of all environments.
        """
        entropy = self.check_seeds(seeds)
        chosen = check_mask(mask, self.num_envs)
        for env in np.flatnonzero(chosen):
            seed, running = entropy[env], self._entropy[env]
            if seed is None and running is None:
                seed = int(np.random.SeedSequence().entropy)  # type: ignore[arg-type]
            if seed is not None:
                self._entropy[env] = running = seed
                self._episode[env] = 0
            assert running is not None
            self._reset_env(int(env), episode_streams(running, int(self._episode[env])))
            self._episode[env] += 1
            self.elapsed[env] = 0
        return self._in_context(self._observe())

    def check_seeds(self, seeds: int | Sequence[int | None] | None) -> list[int | None]:
        """Returns one seed or None per environment; raises for anything else."""
        return check_seeds(seeds, self.num_envs)

    # ------------------------------------------------------------------- step
    def step(self, actions: Any, mask: NDArray[np.bool_] | None = None) -> Step:
        """Advances every environment, or those where `mask` is true, by one step.

        Args:
            actions: `(B, N)` integers for a discrete, `(B, N, A)` reals for a continuous action
                space. Checked before anything changes.
            mask: `(B,)` booleans. Where false, the environment keeps its state and random
                streams; its observation is repeated, its rewards and metrics are zero.

        Raises:
            ValueError: naming agent, value and bound of the first illegal action.
            TypeError: if the actions are no numbers of the kind that the space asks for.
            ValueError: for a reward of one's own that fails or is not finite. It is called after
                the step, so that the environment has moved on.
        """
        checked = self.check_actions(actions)
        active = check_mask(mask, self.num_envs)
        if None in self._entropy:
            raise RuntimeError("step was called before reset.")
        self.elapsed += active
        observations, rewards, metrics = self._advance(checked, active)
        if self._own_reward is not None:
            rewards = self._own_reward(rewards, metrics, active)
        truncated = active & (self.elapsed >= self.config.max_steps)
        return Step(self._in_context(observations), rewards, truncated, metrics)

    def _in_context(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.context.append(observations) if self.config.context else observations

    def check_actions(self, actions: Any) -> NDArray[Any]:
        """Returns actions as `(B, N)` int64 or `(B, N, A)` float64; raises if one is illegal."""
        return check_actions(
            actions, self.action_space, self.agents, self.num_envs, self.rounds_real_actions
        )

    # ------------------------------------------------------------------ views
    def state(self) -> NDArray[np.float32]:
        """`(B, S)` global state of every environment."""
        return self._state()

    def privileged(self, information: Information) -> Privileged | None:
        """What a policy of an information class may see beside the observations.

        None for local and neighbour policies: these live on observations alone.
        """
        if information in (Information.LOCAL, Information.NEIGHBORS):
            return None
        return self._privileged(information)

    # ------------------------------------------------------- a task fills these
    @abc.abstractmethod
    def _reset_env(self, env: int, streams: Streams) -> None:
        """Starts a new episode in one environment from fresh random streams."""

    @abc.abstractmethod
    def _observe(self) -> NDArray[np.float32]:
        """`(B, N, D)` current observations without the context, in a fresh array."""

    @abc.abstractmethod
    def _advance(
        self, actions: NDArray[Any], active: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """One step of the active environments: observations, rewards, metrics; fresh arrays.

        `actions` are checked; inactive environments draw no random numbers and do not change.
        """

    @abc.abstractmethod
    def _state(self) -> NDArray[np.float32]:
        """`(B, S)` global states, in a fresh array."""

    @abc.abstractmethod
    def _privileged(self, information: Information) -> Privileged:
        """The privileged view of a central, genie or clairvoyant policy."""
