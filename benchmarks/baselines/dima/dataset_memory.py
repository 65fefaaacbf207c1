"""Stored joint trajectories as the world model's memory."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.baselines.dima.memory import Indices, Memory, Rows
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.offline_data import OfflineData

__all__ = ["DatasetMemory"]


class DatasetMemory(Memory):
    """One stream per joint trajectory.

    The data sets hold no global state: all agents' observations, one after the other, stand in for
    it. The team's reward is the mean over its agents.

    Args:
        data: to read.
    """

    def __init__(self, data: OfflineData) -> None:
        self._data, self._codec = data, ActionCodec(data.action)

    @property
    def state_size(self) -> int:
        """Size S = n O of the stand-in for the state."""
        return self._data.num_agents * self._data.observation_size

    def choose(
        self,
        count: int,
        rng: np.random.Generator,
        newest: bool = False,  # noqa: ARG002, all data is equally old
    ) -> tuple[Indices, Indices]:
        """Uniformly random steps."""
        steps = self._data.num_steps
        return np.divmod(rng.integers(len(self._data.episodes) * steps, size=count), steps)

    def read(self, streams: Indices, rows: Indices) -> Rows:
        """Copies of the rows that were asked for."""
        dataset, end = self._data.dataset, self._data.num_steps
        episodes = self._data.episodes[streams]
        observations = np.array(dataset.observations[episodes, :, rows], np.float32)
        taken = np.minimum(rows, end - 1)
        found = Rows(
            observations.reshape(*rows.shape, -1).copy(),
            observations,
            self._codec.encode(dataset.actions[episodes, :, taken]).numpy(),
            dataset.rewards[episodes, :, taken].mean(-1).astype(np.float32),
            np.zeros(rows.shape, np.bool_),
            rows < end,
        )
        for array in (found.actions, found.rewards):
            array[rows >= end] = 0
        return found

    def lengths(self, streams: Indices) -> Indices:
        """T + 1 of every trajectory."""
        return np.full(streams.shape, self._data.num_steps + 1)

    def sample(self, most: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Evenly spaced states `(M, S)`, observations `(M, n, O)` and rewards `(M,)`.

        Args:
            most: that M may be.
        """
        total = len(self._data.episodes) * self._data.num_steps
        places = np.unique(np.linspace(0, total - 1, min(total, most)).astype(np.int64))
        rows = self.read(*np.divmod(places, self._data.num_steps))
        return tuple(map(torch.from_numpy, (rows.states, rows.observations, rows.rewards)))  # type: ignore[return-value]
