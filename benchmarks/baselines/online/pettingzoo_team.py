"""Any PettingZoo parallel environment with a global state as a team environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.online.team_env import Flags, Reals, TeamEnv
from benchmarks.baselines.shared.action_codec import spec_of_space
from networld_agent.model.task_spec import ActionSpec

__all__ = ["PettingZooTeam"]


class PettingZooTeam(TeamEnv):
    """B copies of a parallel environment, one after the other.

    Args:
        task: name, for messages and files.
        make: makes one copy.
        batch: B.

    Raises:
        ValueError: if the environment is not parallel, has no `state()`, or its agents differ in
            the sizes of their observations or in their actions.
    """

    def __init__(self, task: str, make: Callable[[], Any], batch: int) -> None:
        self.task, self.batch = task, batch
        self._envs = [make() for _ in range(batch)]
        first = self._envs[0]
        self._agents = _agents(task, first)
        self.num_agents = len(self._agents)
        self.observation_size = _observation_size(task, first, self._agents)
        self.action = _action(task, first, self._agents)
        self._space = first.action_space(self._agents[0])
        first.reset(seed=0)
        try:
            self.state_size = int(np.size(first.state()))
        except (AttributeError, NotImplementedError):
            raise ValueError(
                f"{task} has no state(): a critic of the whole team needs one."
            ) from None
        super().__init__()
        self._seen: list[dict[str, Any]] = [{} for _ in range(batch)]

    def _begin(self, seeds: Sequence[int | None]) -> None:
        for index, seed in enumerate(seeds):
            if seed is not None:
                self._seen[index] = self._envs[index].reset(seed=seed)[0]

    def _advance(
        self, actions: NDArray[Any], active: Flags
    ) -> tuple[NDArray[np.float64], Flags, Flags]:
        reward = np.zeros(self.batch)
        terminated, truncated = (np.zeros(self.batch, np.bool_) for _ in range(2))
        for index in np.flatnonzero(active):
            env, rows = self._envs[index], actions[index]
            joint = {a: self._native(row) for a, row in zip(self._agents, rows, strict=True)}
            seen, rewards, ended, cut, _ = env.step(joint)
            if len(rewards) != self.num_agents or 0 < len(env.agents) < self.num_agents:
                raise ValueError(
                    f"an agent of {self.task} left before the others: a team stays together."
                )
            self._seen[index] = seen
            reward[index] = np.mean([rewards[agent] for agent in self._agents])
            terminated[index] = any(ended.values())
            truncated[index] = any(cut.values()) and not terminated[index]
        return reward, terminated, truncated

    def _look(self) -> tuple[Reals, Reals]:
        rows = [[np.ravel(seen[agent]) for agent in self._agents] for seen in self._seen]
        states = [np.ravel(env.state()) for env in self._envs]
        return np.array(rows, np.float32), np.array(states, np.float32)

    def _native(self, row: Any) -> Any:
        if isinstance(self._space, gymnasium.spaces.Discrete):
            return int(row)
        return np.asarray(row, self._space.dtype).reshape(self._space.shape or ())


def _agents(task: str, env: Any) -> tuple[str, ...]:
    agents = tuple(getattr(env, "possible_agents", ()))
    # An environment of the agent-environment cycle has agents too, but acts for one at a time.
    if not agents or hasattr(env, "agent_selection") or hasattr(env, "agent_iter"):
        raise ValueError(f"{task} gives no PettingZoo parallel environment.")
    return agents


def _observation_size(task: str, env: Any, agents: Sequence[str]) -> int:
    shapes = [env.observation_space(agent).shape for agent in agents]
    if any(shape is None for shape in shapes):
        raise ValueError(f"{task}: observations must be arrays.")
    sizes = [int(np.prod(shape)) for shape in shapes]
    if len(set(sizes)) > 1:
        raise ValueError(f"{task}: agents must observe equally much, got sizes {sizes}.")
    return sizes[0]


def _action(task: str, env: Any, agents: Sequence[str]) -> ActionSpec:
    specs = [spec_of_space(env.action_space(agent)) for agent in agents]
    if any(spec != specs[0] for spec in specs):
        kinds = [f"{spec.kind} {spec.sizes or spec.num_components}" for spec in specs]
        raise ValueError(f"{task}: agents must have equal actions, got {', '.join(kinds)}.")
    return specs[0]
