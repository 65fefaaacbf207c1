"""Acting in the team environments, and remembering where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from benchmarks.baselines.online.team_env import TeamEnv, TeamPosition
from networld_agent.errors import ModelError

__all__ = ["Collector", "Rollout"]

#: Observations `(B, n, O)` to actions `(B, n[, A])` and their log-densities `(B, n)`.
Act = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Rollout:
    """T steps of B environments, in the environment's units.

    Args:
        observations: `(T, B, n, O)` acted on.
        states: `(T, B, S)` acted in.
        actions: `(T, B, n)` int64 or `(T, B, n, A)` float32, as they were drawn.
        log_probs: `(T, B, n)`.
        rewards: `(T, B)`.
        terminated: `(T, B)` booleans.
        truncated: `(T, B)` booleans.
        next_observations: `(T, B, n, O)` led to, before any new episode.
        next_states: `(T, B, S)` likewise.
    """

    observations: Tensor
    states: Tensor
    actions: Tensor
    log_probs: Tensor
    rewards: Tensor
    terminated: Tensor
    truncated: Tensor
    next_observations: Tensor
    next_states: Tensor

    def to(self, device: torch.device) -> Rollout:
        """The same on a device."""
        return Rollout(*(getattr(self, field.name).to(device) for field in fields(self)))


class Collector:
    """Plays on in environments that never stop.

    Args:
        env: B team environments.
        seed: of all their episodes.
    """

    def __init__(self, env: TeamEnv, seed: int) -> None:
        self.env, self._seed = env, seed

    def start(self, memory: Mapping[str, Tensor] | None = None) -> None:
        """Starts the first episodes, or goes to where `memory` was called.

        Raises:
            ModelError: if that was not called for such environments.
        """
        if memory is None:
            self._observations, self._state = self.env.reset(self._seed)
            return
        names = ("episodes", "lengths", "actions")
        if not all(name in memory for name in names):
            raise ModelError("the checkpoint does not say where the environments are.")
        position = TeamPosition(*(memory[name].numpy() for name in names))
        self.env.check_position(position)
        self._observations, self._state = self.env.restore(self._seed, position)

    def collect(self, act: Act, steps: int) -> Rollout:
        """Plays some more steps.

        Args:
            act: chooses the actions.
            steps: T.
        """
        parts: list[tuple[Tensor, ...]] = []
        for _ in range(steps):
            observations, state = (
                torch.from_numpy(self._observations),
                torch.from_numpy(self._state),
            )
            actions, log_probs = act(observations)
            step = self.env.step(actions.numpy())
            self._observations, self._state = step.observations, step.state
            parts.append((
                observations,
                state,
                actions,
                log_probs,
                torch.from_numpy(step.reward.astype(np.float32)),
                torch.from_numpy(step.terminated),
                torch.from_numpy(step.truncated),
                torch.from_numpy(step.final_observations),
                torch.from_numpy(step.final_state),
            ))  # fmt: skip
        return Rollout(*(torch.stack(column) for column in zip(*parts, strict=True)))

    def memory(self) -> dict[str, Tensor]:
        """Position of the environments, as tensors."""
        position = self.env.position()
        return {
            "episodes": torch.from_numpy(position.episodes),
            "lengths": torch.from_numpy(position.lengths),
            "actions": torch.from_numpy(position.actions),
        }
