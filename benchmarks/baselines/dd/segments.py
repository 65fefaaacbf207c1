"""Trajectory segments for a diffuser: known history, future, and the future's return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.offline_data import OfflineData, Places

__all__ = ["SegmentBatch", "Segments", "segment_returns"]


@dataclass(frozen=True)
class SegmentBatch:
    """B segments of H observations, of which the first C are the history.

    Args:
        inputs: `(B, H, k)` scaled observations; the present is at C - 1.
        actions: `(B, H - C[, A])` as recorded, from the present on.
        returns: `(B,)` discounted sum of the rewards of these actions, unscaled.
    """

    inputs: Tensor
    actions: Tensor
    returns: NDArray[np.float64]


def segment_returns(rewards: NDArray[np.float64], gamma: float, length: int) -> NDArray[np.float64]:
    """Discounted sums of the next `length` rewards.

    Args:
        rewards: `(..., T)`.
        gamma: discount.
        length: at most T.

    Returns:
        `(..., T - length + 1)`.

    Example:
        >>> segment_returns(np.array([1.0, 2.0, 4.0]), 0.5, 2).tolist()
        [2.0, 4.0]
    """
    starts = rewards.shape[-1] - length + 1
    total = np.zeros((*rewards.shape[:-1], starts))
    for k in range(length):
        total += gamma**k * rewards[..., k : k + starts]
    return total


class Segments:
    """Segments whose present is drawn among the steps that have a whole future.

    Before an episode's first observation, the first one is repeated, as when acting.

    Args:
        data: that they come from.
        scaling: of the observations.
        horizon: H.
        history: C, below H.
        rewards: `(E, N, T)` that returns are made of, of the episodes of `data` in their order.
        gamma: of the returns.

    Raises:
        ValueError: if no step has a whole future.
    """

    def __init__(
        self,
        data: OfflineData,
        scaling: ObservationScaling,
        horizon: int,
        history: int,
        rewards: NDArray[np.float64],
        gamma: float,
    ) -> None:
        self._data, self._scaling = data, scaling
        self._horizon, self._history = horizon, history
        self._future = horizon - history
        steps = data.num_steps
        if steps < self._future:
            raise ValueError(
                f"{data.dataset.path} gives {steps} steps in a row, {self._future} are needed "
                f"(horizon {horizon} less history {history})."
            )
        self.returns = segment_returns(rewards, gamma, self._future)
        """`(E, N, T - H + C + 1)` of all segments."""

    def draw(self, count: int, rng: np.random.Generator) -> SegmentBatch:
        """`count` segments; equal generators draw equal segments."""
        data, before = self._data, self._history - 1
        positions, agents, presents = data.draw(count, self.returns.shape[2], rng)
        places = Places(data.episodes[positions], agents, presents)
        first = np.maximum(presents - before, 0)
        length = min(self._horizon, data.num_steps + 1)
        read = self._scaling.inputs(data, Places(places.episodes, agents, first), length)
        times = np.maximum(presents[:, None] - before + np.arange(self._horizon), 0)
        rows = torch.arange(count)[:, None]
        return SegmentBatch(
            read[rows, torch.from_numpy(times - first[:, None])],
            torch.from_numpy(np.asarray(data.actions(places, self._future))),
            self.returns[positions, agents, presents],
        )
