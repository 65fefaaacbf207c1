"""Windows of trajectories: where they are, how they are drawn, and what is read there.

All that learns from a data set reads it here, a world model joint windows of all agents, a method
for single agents windows of one. Values are read from memory maps as they were recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from torch import Tensor

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.trajectory_weights import trajectory_weights
from networld_agent.keyed_random import hashed, integers, signed, uniforms
from networld_agent.model.action_spec import action_spec
from networld_agent.model.mean_field import mean_weights
from networld_agent.model.task_spec import ActionSpec

__all__ = [
    "JointWindows",
    "Places",
    "WindowSource",
    "WindowTable",
    "discounted_sums",
    "first_segments",
    "held_out_split",
    "windows_of",
]

#: Episode of the file, first observation, and end of the observations.
Segment = tuple[int, int, int]


@dataclass(frozen=True)
class Places:
    """Where B windows begin, each within one episode.

    Args:
        episodes: `(B,)` of the file.
        starts: `(B,)` first step.
        agents: `(B,)` of windows of single agents; None for windows of all agents.
    """

    episodes: NDArray[np.int64]
    starts: NDArray[np.int64]
    agents: NDArray[np.int64] | None = None


def windows_of(array: NDArray[Any], places: Places, length: int) -> NDArray[Any]:
    """Copies windows out of an array.

    Args:
        array: `(E, N, T, ...)`.
        places: of the windows.
        length: L, steps of a window.

    Returns:
        `(B, L, ...)` of single agents, `(B, N, L, ...)` of all.

    Raises:
        ValueError: naming the first window that would leave its episode.

    Example:
        >>> array = np.arange(24).reshape(2, 3, 4)
        >>> windows_of(array, Places(np.array([1]), np.array([2]), np.array([0])), 2).tolist()
        [[14, 15]]
    """
    starts, last = places.starts, array.shape[2] - length
    wrong = starts[(starts < 0) | (starts > last)]
    if wrong.size:
        raise ValueError(
            f"windows of {length} steps must start between 0 and {last}, got {wrong[0]}."
        )
    if places.agents is None:
        pairs = zip(places.episodes.tolist(), starts.tolist(), strict=True)
        return np.stack([array[e, :, s : s + length] for e, s in pairs])
    # An axis of windows over the same bytes: one index per window instead of one per step, and a
    # window is copied as one run.
    *outer, step = array.strides[:3]
    shape = (*array.shape[:2], last + 1, length, *array.shape[3:])
    views = as_strided(array, shape, (*outer, step, step, *array.strides[3:]), writeable=False)
    return np.ascontiguousarray(views[places.episodes, places.agents, starts])


def discounted_sums(rewards: NDArray[np.float64], gamma: float, length: int) -> NDArray[np.float64]:
    """Discounted sums of the next `length` rewards.

    Args:
        rewards: `(..., T)`.
        gamma: discount.
        length: at most T.

    Returns:
        `(..., T - length + 1)`.

    Example:
        >>> discounted_sums(np.array([1.0, 2.0, 4.0]), 0.5, 2).tolist()
        [2.0, 4.0]
    """
    starts = rewards.shape[-1] - length + 1
    total = np.zeros((*rewards.shape[:-1], starts))
    for k in range(length):
        total += gamma**k * rewards[..., k : k + starts]
    return total


@dataclass(frozen=True)
class JointWindows:
    """W windows of H observations, each of all N agents.

    Args:
        observations: `(W, N, H, d)` float32.
        actions: `(W, N, H - 1[, A])` between the observations.
        rewards: `(W, N, H - 1)` of these actions.
        mean_weights: `(N, N)`, or `(W, H, N, N)` where the graph changes.
    """

    observations: NDArray[np.float32]
    actions: NDArray[Any]
    rewards: NDArray[np.float64]
    mean_weights: NDArray[np.float32]


@dataclass(frozen=True)
class WindowTable:
    """Where the windows of a source are, as tensors on one device.

    Args:
        episodes: `(S,)` episode of each segment.
        first: `(S,)` its first observation.
        counts: `(S,)` its windows.
        ends: `(S,)` windows up to its end.
        total: windows in all.
        shares: `(S,)` float64, cumulative shares of the segments where some are preferred.
    """

    episodes: Tensor
    first: Tensor
    counts: Tensor
    ends: Tensor
    total: int
    shares: Tensor | None = None

    def places(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """The window that each key draws, all alike or by preference: its episode, its first step.

        Args:
            keys: `(W,)` int64.

        Returns:
            two `(W,)` int64 on the device of the table; equal keys draw equal windows anywhere.
        """
        if self.shares is None:
            index = integers(keys, self.total)
            rows = torch.searchsorted(self.ends, index, right=True)
            offsets = index - (self.ends[rows] - self.counts[rows])
        else:
            rows = torch.searchsorted(self.shares, uniforms(keys), right=True)
            offsets = integers(hashed(keys, 1), self.counts[rows])
        return self.episodes[rows], self.first[rows] + offsets


class WindowSource:
    """Parts of the episodes of a data set, to draw and read windows from.

    Args:
        dataset: that the windows come from.
        segments: `(S, 3)` episode of the file, first observation, and end of the observations.
            All of the data set's episodes by default.
        temperature: of preferring segments of high reward (see `trajectory_weights`); 0 for none.

    Example:
        >>> source = WindowSource(TrajectoryDataset.open("data/rb-expert"))  # doctest: +SKIP
        >>> source.draw(32, 33, seed=0).observations.shape  # doctest: +SKIP
        (32, 8, 33, 4)
    """

    def __init__(
        self,
        dataset: TrajectoryDataset,
        segments: Sequence[Segment] | None = None,
        temperature: float = 0.0,
    ) -> None:
        self.dataset, self.temperature = dataset, temperature
        chosen = first_segments(dataset) if segments is None else segments
        self.segments = np.array(chosen, np.int64).reshape(-1, 3)
        graph = dataset.graph
        #: `(N, N)` rows that average over the neighbours; None where the graph changes.
        self.mean_weights = None if graph is None else graph.mean_weights.astype(np.float32)

    # ----------------------------------------------------------------- what it is
    @property
    def task(self) -> str:
        """Name of the task."""
        return self.dataset.description.task

    @property
    def num_agents(self) -> int:
        """N."""
        return self.dataset.num_agents

    @property
    def observation_size(self) -> int:
        """Entries d of an observation."""
        return self.dataset.description.observation.size

    @cached_property
    def action(self) -> ActionSpec:
        """One agent's action; where its space has no bound, the data's extremes stand in."""
        dataset = self.dataset
        return action_spec(dataset.description.action, dataset.metadata.statistics["actions"])

    @cached_property
    def preferences(self) -> NDArray[np.float64]:
        """`(S,)` shares of the segments, all alike without a temperature."""
        means = _mean_rewards(self.dataset, self.segments)
        return trajectory_weights(means, self.temperature)

    # -------------------------------------------------------------------- drawing
    def starts(self, horizon: int) -> NDArray[np.int64]:
        """`(S,)` number of windows of `horizon` observations in each segment.

        Raises:
            ValueError: if there is none in any of them.
        """
        lengths = self.segments[:, 2] - self.segments[:, 1]
        counts = np.maximum(lengths - horizon + 1, 0)
        if not counts.any():
            raise ValueError(
                f"{self.dataset.path} is too short for the horizon: {int(lengths.max())} "
                f"observations in a row, {horizon} needed."
            )
        return np.asarray(counts)

    def table(self, horizon: int, device: torch.device | None = None) -> WindowTable:
        """The windows of a length, to be drawn on a device.

        Raises:
            ValueError: if there is none.
        """
        counts = self.starts(horizon)
        shares = None
        if self.temperature:
            cumulative = np.cumsum(counts * self.preferences)
            shares = torch.from_numpy(cumulative / cumulative[-1]).to(device)
        columns = (self.segments[:, 0], self.segments[:, 1], counts, np.cumsum(counts))
        episodes, first, held, ends = (torch.from_numpy(c.copy()).to(device) for c in columns)
        return WindowTable(episodes, first, held, ends, int(counts.sum()), shares)

    def draw(self, count: int, horizon: int, seed: int) -> JointWindows:
        """Random joint windows, all alike or by preference; equal seeds draw equal windows.

        Raises:
            ValueError: if the segments are shorter than `horizon` observations.
        """
        keys = hashed(torch.full((count,), signed(seed)), torch.arange(count))
        episodes, starts = self.table(horizon).places(keys)
        return self.gather(Places(episodes.numpy(), starts.numpy()), horizon)

    # -------------------------------------------------------------------- reading
    def gather(self, places: Places, horizon: int) -> JointWindows:
        """The joint windows at given places."""
        return JointWindows(
            self.observations(places, horizon),
            self.actions(places, horizon - 1),
            self.rewards(places, horizon - 1),
            self.neighbor_weights(places, horizon),
        )

    def tensors(
        self, episodes: Tensor, starts: Tensor, horizon: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What `JointWindows` holds, at `(W,)` episodes and first steps on the CPU, as tensors."""
        windows = self.gather(Places(episodes.numpy(), starts.numpy()), horizon)
        return (
            torch.from_numpy(windows.observations),
            torch.from_numpy(windows.actions),
            torch.from_numpy(windows.rewards),
            torch.from_numpy(windows.mean_weights),
        )

    def observations(self, places: Places, length: int) -> NDArray[np.float32]:
        """`(B, L, d)` of single agents or `(B, N, L, d)` of all, in the environment's units."""
        return windows_of(self.dataset.observations, places, length)

    def actions(self, places: Places, length: int) -> NDArray[Any]:
        """`(B, L[, A])` or `(B, N, L[, A])` as executed."""
        return windows_of(self.dataset.actions, places, length)

    def rewards(self, places: Places, length: int) -> NDArray[np.float64]:
        """`(B, L)` or `(B, N, L)` in the environment's units."""
        return windows_of(self.dataset.rewards, places, length)

    def terminations(self, places: Places) -> NDArray[np.bool_]:
        """`(B,)` where the first action of a window ended the task for good."""
        if not self.dataset.description.terminations:
            return np.zeros(len(places.episodes), np.bool_)
        flags = self.dataset.array("terminations")[places.episodes, places.starts]
        return np.asarray(flags, np.bool_)

    def neighbor_weights(self, places: Places, length: int) -> NDArray[np.float32]:
        """Weights of all agents in the mean of an agent's neighbours; none: all 0.

        Returns:
            `(B, L, N)` of single agents; of all, `(N, N)`, or `(B, L, N, N)` if the graph changes.
        """
        if self.mean_weights is None:
            adjacency = self.dataset.array("adjacency")
            if places.agents is None:
                heard = windows_of(adjacency[:, None], places, length)[:, 0]
            else:
                heard = windows_of(adjacency.swapaxes(1, 2), places, length)
            return mean_weights(torch.from_numpy(heard)).numpy()
        if places.agents is None:
            return self.mean_weights
        rows = self.mean_weights[places.agents]
        return np.broadcast_to(rows[:, None], (len(rows), length, rows.shape[1]))


