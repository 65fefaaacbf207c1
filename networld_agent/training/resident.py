"""A data set in the memory of a device, and the batches that are gathered there.

A step then needs nothing from the host: windows, noise levels and noise are all drawn where they
are used. Batches are those of `BatchSampler`, to the last bit of everything that is copied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from networld_agent.data.windows import WindowSource
from networld_agent.model.batch import Batch
from networld_agent.model.mean_field import mean_weights
from networld_agent.training.batches import BatchSampler

__all__ = ["ResidentBatches", "resident_bytes"]

_ARRAYS = ("observations", "actions", "rewards")


class ResidentBatches:
    """Batches of a sampler, drawn and gathered on a device.

    Args:
        sampler: says what a step holds.
        device: that takes the data.
    """

    def __init__(self, sampler: BatchSampler, device: torch.device) -> None:
        self._sampler, self._draw = sampler, sampler.drawer(device)
        self._readers = [_ResidentSource(source, device).tensors for source in sampler.sources]

    def __call__(self, step: Tensor) -> Batch:
        """The batch of a step, an int64 on the device; reads nothing from the host."""
        parts = self._sampler.parts(self._draw.places(step), self._readers)
        return Batch(parts, *self._draw.noise(step))


class _ResidentSource:
    """The episodes of one source, `(E, N, T, ...)` in their own types."""

    def __init__(self, source: WindowSource, device: torch.device) -> None:
        data, used = source.dataset, np.unique(source.segments[:, 0])
        self._arrays = [_upload(data.array(name), used, device) for name in _ARRAYS]
        self._agents = torch.arange(source.num_agents, device=device)[:, None]
        rows = torch.full((int(used[-1]) + 1,), -1, dtype=torch.int64)
        rows[torch.from_numpy(used)] = torch.arange(len(used))
        self._rows = rows.to(device)
        self._weights: Tensor | None = None
        if source.mean_weights is not None:
            self._weights = torch.from_numpy(source.mean_weights).to(device)
        else:
            self._adjacency = _upload(data.array("adjacency"), used, device)

    def tensors(
        self, episodes: Tensor, starts: Tensor, horizon: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The windows that start there; see `WindowSource.tensors`."""
        steps = starts[:, None] + torch.arange(horizon, device=starts.device)
        rows = self._rows[episodes][:, None, None]
        found = [
            array[rows, self._agents, steps[:, None, : horizon if i == 0 else horizon - 1]]
            for i, array in enumerate(self._arrays)
        ]
        weights = self._weights
        if weights is None:
            weights = mean_weights(self._adjacency[rows[:, 0], steps])
        return found[0], found[1], found[2], weights


def _upload(array: NDArray[Any], episodes: NDArray[np.int64], device: torch.device) -> Tensor:
    """These episodes of an array on a device, one after the other: a map is never read whole."""
    first = torch.from_numpy(np.array(array[episodes[0]]))
    tensor = torch.empty((len(episodes), *first.shape), dtype=first.dtype, device=device)
    for row, episode in enumerate(episodes):
        tensor[row] = torch.from_numpy(np.array(array[episode]))
    return tensor


def resident_bytes(sampler: BatchSampler) -> int:
    """Memory that the data of all sources takes on a device."""
    total = 0
    for source in sampler.sources:
        used = np.unique(source.segments[:, 0])
        names = _ARRAYS if source.mean_weights is not None else (*_ARRAYS, "adjacency")
        total += sum(len(used) * source.dataset.array(name)[0].nbytes for name in names)
    return total
