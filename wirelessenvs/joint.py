"""Gymnasium façade: one controller acts for all agents."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec, make
from numpy.typing import NDArray

from wirelessenvs.actions import as_numbers
from wirelessenvs.checks import check_flag
from wirelessenvs.config import TaskConfig
from wirelessenvs.facade import RENDER_FPS, RENDER_MODES, SingleFacade
from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import get_task

__all__ = ["JointEnv", "joint_action_space", "joint_observation_space"]


def joint_observation_space(simulator: Simulator[Any]) -> gymnasium.spaces.Box:
    """`(N, D)` box: the agents' observations, one per row."""
    single, n = simulator.observation_space, simulator.num_agents
    return gymnasium.spaces.Box(
        np.tile(single.low, (n, 1)), np.tile(single.high, (n, 1)), dtype=np.float32
    )


def joint_action_space(
    simulator: Simulator[Any],
) -> gymnasium.spaces.MultiDiscrete | gymnasium.spaces.Box:
    """`MultiDiscrete` of N entries, or an `(N, A)` box."""
    single, n = simulator.action_space, simulator.num_agents
    if isinstance(single, gymnasium.spaces.Discrete):
        return gymnasium.spaces.MultiDiscrete([int(single.n)] * n)
    return gymnasium.spaces.Box(
        np.tile(single.low, (n, 1)),
        np.tile(single.high, (n, 1)),
        dtype=single.dtype.type,
    )


def _episode_steps_of_make() -> int | None:
    """`max_episode_steps` of the `gymnasium.make` that is creating an environment, if any.

    Gymnasium keeps that argument to itself and gives it to a wrapper that can only shorten
    episodes. Read from the call, it sets the episode's length in both directions.
    """
    frame = sys._getframe(2)
    while frame.f_code.co_name == "__init__" and frame.f_back is not None:
        frame = frame.f_back  # of a subclass
    if frame.f_code is not make.__code__:
        return None
    steps = frame.f_locals.get("max_episode_steps")
    if steps is None:
        steps = getattr(frame.f_locals.get("env_spec"), "max_episode_steps", None)
    return steps if isinstance(steps, int) and steps > 0 else None


class JointEnv(SingleFacade, gymnasium.Env):
    """A `gymnasium.Env` with the agents' observations and actions stacked.

    The reward is the mean over agents; `info["agent_rewards"]` holds each agent's, and every
    metric of the task is an `(N,)` array in `info`.

    Args:
        task_id: "cbf-v0", "rb-v0" or "slicing-v0".
        preset: named configuration of the task.
        render_mode: None, "rgb_array" or "human".
        config: a ready configuration instead of preset and overrides.
        flatten: give and take one axis instead of two, agent after agent, as libraries with
            networks of plain layers ask for: observations `(N D,)`, and actions `(N A,)` of a box.
        **overrides: fields of the task's configuration.

    Example:
        >>> JointEnv("slicing-v0").observation_space.shape
        (19, 12)
        >>> flat = JointEnv("slicing-v0", flatten=True)
        >>> flat.observation_space.shape, flat.action_space.shape
        ((228,), (57,))
    """

    metadata: dict[str, Any] = {  # noqa: RUF012, Gymnasium declares it so
        "render_modes": RENDER_MODES,
        "render_fps": RENDER_FPS,
    }

    def __init__(
        self,
        task_id: str,
        preset: str | None = None,
        render_mode: str | None = None,
        config: TaskConfig | None = None,
        flatten: bool = False,
        **overrides: Any,
    ) -> None:
        episode_steps = _episode_steps_of_make()
        if episode_steps is not None and config is None:
            overrides.setdefault("max_steps", episode_steps)
        self._build(get_task(task_id), 1, preset, render_mode, config, overrides)
        self._flatten = check_flag("flatten", flatten)
        observation_space: gymnasium.Space[Any] = joint_observation_space(self.simulator)
        action_space: gymnasium.Space[Any] = joint_action_space(self.simulator)
        if flatten:
            observation_space = gymnasium.spaces.flatten_space(observation_space)
            if isinstance(action_space, gymnasium.spaces.Box):
                action_space = gymnasium.spaces.flatten_space(action_space)
        self.observation_space = observation_space
        self.action_space = action_space
        self.state_space = self.simulator.state_space
        self._over = True
        self._spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """What Gymnasium created this environment from, with its length of an episode."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        if spec is not None:
            spec = dataclasses.replace(spec, max_episode_steps=self.simulator.config.max_steps)
        self._spec = spec

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Starts an episode; see `WirelessParallelEnv.reset`."""
        self._check_options(options)
        seeds = self.simulator.check_seeds(None if seed is None else [seed])
        unseeded = self._np_random is None
        super().reset(seed=seeds[0])
        if seeds[0] is None and unseeded:
            # Gymnasium draws a seed and can name it: np_random_seed repeats this run.
            seeds = [self.np_random_seed]
        observations = self.simulator.reset(seeds)
        self._over = False
        self._show()
        info: dict[str, Any] = {name: zero[0] for name, zero in self._zero_metrics().items()}
        info["agent_rewards"] = np.zeros(self.simulator.num_agents)
        return self._given(observations), info

    def step(
        self, action: NDArray[Any]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One step of all agents.

        Args:
            action: `(N,)` integers or `(N, A)` reals; `(N A,)` reals of a flat environment.

        Raises:
            ValueError: naming agent, value and bound of an illegal action; nothing has changed.
            RuntimeError: before `reset` and after the end of the episode.
        """
        self._check_playing()
        step = self.simulator.step([self._taken(action)])
        self._over = bool(step.truncated[0])
        self._show()
        info: dict[str, Any] = {name: column[0] for name, column in step.metrics.items()}
        info["agent_rewards"] = step.rewards[0]
        reward = float(step.rewards.mean())
        return self._given(step.observations), reward, False, self._over, info

    def _check_playing(self) -> None:
        if self._over:
            raise RuntimeError("the episode has not begun or is over: call reset.")

    def _given(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """The observation of a batch of one as this environment gives it."""
        return observations[0].reshape(-1) if self._flatten else observations[0]

    def _taken(self, action: NDArray[Any]) -> NDArray[Any]:
        """An action of this environment with an axis for the agents."""
        if not (self._flatten and isinstance(self.action_space, gymnasium.spaces.Box)):
            return action
        shape, rows = self.action_space.shape, as_numbers(action)
        if rows.shape != shape:
            raise ValueError(f"action must have shape {shape}, got {rows.shape}.")
        return rows.reshape(self.simulator.num_agents, -1)
