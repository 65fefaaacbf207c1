"""Gymnasium façade of one agent: the others play a policy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.actions import check_actions
from wirelessenvs.checks import check_choice
from wirelessenvs.config import TaskConfig
from wirelessenvs.joint import JointEnv
from wirelessenvs.policy import Policy
from wirelessenvs.tasks import make_policy, policy_class

__all__ = ["AgentEnv"]


class AgentEnv(JointEnv):
    """A `gymnasium.Env` of one agent, for libraries that know no other kind.

    Observation, action and reward are those of the agent; the others play one of the task's
    policies. `info` holds the agent's metrics as single numbers.

    Args:
        task_id: "cbf-v0", "rb-v0" or "slicing-v0".
        preset: named configuration of the task.
        render_mode: None, "rgb_array" or "human".
        config: a ready configuration instead of preset and overrides.
        agent: name of the agent; the first one by default.
        others: policy that the other agents play.
        **overrides: fields of the task's configuration.

    Example:
        >>> env = AgentEnv("rb-v0", others="demand")
        >>> observation, info = env.reset(seed=0)
        >>> env.observation_space.shape, env.action_space
        ((4,), Discrete(11))
    """

    def __init__(
        self,
        task_id: str,
        preset: str | None = None,
        render_mode: str | None = None,
        config: TaskConfig | None = None,
        *,
        agent: str | None = None,
        others: str = "expert",
        **overrides: Any,
    ) -> None:
        if "flatten" in overrides:
            raise TypeError("flatten is not for one agent, whose observation has one axis.")
        super().__init__(task_id, preset, render_mode, config, **overrides)
        names = self.simulator.agents
        self.agent = names[0] if agent is None else check_choice("agent", agent, names)
        policy_class(self.task, others, "others")
        self.others = others
        self._index = names.index(self.agent)
        self._policy: Policy = make_policy(others, self.simulator)
        self._seen: NDArray[np.float32] = np.zeros(0, np.float32)
        self.observation_space = self.simulator.observation_space
        self.action_space = self.simulator.action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Starts an episode; a seed fixes what the other agents do, too."""
        self._seen, info = super().reset(seed=seed, options=options)
        own_seed = int(self.np_random.integers(2**31))
        self._policy = make_policy(self.others, self.simulator, seed=own_seed)
        self._policy.reset()
        return self._seen[self._index], self._own(info)

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One step, of this agent by `action`.

        Raises:
            ValueError: for an illegal action; nothing has changed.
            RuntimeError: before `reset` and after the end of the episode.
        """
        self._check_playing()
        simulator = self.simulator
        own = check_actions(
            [[action]], simulator.action_space, (self.agent,), 1, simulator.rounds_real_actions
        )
        view = self.simulator.privileged(self._policy.information)
        actions = np.array(self._policy(self._seen[None], view)[0])
        actions[self._index] = own[0, 0]
        self._seen, _, ended, over, info = super().step(actions)
        reward = float(info["agent_rewards"][self._index])
        return self._seen[self._index], reward, ended, over, self._own(info)

    def _own(self, info: dict[str, Any]) -> dict[str, Any]:
        return {
            name: values[self._index] for name, values in info.items() if name != "agent_rewards"
        }
