"""The data that a baseline is given: the first trajectories of a data set, cut to first steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from networld_agent.data import TrajectoryDataset
from networld_agent.data.credit import credited
from networld_agent.data.windows import Places, WindowSource, first_segments

__all__ = ["OfflineData", "Places"]


class OfflineData(WindowSource):
    """Joint trajectories, read as N single-agent episodes each.

    Nothing is held out unless `hold_out` says so. Where episodes end because
    recording stopped, not because the task did, the last transition has a next observation as any
    other.

    Args:
        dataset: that the data is taken from.
        trajectories: how many joint trajectories, all by default.
        first_steps: of each, all by default.
        temperature: of preferring trajectories of high reward (see
            `networld_agent.data.trajectory_weights`); 0 draws from all alike.

    Raises:
        ValueError: if there is less data than asked for.
    """

    #: Observations that scales are estimated from, at most.
    MOST_ROWS: ClassVar[int] = 2**20

    def __init__(
        self,
        dataset: TrajectoryDataset,
        trajectories: int | None = None,
        first_steps: int | None = None,
        temperature: float = 0.0,
    ) -> None:
        segments = first_segments(dataset, trajectories, first_steps, "first steps")
        super().__init__(dataset, segments, temperature)
        #: Indices of the joint episodes in the file.
        self.episodes = self.segments[:, 0]
        #: T of every episode; there are T + 1 observations.
        self.num_steps = first_steps or dataset.num_steps
        #: Positions in `episodes` that are drawn from.
        self.drawn_from = np.arange(len(self.episodes))

    # ------------------------------------------------------------------- held out
    def hold_out(self) -> bool:
        """Draws no more from the last trajectory of each policy; whether any is held out.

        Of a policy with a single trajectory none is. What is computed of all the data, such as
        scales, is still of all.

        Raises:
            ValueError: where good trajectories are preferred: the last one need not be good.
        """
        if self.temperature:
            raise ValueError("held_out goes with trajectory_temperature 0 only.")
        names = self.dataset.description.episode_policies
        policies = np.array([names[e] for e in self.episodes])
        # The last of all would be one policy's alone: of mixed data that of the random one, which
        # an untrained network foretells best.
        places = [np.flatnonzero(policies == policy) for policy in sorted(set(policies))]
        last = [part[-1] for part in places if len(part) > 1]
        self.drawn_from = np.setdiff1d(self.drawn_from, last)
        return bool(last)

    @contextmanager
    def held_out_only(self) -> Iterator[None]:
        """Draws from what is held out alone."""
        before = self.drawn_from
        self.drawn_from = np.setdiff1d(np.arange(len(self.episodes)), before)
        try:
            yield
        finally:
            self.drawn_from = before

    def preferring(self, temperature: float) -> OfflineData:
        """The same data with another preference for trajectories of high reward."""
        return OfflineData(self.dataset, len(self.episodes), self.num_steps, temperature)

    @property
    def num_trajectories(self) -> int:
        """Joint trajectories."""
        return len(self.episodes)

    @property
    def num_places(self) -> int:
        """Agents that an index tells from each other, the same ones in every episode."""
        return self.num_agents

    @property
    def where(self) -> str:
        """Where it lies, for messages."""
        return str(self.dataset.path)

    def identity(self) -> dict[str, Any]:
        """What tells this data from other data, wherever it lies, as JSON values."""
        arrays = self.dataset.metadata.arrays
        # Said only where it was asked for: checksums that nobody looked at say little of the data.
        trust = {} if self.dataset.verified else {"verified": False}
        return {
            **trust,
            "task": self.task,
            "policy": self.dataset.description.policy,
            "sha256": {
                name: arrays[name].sha256 for name in ("observations", "actions", "rewards")
            },
            "episodes": self.episodes.tolist(),
            "steps": self.num_steps,
        }

    # -------------------------------------------------------------------- drawing
    def places(self, count: int, horizon: int, rng: np.random.Generator) -> Places:
        """Random windows of `horizon` actions; equal generators draw equal windows.

        Raises:
            ValueError: if the trajectories are shorter.
        """
        starts = self.num_steps - horizon + 1
        if starts < 1:
            raise ValueError(
                f"{self.where} gives {self.num_steps} steps in a row, {horizon} are needed."
            )
        positions, agents, start = self.positions(count, starts, rng)
        return Places(self.episodes[positions], start, agents)

    def positions(
        self, count: int, starts: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Random positions in `episodes`, agents, and steps below `starts`, `(B,)` each."""
        if self.temperature:
            positions = rng.choice(len(self.episodes), size=count, p=self.preferences)
            return (
                positions,
                rng.integers(self.num_agents, size=count),
                rng.integers(starts, size=count),
            )
        index = rng.integers(len(self.drawn_from) * self.num_agents * starts, size=count)
        index, start = np.divmod(index, starts)
        positions, agents = np.divmod(index, self.num_agents)
        return self.drawn_from[positions], agents, start

    # -------------------------------------------------------------------- reading
    def heard(
        self, places: Places, length: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """What the agents of windows hear: only the neighbours are read, not all agents.

        Returns:
            `(M,)` window, `(M,)` step in it, `(M, d)` observation of a neighbour at that step, and
            `(M,)` its weight in the mean.
        """
        weights = self.neighbor_weights(places, length)
        row, step, agent = np.nonzero(weights)
        heard = self.dataset.observations[places.episodes[row], agent, places.starts[row] + step]
        return row, step, heard, weights[row, step, agent]

    # ------------------------------------------------------------- the whole data
    def joint_rewards(self, credit: str = "own") -> NDArray[np.float64]:
        """`(E, N, T)` of the episodes in their order, in the environment's units.

        Args:
            credit: whose: each agent's "own", the mean over it and its "neighbors", or over the
                "team". Rewards of others are read in training only.
        """
        rewards = np.stack([self.dataset.rewards[e, :, : self.num_steps] for e in self.episodes])
        if credit == "own":
            return rewards
        places = Places(self.episodes, np.zeros(len(self.episodes), np.int64))
        weights = self.neighbor_weights(places, self.num_steps)
        by_step = torch.from_numpy(rewards.swapaxes(1, 2))
        found = credited(by_step, torch.from_numpy(weights), credit)
        return np.asarray(found.numpy().swapaxes(1, 2))

    def sample_rows(self, most: int | None = None) -> NDArray[np.float32]:
        """`(M, d)` observations, evenly spaced over the data, at most about so many (a million)."""
        total = len(self.episodes) * self.num_agents * self.num_steps
        stride = -(-total // (self.MOST_ROWS if most is None else most))
        steps = slice(0, self.num_steps, min(stride, self.num_steps))
        parts = [self.dataset.observations[e, :, steps] for e in self.episodes]
        return np.concatenate(parts).reshape(-1, self.observation_size)
