"""PettingZoo façade: one environment, one action and one observation per agent."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import wrappers
from pettingzoo.utils.conversions import parallel_to_aec

from wirelessenvs.actions import stack_actions
from wirelessenvs.checks import check_flag
from wirelessenvs.config import TaskConfig
from wirelessenvs.facade import RENDER_FPS, RENDER_MODES, SingleFacade
from wirelessenvs.tasks import get_task

__all__ = ["OwnSpaces", "WirelessParallelEnv", "aec_env", "copy_space", "set_length"]


class OwnSpaces:
    """Spaces of every agent by name, and the random numbers that wrappers ask for."""

    observation_spaces: dict[str, gymnasium.Space[Any]]
    action_spaces: dict[str, gymnasium.Space[Any]]
    _np_random: np.random.Generator | None = None

    def observation_space(self, agent: str) -> gymnasium.Space[Any]:
        """Space of the agent's observation; the same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.Space[Any]:
        """Space of the agent's action; the same object at every call."""
        return self.action_spaces[agent]

    @property
    def np_random(self) -> np.random.Generator:
        """Random numbers for wrappers; a seed given to `reset` restarts them.

        The environment itself draws from its episode's own streams.
        """
        if self._np_random is None:
            self._restart_np_random(None)
        assert self._np_random is not None
        return self._np_random

    def _restart_np_random(self, seed: int | None) -> None:
        self._np_random, _ = seeding.np_random(seed)


class WirelessParallelEnv(OwnSpaces, SingleFacade, ParallelEnv):
    """A PettingZoo `ParallelEnv` over a simulator with a batch of one.

    Args:
        preset: named configuration of the task.
        render_mode: None, "rgb_array" or "human".
        dict_observation: observe a dictionary with the agent's "observation" and the "adjacency"
            of the whole neighbour graph, `(N, N)` int8, instead of the observation alone.
        max_cycles: PettingZoo's name for `max_steps`.
        config: a ready configuration instead of preset and overrides.
        **overrides: fields of the task's configuration.
    """

    #: Id of the task; set by each task's class.
    task_id: ClassVar[str]
    metadata: ClassVar[dict[str, Any]] = {
        "name": "wireless_v0",
        "render_modes": RENDER_MODES,
        "render_fps": RENDER_FPS,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        preset: str | None = None,
        render_mode: str | None = None,
        dict_observation: bool = False,
        max_cycles: int | None = None,
        config: TaskConfig | None = None,
        **overrides: Any,
    ) -> None:
        set_length(overrides, max_cycles)
        self._build(get_task(self.task_id), 1, preset, render_mode, config, overrides)
        self.dict_observation = check_flag("dict_observation", dict_observation)
        simulator = self.simulator
        self.possible_agents: list[str] = list(simulator.agents)
        self.agents: list[str] = []
        n = simulator.num_agents
        single: gymnasium.Space[Any] = simulator.observation_space
        if self.dict_observation:
            single = gymnasium.spaces.Dict(
                {
                    "observation": simulator.observation_space,
                    "adjacency": gymnasium.spaces.Box(0, 1, (n, n), np.int8),
                }
            )
        # Each agent owns a copy: seeding one agent's space must not move another's samples.
        self.observation_spaces = {a: copy_space(single) for a in self.possible_agents}
        self.action_spaces = {a: copy_space(simulator.action_space) for a in self.possible_agents}
        self.state_space = simulator.state_space

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Starts an episode.

        Args:
            seed: restarts all random streams; without it the environment goes on to its next
                episode (the first seed is drawn by the operating system).
            options: none are known; an unknown one warns.

        Returns:
            Observations and infos by agent; all metrics are 0 before the first step.
        """
        self._check_options(options)
        observations = self.simulator.reset(None if seed is None else [seed])
        if seed is not None:
            self._restart_np_random(int(seed))
        self.agents = self.possible_agents[:]
        self._show()
        return self._observations(observations), self._infos(self._zero_metrics())

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Any],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """One step; `infos[agent]` holds the agent's metrics of the step.

        Raises:
            ValueError: for a missing or unknown agent or an illegal action, which it names;
                nothing has changed then.
            TypeError: for actions of the wrong type.
        """
        agents = self.agents
        if not agents:
            if self.simulator.elapsed[0] == 0:
                raise RuntimeError("step was called before reset.")
            return {}, {}, {}, {}, {}
        joint = stack_actions(actions, agents)
        step = self.simulator.step([joint])
        rewards = dict(zip(agents, step.rewards[0].tolist(), strict=True))
        infos = self._infos(step.metrics)
        over = bool(step.truncated[0])
        observations = self._observations(step.observations)
        terminations = dict.fromkeys(agents, False)
        truncations = dict.fromkeys(agents, over)
        if over:
            self.agents = []
        self._show()
        return observations, rewards, terminations, truncations, infos

    def _infos(self, metrics: dict[str, NDArray[np.float64]]) -> dict[str, dict[str, Any]]:
        values = zip(*[column[0].tolist() for column in metrics.values()], strict=True)
        return {
            agent: dict(zip(metrics, row, strict=True))
            for agent, row in zip(self.agents, values, strict=True)
        }

    def _observations(self, batch: NDArray[np.float32]) -> dict[str, Any]:
        rows = dict(zip(self.possible_agents, batch[0], strict=True))
        if not self.dict_observation:
            return rows
        adjacency = self.simulator.adjacency[0].astype(np.int8)
        return {
            agent: {"observation": row, "adjacency": adjacency.copy()}
            for agent, row in rows.items()
        }


def set_length(overrides: dict[str, Any], max_cycles: int | None) -> None:
    """Takes in PettingZoo's name for `max_steps`, if it was given.

    Raises:
        TypeError: if both were.
    """
    if max_cycles is not None:
        if "max_steps" in overrides:
            raise TypeError("max_cycles and max_steps are one argument: give one of them.")
        overrides["max_steps"] = max_cycles


def copy_space(space: gymnasium.Space[Any]) -> gymnasium.Space[Any]:
    """An equal space with random numbers of its own."""
    if isinstance(space, gymnasium.spaces.Box):
        return gymnasium.spaces.Box(space.low, space.high, space.shape, space.dtype)
    if isinstance(space, gymnasium.spaces.Discrete):
        return gymnasium.spaces.Discrete(int(space.n), start=int(space.start))
    assert isinstance(space, gymnasium.spaces.Dict)
    return gymnasium.spaces.Dict({name: copy_space(part) for name, part in space.items()})


def aec_env(parallel: ParallelEnv) -> AECEnv:
    """The same environment for PettingZoo's agent-environment-cycle API, call order checked."""
    return wrappers.OrderEnforcingWrapper(parallel_to_aec(parallel))
