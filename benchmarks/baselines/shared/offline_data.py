"""The data that a baseline is given: the first trajectories of a data set, cut to first steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from networld_agent.data import TrajectoryDataset
from networld_agent.data.trajectory_weights import trajectory_weights
from networld_agent.model.task_spec import ActionSpec

__all__ = ["OfflineData", "Places"]

#: Observations that scales are estimated from, at most.
_MOST_ROWS = 2**20


@dataclass(frozen=True)
class Places:
    """Starts of B windows, each within one episode of one agent.

    Args:
        episodes: `(B,)` of the file.
        agents: `(B,)`.
        starts: `(B,)` first step.
    """

    episodes: NDArray[np.int64]
    agents: NDArray[np.int64]
    starts: NDArray[np.int64]

    def at(self, steps: NDArray[np.int64]) -> tuple[Any, Any, Any]:
        """Index `(B, L)` of the steps `starts + steps`, for arrays `(E, N, T, ...)`."""
        return self.episodes[:, None], self.agents[:, None], self.starts[:, None] + steps


@dataclass(frozen=True)
class OfflineData:
    """Joint trajectories, read as N single-agent episodes each.

    Nothing is held out: a baseline trains on all that it is given. Episodes end because recording
    stopped, not because the task did: the last transition has a next observation as any other.

    Args:
        dataset: that the data is taken from.
        trajectories: how many joint trajectories, all by default.
        first_steps: of each, all by default.
        temperature: of preferring trajectories of high reward (see
            `networld_agent.data.trajectory_weights`); 0 draws from all alike.

    Raises:
        ValueError: if there is less data than asked for.
    """

    dataset: TrajectoryDataset
    trajectories: int | None = None
    first_steps: int | None = None
    temperature: float = 0.0

    def __post_init__(self) -> None:
        for name, asked, held in (
            ("trajectories", self.trajectories, self.dataset.num_episodes),
            ("first steps", self.first_steps, self.dataset.num_steps),
        ):
            if asked is not None and not 1 <= asked <= held:
                raise ValueError(f"{self.dataset.path} has {held} {name}, not {asked}.")

    # ----------------------------------------------------------------- what it is
    @property
    def task(self) -> str:
        """Name of the task."""
        return self.dataset.description.task

    @property
    def episodes(self) -> NDArray[np.int64]:
        """Indices of the joint episodes in the file."""
        return self.dataset.episodes[: self.trajectories]

    @property
    def num_agents(self) -> int:
        """N."""
        return self.dataset.num_agents

    @property
    def num_steps(self) -> int:
        """T of every episode; there are T + 1 observations."""
        return self.first_steps or self.dataset.num_steps

    @property
    def observation_size(self) -> int:
        """Entries d of an observation."""
        return self.dataset.description.observation.size

    @cached_property
    def action(self) -> ActionSpec:
        """One agent's action; where its space has no bound, the data's extremes stand in."""
        info = self.dataset.description.action
        if info.kind != "box":
            return ActionSpec(info.kind, sizes=info.sizes, start=info.start)
        low, high = info.bounds()
        seen = self.dataset.metadata.statistics["actions"]
        low = np.where(np.isfinite(low), low, np.array(seen["min"]))
        high = np.where(np.isfinite(high), high, np.array(seen["max"]))
        high = np.where(high > low, high, low + 1.0)
        return ActionSpec("box", low=tuple(low.tolist()), high=tuple(high.tolist()))

    def identity(self) -> dict[str, Any]:
        """What tells this data from other data, wherever it lies, as JSON values."""
        arrays = self.dataset.metadata.arrays
        return {
            "task": self.task,
            "policy": self.dataset.description.policy,
            "sha256": {
                name: arrays[name].sha256 for name in ("observations", "actions", "rewards")
            },
            "episodes": self.episodes.tolist(),
            "steps": self.num_steps,
        }

    # --------------------------------------------------------------------- arrays
    def places(self, count: int, horizon: int, rng: np.random.Generator) -> Places:
        """Random windows of `horizon` actions; equal generators draw equal windows.

        Raises:
            ValueError: if the trajectories are shorter.
        """
        starts = self.num_steps - horizon + 1
        if starts < 1:
            raise ValueError(
                f"{self.dataset.path} gives {self.num_steps} steps in a row, {horizon} are needed."
            )
        positions, agents, start = self.draw(count, starts, rng)
        return Places(self.episodes[positions], agents, start)

    def draw(
        self, count: int, starts: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Random positions in `episodes`, agents, and steps below `starts`, `(B,)` each."""
        if self.temperature:
            positions = rng.choice(len(self.episodes), size=count, p=self._preferences)
            return (
                positions,
                rng.integers(self.num_agents, size=count),
                rng.integers(starts, size=count),
            )
        index = rng.integers(len(self.episodes) * self.num_agents * starts, size=count)
        index, start = np.divmod(index, starts)
        positions, agents = np.divmod(index, self.num_agents)
        return positions, agents, start

    @cached_property
    def _preferences(self) -> NDArray[np.float64]:
        means = [self.dataset.rewards[e, :, : self.num_steps].mean() for e in self.episodes]
        return trajectory_weights(np.array(means), self.temperature)

    def observations(self, places: Places, length: int) -> NDArray[np.float32]:
        """`(B, L, d)` in the environment's units."""
        return self.dataset.observations[places.at(np.arange(length))]

    def actions(self, places: Places, length: int) -> NDArray[Any]:
        """`(B, L[, A])` as executed."""
        taken: NDArray[Any] = self.dataset.actions[places.at(np.arange(length))]
        return taken

    def rewards(self, places: Places, length: int) -> NDArray[np.float64]:
        """`(B, L)` in the environment's units."""
        return self.dataset.rewards[places.at(np.arange(length))]

    def neighbor_weights(self, places: Places, length: int) -> NDArray[np.float32]:
        """`(B, L, N)` weights of all agents in the mean of an agent's neighbours; none: all 0."""
        episodes, agents, steps = places.at(np.arange(length))
        graph = self.dataset.graph
        if graph is not None:
            rows = graph.mean_weights[places.agents].astype(np.float32)
            return np.broadcast_to(rows[:, None], (len(rows), length, rows.shape[1]))
        heard = self.dataset.array("adjacency")[episodes, steps, agents].astype(np.float32)
        weights: NDArray[np.float32] = heard / np.maximum(heard.sum(-1, keepdims=True), 1)
        return weights

    def sample_rows(self) -> NDArray[np.float32]:
        """`(M, d)` observations, evenly spaced over the data, at most about a million."""
        total = len(self.episodes) * self.num_agents * self.num_steps
        stride = -(-total // _MOST_ROWS)
        steps = slice(0, self.num_steps, min(stride, self.num_steps))
        parts = [self.dataset.observations[e, :, steps] for e in self.episodes]
        return np.concatenate(parts).reshape(-1, self.observation_size)

    def reward_scale(self) -> tuple[float, float]:
        """Mean and standard deviation of the rewards of this data; 1 where they never differ.

        Value methods learn from `(reward - mean) / deviation`: with a discount of 0.99, returns lie
        within about 100 in every task. Taking off the mean changes no preference, since no episode
        of these tasks ends by what an agent does.
        """
        taken = [self.dataset.rewards[e, :, : self.num_steps] for e in self.episodes]
        rewards = np.concatenate(taken, axis=None)
        return float(rewards.mean()), float(rewards.std()) or 1.0
