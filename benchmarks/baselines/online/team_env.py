"""The environment as a team's learner sees it: a batch of episodes that restart by themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.baselines.shared.action_codec import ActionCodec
from networld_agent.errors import ModelError
from networld_agent.model.task_spec import ActionSpec
from wirelessenvs.checks import check_int
from wirelessenvs.seeds import EVALUATION_SEEDS

__all__ = ["TeamEnv", "TeamPosition", "TeamStep", "episode_seed"]

Reals = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class TeamStep:
    """The result of one step of B environments.

    Args:
        observations: `(B, n, O)` to act on next: of a new episode where one has just ended.
        state: `(B, S)` likewise.
        reward: `(B,)` of the team, the mean over its agents.
        terminated: `(B,)` where the episode ended for good.
        truncated: `(B,)` where its time was up: what would have followed still has a value.
        final_observations: `(B, n, O)` that the step led to, before any new episode.
        final_state: `(B, S)` likewise.
    """

    observations: Reals
    state: Reals
    reward: NDArray[np.float64]
    terminated: Flags
    truncated: Flags
    final_observations: Reals
    final_state: Reals


@dataclass(frozen=True)
class TeamPosition:
    """Position of a batch, with all that is needed to return to it in any environment.

    Args:
        episodes: `(B,)` number of the running episode of each environment.
        lengths: `(B,)` steps taken in it.
        actions: `(sum of lengths, n[, A])` that were taken, environment by environment.
    """

    episodes: NDArray[np.int64]
    lengths: NDArray[np.int64]
    actions: NDArray[Any]


def episode_seed(seed: int, env: int, episode: int) -> int:
    """Seed of one episode; never one of those that scores are reported on.

    Example:
        >>> episode_seed(0, 0, 0) == episode_seed(0, 0, 0) != episode_seed(0, 1, 0)
        True
    """
    drawn = int(np.random.SeedSequence([seed, env, episode]).generate_state(1)[0]) >> 1
    return drawn + len(EVALUATION_SEEDS) if drawn in EVALUATION_SEEDS else drawn


class TeamEnv(ABC):
    """B independent environments of n agents that are alike; each starts anew when it ends.

    A subclass sets the attributes, calls `super().__init__()` after that, and implements `_begin`,
    `_advance` and `_look`. Everything is a function of `reset`'s seed and the actions.

    Attributes:
        task: name.
        batch: B.
        num_agents: n.
        observation_size: O.
        state_size: S.
        action: of one agent.
        observed: whether the state begins with all observations, one agent after the other.
    """

    task: str
    batch: int
    num_agents: int
    observation_size: int
    state_size: int
    action: ActionSpec
    observed: bool = False

    def __init__(self) -> None:
        self.codec = ActionCodec(self.action)
        self._seed: int | None = None
        self._episodes = np.zeros(self.batch, np.int64)
        self._taken: list[list[NDArray[Any]]] = [[] for _ in range(self.batch)]

    def reset(self, seed: int) -> tuple[Reals, Reals]:
        """Starts the first episode of every environment; observations and state.

        Args:
            seed: of all episodes from here on.
        """
        self._seed = check_int("seed", seed, 0)
        self._episodes = np.zeros(self.batch, np.int64)
        self._restart(np.ones(self.batch, np.bool_))
        return self._look()

    def step(self, actions: NDArray[Any]) -> TeamStep:
        """Advances every environment by one step.

        Args:
            actions: as the codec encodes them: `(B, n)` indices, or `(B, n, A)` reals in [-1, 1];
                beyond that they count as the nearest legal ones.

        Raises:
            ValueError: for actions of another shape.
            RuntimeError: before `reset`.
        """
        if self._seed is None:
            raise RuntimeError("step was called before reset.")
        encoded = np.asarray(actions, np.int64 if self.codec.discrete else np.float32)
        if encoded.shape != self._shape:
            raise ValueError(f"actions must be {self._shape}, got {encoded.shape}.")
        everywhere = np.ones(self.batch, np.bool_)
        reward, terminated, truncated = self._advance(self._decode(encoded), everywhere)
        for rows, row in zip(self._taken, encoded, strict=True):
            rows.append(row)
        final_observations, final_state = observations, state = self._look()
        if (over := terminated | truncated).any():
            self._episodes += over
            self._restart(over)
            observations, state = self._look()
        return TeamStep(
            observations, state, reward, terminated, truncated, final_observations, final_state
        )

    def position(self) -> TeamPosition:
        """The batch's present position."""
        rows = [row for taken in self._taken for row in taken]
        empty = np.zeros((0, *self._shape[1:]), np.int64 if self.codec.discrete else np.float32)
        lengths = np.array([len(taken) for taken in self._taken], np.int64)
        return TeamPosition(self._episodes.copy(), lengths, np.stack(rows) if rows else empty)

    def check_position(self, position: TeamPosition) -> None:
        """Refuses what is no position of such a batch.

        Raises:
            ModelError: in one sentence.
        """
        counts, actions = (position.episodes, position.lengths), position.actions
        if not (
            all(x.shape == (self.batch,) and x.dtype == np.int64 and (x >= 0).all() for x in counts)
            and actions.shape == (position.lengths.sum(), *self._shape[1:])
            and (
                not self.codec.discrete
                or ((actions >= 0) & (actions < self.codec.num_choices)).all()
            )
        ):
            raise ModelError(
                f"the checkpoint does not say where {self.batch} environments of {self.task} are."
            )

    def restore(self, seed: int, position: TeamPosition) -> tuple[Reals, Reals]:
        """Plays the running episodes again up to a position; observations and state there.

        Args:
            seed: that the batch was reset with.
            position: of a batch of the same environments.
        """
        self._seed = check_int("seed", seed, 0)
        self._episodes = np.array(position.episodes, np.int64)
        self._restart(np.ones(self.batch, np.bool_))
        starts = np.cumsum(position.lengths) - position.lengths
        filler = np.zeros(self._shape, position.actions.dtype)
        for t in range(int(position.lengths.max(initial=0))):
            active = position.lengths > t
            encoded = filler.copy()
            encoded[active] = position.actions[starts[active] + t]
            self._advance(self._decode(encoded), active)
            for env in np.flatnonzero(active):
                self._taken[env].append(encoded[env])
        return self._look()

    @property
    def _shape(self) -> tuple[int, ...]:
        components = () if self.codec.discrete else (self.codec.size,)
        return (self.batch, self.num_agents, *components)

    def _decode(self, encoded: NDArray[Any]) -> NDArray[Any]:
        return self.codec.decode(torch.from_numpy(encoded))

    def _restart(self, chosen: Flags) -> None:
        seeds: list[int | None] = [None] * self.batch
        assert self._seed is not None
        for env in np.flatnonzero(chosen):
            seeds[env] = episode_seed(self._seed, int(env), int(self._episodes[env]))
            self._taken[env] = []
        self._begin(seeds)

    # ------------------------------------------------------- a kind of environment fills these
    @abstractmethod
    def _begin(self, seeds: Sequence[int | None]) -> None:
        """Starts an episode in every environment that has a seed."""

    @abstractmethod
    def _advance(
        self, actions: NDArray[Any], active: Flags
    ) -> tuple[NDArray[np.float64], Flags, Flags]:
        """One step of the active environments: reward, terminated, truncated, each `(B,)`."""

    @abstractmethod
    def _look(self) -> tuple[Reals, Reals]:
        """Fresh arrays of all observations `(B, n, O)` and states `(B, S)`."""
