"""Random play of a team, to train a world model on and to check it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.baselines.dima.config import BatchShape
from benchmarks.baselines.dima.memory import Indices, Rows, Streams
from benchmarks.baselines.dima.sequences import Context, Sequences
from benchmarks.baselines.online.team_env import TeamEnv

__all__ = ["Act", "Recording", "random_actions", "record"]

#: Observations `(B, n, O)` to joint actions `(B, n[, A])`, as the codec encodes them.
Act = Callable[[NDArray[np.float32]], NDArray[Any]]


def random_actions(env: TeamEnv, rng: np.random.Generator) -> NDArray[Any]:
    """Uniform joint actions `(B, n)` or `(B, n, A)`, as the codec encodes them."""
    shape = (env.batch, env.num_agents)
    if env.codec.discrete:
        return rng.integers(env.codec.num_choices, size=shape)
    return rng.uniform(-1, 1, (*shape, env.codec.size)).astype(np.float32)


@dataclass(frozen=True)
class Recording(Streams):
    """B episodes of T steps that none of them outlived, a stream each.

    Args:
        states: `(B, T + 1, S)`.
        observations: `(B, T + 1, n, O)`.
        actions: `(B, T, n[, A])`.
        rewards: `(B, T)`.
        terminated: `(B, T)`.
    """

    states: Tensor
    observations: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor

    @property
    def num_steps(self) -> int:
        """Number of steps T."""
        return self.rewards.shape[1]

    def sequences(self, shape: BatchShape, rng: np.random.Generator, padding: int = 0) -> Sequences:
        """Random pieces.

        Args:
            shape: rows and steps.
            rng: draws where they begin.
            padding: steps that a piece may begin before its episode.
        """
        first = rng.integers(-padding, self.num_steps - shape.steps + 1, size=shape.rows)
        streams = rng.integers(len(self.states), size=shape.rows)
        return self.pieces(streams, first, shape.steps)

    def read(self, streams: Indices, rows: Indices) -> Rows:
        """Copies of rows; the last of an episode has no step."""
        step = np.minimum(rows, self.num_steps - 1)
        return Rows(
            self.states.numpy()[streams, rows],
            self.observations.numpy()[streams, rows],
            self.actions.numpy()[streams, step],
            self.rewards.numpy()[streams, step],
            self.terminated.numpy()[streams, step],
            rows < self.num_steps,
        )

    def lengths(self, streams: Indices) -> Indices:
        """T + 1 of every episode."""
        return np.full(streams.shape, self.num_steps + 1)

    def context(self, step: int, size: int) -> Context:
        """The context of every episode, up to the state before a step."""
        if step < size - 1:
            raise ValueError(f"step must be at least {size - 1}, got {step}.")
        first = step - size + 1
        valid = torch.ones(len(self.states), size, dtype=torch.bool)
        return Context(self.states[:, first : step + 1], self.actions[:, first:step], valid)


def record(env: TeamEnv, steps: int, seed: int, act: Act | None = None) -> Recording:
    """Plays, with random actions by default.

    Args:
        env: B environments.
        steps: of each episode.
        seed: of episodes and random actions.
        act: chooses the actions instead.

    Raises:
        ValueError: if an episode ends before the last step.
    """
    rng = np.random.default_rng([seed, 1])
    observations, state = env.reset(seed)
    seen, states, taken, rewards, terminated = [observations], [state], [], [], []
    for t in range(steps):
        taken.append(random_actions(env, rng) if act is None else act(seen[-1]))
        step = env.step(taken[-1])
        over = step.terminated | step.truncated
        if over.any() and t < steps - 1:
            raise ValueError(
                f"an episode of {env.task} ended after {t + 1} steps: ask for no more than that."
            )
        seen.append(step.final_observations)
        states.append(step.final_state)
        rewards.append(step.reward.astype(np.float32))
        terminated.append(step.terminated)

    def stacked(rows: list[NDArray[Any]]) -> Tensor:
        return torch.from_numpy(np.stack(rows, 1))

    return Recording(
        stacked(states), stacked(seen), stacked(taken), stacked(rewards), stacked(terminated)
    )