def first_segments(
    dataset: TrajectoryDataset,
    trajectories: int | None = None,
    steps: int | None = None,
    name: str = "steps",
) -> list[Segment]:
    """The first trajectories, cut to their first steps.

    Args:
        dataset: to take from.
        trajectories: how many, all by default.
        steps: of each, all by default.
        name: of the steps, for messages.

    Raises:
        ValueError: if there is less data than asked for.
    """
    for what, asked, held in (
        ("trajectories", trajectories, dataset.num_episodes),
        (name, steps, dataset.num_steps),
    ):
        if asked is not None and not 1 <= asked <= held:
            raise ValueError(f"{dataset.path} has {held} {what}, not {asked}.")
    end = (steps or dataset.num_steps) + 1
    return [(int(e), 0, end) for e in dataset.episodes[:trajectories]]


def _mean_rewards(dataset: TrajectoryDataset, segments: Iterable[Segment]) -> NDArray[np.float64]:
    return np.array([dataset.rewards[e, :, start : end - 1].mean() for e, start, end in segments])


def held_out_split(
    dataset: TrajectoryDataset,
    horizon: int,
    trajectories: int | None = None,
    steps: int | None = None,
    temperature: float = 0.0,
) -> tuple[WindowSource, WindowSource | None]:
    """The first trajectories, cut to their first steps, as training and held-out data.

    The last trajectory is held out; of a single one, the last fifth, if it holds a window. Where
    good trajectories are preferred, what is held out must be good: the last fifth of the best one.

    Args:
        dataset: to take from.
        horizon: of the windows.
        trajectories: how many, all by default.
        steps: of each, all by default.
        temperature: of preferring trajectories of high reward; 0 for none.

    Raises:
        ValueError: if there is less data than asked for.
    """
    chosen = first_segments(dataset, trajectories, steps)
    end = chosen[0][2]
    if len(chosen) > 1 and not temperature:
        return WindowSource(dataset, chosen[:-1]), WindowSource(dataset, chosen[-1:])
    border = max(end - max(end // 5, horizon), 0)
    if border < horizon:
        return WindowSource(dataset, chosen, temperature), None
    best = int(_mean_rewards(dataset, chosen).argmax())
    episode = chosen[best][0]
    chosen[best] = (episode, 0, border)
    return (
        WindowSource(dataset, chosen, temperature),
        WindowSource(dataset, [(episode, border, end)]),
    )
