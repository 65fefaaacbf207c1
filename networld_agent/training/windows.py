"""Joint windows of all agents from a data set, and what a model must know of its task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from networld_agent.data import TrajectoryDataset
from networld_agent.data.metadata import ActionInfo
from networld_agent.data.trajectory_weights import trajectory_weights
from networld_agent.keyed_random import hashed, integers, signed, uniforms
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.symlog import limit_of, symlog
from networld_agent.model.task_spec import ActionSpec, TaskSpec

__all__ = ["JointWindows", "WindowSource", "WindowTable", "held_out_split", "make_task_spec"]

#: Bins of standardised returns end at ten standard deviations, for every task alike.
_STANDARD_LIMIT = 10.0
#: Episodes from which the returns' scale is estimated.
_MOST_EPISODES = 64


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
    """Parts of the episodes of a data set, to draw joint windows from.

    Args:
        dataset: that the windows come from.
        segments: `(S, 3)` episode of the file, first observation, and end of the observations.
            All of the data set's episodes by default.
        temperature: of preferring segments of high reward (see `trajectory_weights`); 0 for none.
    """

    def __init__(
        self,
        dataset: TrajectoryDataset,
        segments: Sequence[tuple[int, int, int]] | None = None,
        temperature: float = 0.0,
    ) -> None:
        if segments is None:
            segments = [(int(e), 0, dataset.num_steps + 1) for e in dataset.episodes]
        self.dataset = dataset
        self.segments = np.array(segments, np.int64).reshape(-1, 3)
        self._preferences: NDArray[np.float64] | None = None
        if temperature:
            means = [dataset.rewards[e, :, start : end - 1].mean() for e, start, end in segments]
            self._preferences = trajectory_weights(np.array(means), temperature)
        graph = dataset.graph
        #: `(N, N)` rows that average over the neighbours; None where the graph changes.
        self.mean_weights = None if graph is None else graph.mean_weights.astype(np.float32)

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.dataset.description.task

    @property
    def num_agents(self) -> int:
        """N."""
        return self.dataset.num_agents

    def starts(self, horizon: int) -> NDArray[np.int64]:
        """`(S,)` number of windows in each segment.

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
        if self._preferences is not None:
            cumulative = np.cumsum(counts * self._preferences)
            shares = torch.from_numpy(cumulative / cumulative[-1]).to(device)
        columns = (self.segments[:, 0], self.segments[:, 1], counts, np.cumsum(counts))
        episodes, first, held, ends = (torch.from_numpy(c.copy()).to(device) for c in columns)
        return WindowTable(episodes, first, held, ends, int(counts.sum()), shares)

    def draw(self, count: int, horizon: int, seed: int) -> JointWindows:
        """Random windows, all alike or by preference; equal seeds draw equal windows."""
        keys = hashed(torch.full((count,), signed(seed)), torch.arange(count))
        episodes, starts = self.table(horizon).places(keys)
        return self.gather(list(zip(episodes.tolist(), starts.tolist(), strict=True)), horizon)

    def gather(self, places: Sequence[tuple[int, int]], horizon: int) -> JointWindows:
        """The windows at given pairs of episode and first step."""
        data = self.dataset
        last = horizon - 1
        if self.mean_weights is not None:
            weights = self.mean_weights
        else:
            adjacency = data.array("adjacency")
            heard = np.stack([adjacency[e, s : s + horizon] for e, s in places]).astype(np.float32)
            weights = heard / np.maximum(heard.sum(-1, keepdims=True), 1)
        return JointWindows(
            np.stack([data.observations[e, :, s : s + horizon] for e, s in places]),
            np.stack([data.actions[e, :, s : s + last] for e, s in places]),
            np.stack([data.rewards[e, :, s : s + last] for e, s in places]),
            weights,
        )


