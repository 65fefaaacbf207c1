"""Native batch façade: B environments advance in one call of the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from wirelessenvs.checks import shown
from wirelessenvs.config import TaskConfig
from wirelessenvs.facade import RENDER_FPS, RENDER_MODES, SimulatorFacade
from wirelessenvs.joint import joint_action_space, joint_observation_space
from wirelessenvs.tasks import get_task

__all__ = ["WirelessVectorEnv"]


class WirelessVectorEnv(SimulatorFacade, gymnasium.vector.VectorEnv):
    """A `gymnasium.vector.VectorEnv` over one simulator.

    Environment b equals a single environment seeded with the same seed, bit for bit. Rewards are
    means over agents, `(B,)`; `infos["agent_rewards"]` and every metric are `(B, N)`.

    Args:
        task_id: "cbf-v0", "rb-v0" or "slicing-v0".
        num_envs: B.
        preset: named configuration of the task.
        render_mode: None, "rgb_array" or "human", which shows environment 0.
        max_episode_steps: Gymnasium's name for `max_steps`.
        autoreset_mode: what happens at the end of an episode, as Gymnasium defines it.
        config: a ready configuration instead of preset and overrides.
        **overrides: fields of the task's configuration.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": RENDER_MODES,
        "render_fps": RENDER_FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        task_id: str,
        num_envs: int = 1,
        preset: str | None = None,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        config: TaskConfig | None = None,
        max_episode_steps: int | None = None,
        **overrides: Any,
    ) -> None:
        if max_episode_steps is not None:
            if "max_steps" in overrides:
                raise TypeError(
                    "max_episode_steps and max_steps are one argument: give one of them."
                )
            overrides["max_steps"] = max_episode_steps
        self._build(get_task(task_id), num_envs, preset, render_mode, config, overrides)
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError:
            modes = ", ".join(repr(mode.value) for mode in AutoresetMode)
            raise ValueError(
                f"autoreset_mode must be one of {modes}, got {shown(autoreset_mode)}."
            ) from None
        self.metadata = self.metadata | {"autoreset_mode": self.autoreset_mode}  # type: ignore[misc]
        self.num_envs = self.simulator.num_envs
        self.single_observation_space = joint_observation_space(self.simulator)
        self.single_action_space = joint_action_space(self.simulator)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.state_space = self.simulator.state_space
        self._over = np.ones(self.num_envs, np.bool_)
        self._begun = False

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Starts new episodes.

        Args:
            seed: one integer s (environment b gets s + b), one per environment, or None.
            options: `{"reset_mask": (B,) booleans}` restarts only these environments.
        """
        self._check_options(options, ("reset_mask",))
        mask = None if options is None else options.get("reset_mask")
        if mask is None:
            mask = np.ones(self.num_envs, np.bool_)
        elif not self._begun and not np.all(mask):
            raise ValueError("reset_mask must hold only True before the first reset.")
        observations = self.simulator.reset(seed, mask)
        self._begun = True
        self._over = self._over & ~np.asarray(mask)
        self._show()
        shape = (self.num_envs, self.simulator.num_agents)
        return observations, _infos(self._zero_metrics(), np.zeros(shape), np.asarray(mask))

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[
        NDArray[np.float32],
        NDArray[np.float64],
        NDArray[np.bool_],
        NDArray[np.bool_],
        dict[str, Any],
    ]:
        """One step of every environment.

        Args:
            actions: `(B, N)` integers or `(B, N, A)` reals.

        Raises:
            ValueError: naming environment, agent, value and bound of an illegal action; nothing
                has changed then.
            RuntimeError: before `reset`, or with autoreset disabled on a finished environment.
        """
        if not self._begun:
            raise RuntimeError("step was called before reset.")
        simulator, over = self.simulator, self._over
        if self.autoreset_mode is AutoresetMode.DISABLED and over.any():
            raise RuntimeError(
                f"environment {int(np.argmax(over))} is over: reset it with "
                'options={"reset_mask": ...}.'
            )
        step = simulator.step(actions, ~over)
        observations, truncated = step.observations, step.truncated
        if over.any():  # only where NEXT_STEP left finished environments behind
            observations = simulator.reset(mask=over)
        infos = _infos(step.metrics, step.rewards, ~over)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and truncated.any():
            # Gymnasium's contract: the last observation and info move under "final_...".
            infos = {
                "final_obs": observations,
                "_final_obs": truncated.copy(),
                "final_info": infos,
                "_final_info": truncated.copy(),
                **infos,
            }
            observations = simulator.reset(mask=truncated)
            self._over = np.zeros(self.num_envs, np.bool_)
        else:
            self._over = truncated.copy()
        self._show()
        return (
            observations,
            step.rewards.mean(1),
            np.zeros(self.num_envs, np.bool_),
            truncated,
            infos,
        )

    def state(self) -> NDArray[np.float32]:
        """Global states `(B, S)` float32."""
        return self.simulator.state()

    def render(self) -> Any:
        """A tuple of one frame per environment.

        None in "human" mode: a window shows every `reset` and `step` of environment 0 by itself.
        """
        frames = self._render()
        return None if frames is None else tuple(frames)

    def close_extras(self, **_: Any) -> None:
        """Closes the window, if any."""
        self._close_renderer()


def _infos(
    metrics: dict[str, NDArray[np.float64]], rewards: NDArray[np.float64], valid: NDArray[np.bool_]
) -> dict[str, Any]:
    """Metrics and agents' rewards, each with the environments that it is valid of."""
    infos: dict[str, Any] = {**metrics, "agent_rewards": rewards}
    return infos | {f"_{name}": valid.copy() for name in infos}
