"""Trajectory segments for a diffuser: known history, future, and the future's return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.offline_data import OfflineData, Places
from networld_agent.data.windows import discounted_sums

__all__ = ["SegmentBatch", "Segments"]


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
                f"{data.where} gives {steps} steps in a row, {self._future} are needed "
                f"(horizon {horizon} less history {history})."
            )
        self.returns = discounted_sums(rewards, gamma, self._future)
        """`(E, N, T - H + C + 1)` of all segments."""

    def draw(self, count: int, rng: np.random.Generator) -> SegmentBatch:
        """`count` segments; equal generators draw equal segments."""
        data, before = self._data, self._history - 1
        positions, agents, presents = data.positions(count, self.returns.shape[2], rng)
        episodes, first = data.episodes[positions], np.maximum(presents - before, 0)
        length = min(self._horizon, data.num_steps + 1)
        read = self._scaling.inputs(data, Places(episodes, first, agents), length)
        times = np.maximum(presents[:, None] - before + np.arange(self._horizon), 0)
        rows = torch.arange(count)[:, None]
        return SegmentBatch(
            read[rows, torch.from_numpy(times - first[:, None])],
            torch.from_numpy(data.actions(Places(episodes, presents, agents), self._future)),
            self.returns[positions, agents, presents],
        )