def held_out_split(
    dataset: TrajectoryDataset,
    horizon: int,
    trajectories: int | None,
    steps: int | None,
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
    for name, asked, held in (
        ("trajectories", trajectories, dataset.num_episodes),
        ("steps", steps, dataset.num_steps),
    ):
        if asked is not None and not 1 <= asked <= held:
            raise ValueError(f"{dataset.path} has {held} {name}, not {asked}.")
    end = (steps or dataset.num_steps) + 1
    chosen = [(int(e), 0, end) for e in dataset.episodes[: trajectories or dataset.num_episodes]]
    if len(chosen) > 1 and not temperature:
        return WindowSource(dataset, chosen[:-1]), WindowSource(dataset, chosen[-1:])
    border = max(end - max(end // 5, horizon), 0)
    if border < horizon:
        return WindowSource(dataset, chosen, temperature), None
    best = max(range(len(chosen)), key=lambda i: dataset.rewards[chosen[i][0], :, : end - 1].mean())
    episode = chosen[best][0]
    chosen[best] = (episode, 0, border)
    return (
        WindowSource(dataset, chosen, temperature),
        WindowSource(dataset, [(episode, border, end)]),
    )


def make_task_spec(
    name: str, index: int, sources: Sequence[WindowSource], config: WorldModelConfig
) -> TaskSpec:
    """What a model must know of the task that these sources share.

    Raises:
        ValueError: if they are not of one kind of agent.
    """
    first = sources[0].dataset
    for source in sources[1:]:
        description = source.dataset.description
        if description.observation.size != first.description.observation.size:
            raise ValueError(
                f"{source.dataset.path} does not fit {first.path}: both are {name!r}, with "
                f"observations of {description.observation.size} and "
                f"{first.description.observation.size} entries."
            )
        if description.action != first.description.action:
            raise ValueError(
                f"{source.dataset.path} does not fit {first.path}: both are {name!r}, with "
                "different actions."
            )
    returns = np.concatenate([_returns(source, config) for source in sources])
    mean, std, greatest = 0.0, 1.0, float(np.abs(returns).max())
    if config.return_scaling == "standardise":
        # A constant reward says nothing: any scale will do.
        mean, std = float(returns.mean()), float(returns.std()) or 1.0
        greatest = _STANDARD_LIMIT
    seen_mean, seen_std = _moments(sources, config.symlog) if config.standardise else ((), ())
    return TaskSpec(
        name=name,
        index=index,
        observation_size=first.description.observation.size,
        action=_action_spec(first.description.action, first.metadata.statistics),
        gamma=config.gamma,
        return_mean=mean,
        return_std=std,
        return_range=limit_of(greatest, 1.0 if config.return_scaling == "standardise" else 1.05),
        num_agents=tuple(sorted({source.num_agents for source in sources})),
        observation_mean=seen_mean,
        observation_std=seen_std,
    )


def _moments(
    sources: Sequence[WindowSource], compress: bool
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of every entry of the observations, after symlog."""
    parts = []
    for source in sources:
        segments = source.segments[:: max(1, -(-len(source.segments) // _MOST_EPISODES))]
        for episode, start, end in segments:
            seen = source.dataset.observations[episode, :, start:end]
            parts.append(seen.reshape(-1, seen.shape[-1]))
    entries = torch.from_numpy(np.concatenate(parts))
    scaled = (symlog(entries) if compress else entries).double()
    std = scaled.std(0, correction=0)
    # An entry that never changes in the data says nothing: any scale will do.
    std = torch.where(std > 1e-4, std, 1.0)
    return tuple(scaled.mean(0).float().tolist()), tuple(std.float().tolist())


def _returns(source: WindowSource, config: WorldModelConfig) -> NDArray[np.float64]:
    """Discounted returns of windows all over the source, flat."""
    counts = source.starts(config.horizon)
    rows = np.flatnonzero(counts)
    rows = rows[:: max(1, -(-len(rows) // _MOST_EPISODES))]
    parts = []
    for row in rows:
        episode, start, _ = source.segments[row]
        total = np.zeros((source.num_agents, counts[row]))
        for k in range(config.horizon - 1):
            here = slice(start + k, start + k + counts[row])
            total += config.gamma**k * source.dataset.rewards[episode, :, here]
        parts.append(np.ravel(total))
    return np.concatenate(parts)


def _action_spec(info: ActionInfo, statistics: dict[str, Any]) -> ActionSpec:
    if info.kind != "box":
        return ActionSpec(info.kind, sizes=info.sizes, start=info.start)
    low, high = info.bounds()
    seen = statistics["actions"]
    # Where the space has no bound, what the data holds is the best known.
    low = np.where(np.isfinite(low), low, np.array(seen["min"]))
    high = np.where(np.isfinite(high), high, np.array(seen["max"]))
    high = np.where(high > low, high, low + 1.0)
    return ActionSpec("box", low=tuple(low.tolist()), high=tuple(high.tolist()))
