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
from networld_agent.training.mixtures import Drawn, Mixture

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
        self._readers = [
            _ResidentMixture(unit, device)
            if isinstance(unit, Mixture)
            else _ResidentSource(unit.sources[0], device)
            for unit in sampler.units.values()
        ]

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

    def tensors(self, drawn: Drawn, horizon: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The windows that start there; see `WindowSource.tensors`."""
        episodes, starts = drawn.episodes, drawn.starts
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


class _ResidentMixture:
    """The episodes of all sources of a mixture, each array as one table of steps.

    A number per source says where its steps begin; what a window needs is then one gather, however
    many sources there are.
    """

    def __init__(self, mixture: Mixture, device: torch.device) -> None:
        def sent(numbers: list[int]) -> Tensor:
            return torch.tensor(numbers, device=device)

        self._mixture = mixture
        self._agents = sent(mixture.agents.tolist())
        self._window = torch.from_numpy(mixture.window).to(device)
        self._member = torch.from_numpy(mixture.member).to(device)
        used = [np.unique(source.segments[:, 0]) for source in mixture.sources]
        # Episodes of the files as rows of what is uploaded.
        rows = [np.searchsorted(u, np.arange(u[-1] + 1)).clip(max=len(u) - 1) for u in used]
        self._rows = sent(np.concatenate(rows).tolist())
        self._first_row = sent([0, *np.cumsum([len(r) for r in rows]).tolist()][:-1])
        self._tables, self._begins, self._lengths = [], [], []
        for name in _ARRAYS:
            arrays = [source.dataset.array(name) for source in mixture.sources]
            counts = [len(u) * a.shape[1] * a.shape[2] for u, a in zip(used, arrays, strict=True)]
            table = torch.empty(
                (sum(counts), *arrays[0].shape[3:]),
                dtype=torch.from_numpy(arrays[0][:1, :1, :1].copy()).dtype, device=device,
            )  # fmt: skip
            place = 0
            for array, episodes in zip(arrays, used, strict=True):
                for episode in episodes:
                    steps = torch.from_numpy(np.array(array[episode])).flatten(0, 1)
                    table[place : place + len(steps)] = steps
                    place += len(steps)
            self._tables.append(table)
            self._begins.append(sent(np.cumsum([0, *counts]).tolist()[:-1]))
            self._lengths.append(sent([a.shape[2] for a in arrays]))
        self._send_graphs(used, device)

    def _send_graphs(self, used: list[NDArray[np.int64]], device: torch.device) -> None:
        """Neighbours' weights of all sources, matrix after matrix."""
        parts, begins, place = [], [], 0
        #: Per source, matrices per step and per episode; 0 where the graph stays.
        strides: list[tuple[int, int]] = []
        for source, episodes in zip(self._mixture.sources, used, strict=True):
            if source.mean_weights is not None:
                weights, stride = torch.from_numpy(source.mean_weights), (0, 0)
            else:
                adjacency = np.array(source.dataset.array("adjacency")[episodes])
                weights, stride = mean_weights(torch.from_numpy(adjacency)), (1, adjacency.shape[1])
            parts.append(weights.flatten())
            begins.append(place)
            strides.append(stride)
            place += weights.numel()
        self._matrices = torch.cat(parts).to(device)
        self._first_matrix = torch.tensor(begins, device=device)
        self._strides = torch.tensor(strides, device=device)

    def tensors(self, drawn: Drawn, horizon: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The windows that start there; see `Mixture.tensors`."""
        assert drawn.sources is not None
        sources, starts = drawn.sources, drawn.starts
        agents = self._agents[sources]
        row = self._rows[self._first_row[sources] + drawn.episodes]
        member = self._member % agents[self._window]
        steps = torch.arange(horizon, device=sources.device)
        found = []
        for i, table in enumerate(self._tables):
            begins, lengths = self._begins[i][sources], self._lengths[i][sources]
            first = begins + row * agents * lengths + starts
            places = (first[self._window] + member * lengths[self._window])[:, None]
            found.append(table[places + steps[: horizon if i == 0 else horizon - 1]][None])
        return found[0], found[1], found[2], self._weights(drawn, row, agents, steps)

    def _weights(self, drawn: Drawn, row: Tensor, agents: Tensor, steps: Tensor) -> Tensor:
        """`(W, 1 or H, n, n)`, zeros in empty seats."""
        assert drawn.sources is not None
        per_step, per_episode = self._strides[drawn.sources].unbind(1)
        times = steps if self._mixture.moving else steps[:1]
        matrix = (row * per_episode)[:, None] + per_step[:, None] * (drawn.starts[:, None] + times)
        seats = torch.arange(self._mixture.seats, device=steps.device)
        taken = seats < agents[:, None]
        size = agents[:, None, None, None]
        places = (
            self._first_matrix[drawn.sources][:, None, None, None]
            + (matrix[:, :, None, None] * size + seats[:, None]) * size
            + seats
        )
        both = (taken[:, :, None] & taken[:, None])[:, None].expand_as(places)
        return self._matrices[places.where(both, 0)].where(both, 0.0)


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
    for unit in sampler.units.values():
        for source in unit.sources:
            used = np.unique(source.segments[:, 0])
            sizes = {name: source.dataset.array(name)[0].nbytes for name in _ARRAYS}
            if source.mean_weights is None:
                adjacency = source.dataset.array("adjacency")[0]
                # A mixture holds weights, a single source what they are made of.
                sizes["adjacency"] = adjacency.size * (4 if isinstance(unit, Mixture) else 1)
            total += len(used) * sum(sizes.values())
    return total
