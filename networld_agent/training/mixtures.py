"""Windows of one task from any number of data sets, at a cost that does not grow with it.

A data set of a family of deployments is hundreds of sources, more than a batch has windows. Each
step draws some: a batch has places for windows, and each place draws a source of its own stretch of
all sources, in order of their numbers of agents. So every source is drawn as often as every other
in expectation, counted in sequences; small and large networks are in every batch; and a place needs
hardly more rows than its source has agents. All shapes stay the same from step to step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.windows import Places, WindowSource, WindowTable
from networld_agent.keyed_random import hashed, integers, uniforms
from networld_agent.model.batch import Seating

__all__ = ["Drawn", "Mixture", "MixtureDrawer"]

#: Share of a place by which its stretch is cut at either end: rounding must not reach its
#: neighbours' sources, which may have more agents than it has rows.
_EDGE = 1e-9


@dataclass(frozen=True)
class Drawn:
    """Windows that were drawn, of one source or of several.

    Args:
        episodes: `(W,)` of the window's source.
        starts: `(W,)` first step.
        sources: `(W,)` position in `Mixture.sources`.
        weight: `(R,)` of the sequences in the loss; 0 in rows that a window leaves empty.
        seating: of the rows.
    """

    episodes: Tensor
    starts: Tensor
    sources: Tensor | None = None
    weight: Tensor | None = None
    seating: Seating | None = None


class Mixture:
    """How one process draws and lays out the windows of several sources of one task.

    Args:
        sources: of one task.
        sequences: of single agents that a batch should have of them, over all processes.
        weight: of all of them in the batch's loss.
        rank: of the process, which has every `world`-th place of the batch.
        world: number of processes.
    """

    def __init__(
        self,
        sources: Sequence[WindowSource],
        sequences: float,
        weight: float,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.sources = tuple(sorted(sources, key=lambda source: source.num_agents))
        self.agents = np.array([source.num_agents for source in self.sources])
        # A source is drawn in inverse proportion to its agents: every sequence then weighs alike.
        self.ends = np.cumsum(1 / self.agents)
        total, count = float(self.ends[-1]), len(self.sources)
        #: Joint windows of a batch, over all processes.
        self.windows = max(1, round(sequences * total / count))
        #: Length of each place's stretch of `ends`.
        self.stretch = total / self.windows
        #: Of each sequence in the batch's loss.
        self.weight = weight * self.stretch / count
        edges = self.stretch * np.arange(self.windows + 1)
        first = np.searchsorted(self.ends, edges[:-1] + _EDGE * self.stretch, side="right")
        last = np.searchsorted(self.ends, edges[1:] - _EDGE * self.stretch, side="left")
        #: Rows of a batch, over all processes.
        self.num_sequences = int(self.agents[last].sum())
        #: This process's places, and the first and last source of each.
        self.places = np.arange(rank, self.windows, world)
        self.first, self.last = first[self.places], last[self.places]
        # Sources are in order of their agents: the last one of a stretch has the most.
        self.rows = self.agents[self.last]
        #: `(R,)` window of each row, and the place of the row in it.
        self.window = np.repeat(np.arange(len(self.rows)), self.rows)
        self.starts = np.cumsum(self.rows) - self.rows
        self.member = np.arange(len(self.window)) - self.starts[self.window]
        #: Whether the graph of some source changes from step to step.
        self.moving = any(source.mean_weights is None for source in self.sources)

    @property
    def seats(self) -> int:
        """Rows of the largest window of this process."""
        return int(self.rows.max(initial=1))

    def seating(self, device: torch.device | None = None) -> Seating:
        """Where the agents of each window are."""
        member = np.arange(self.seats)
        seats = np.where(member < self.rows[:, None], self.starts[:, None] + member, 0)
        rows = self.window * self.seats + self.member
        return Seating(*(torch.from_numpy(part).to(device) for part in (seats, rows)))

    # -------------------------------------------------------------------- reading
    def tensors(self, drawn: Drawn, horizon: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Observations `(1, R, H, d)`, actions, rewards and weights `(W, 1 or H, n, n)`.

        Read from the memory maps; a row that its window leaves empty repeats
        another agent's, so that every number is one of the task.
        """
        assert drawn.sources is not None
        chosen, episodes, starts = (
            part.tolist() for part in (drawn.sources, drawn.episodes, drawn.starts)
        )
        first = self.sources[0].dataset
        lengths = horizon, horizon - 1, horizon - 1
        found = [
            np.empty((len(self.window), length, *array.shape[3:]), array.dtype)
            for array, length in zip(_arrays(first), lengths, strict=True)
        ]
        weights = np.zeros(
            (len(chosen), horizon if self.moving else 1, self.seats, self.seats), np.float32
        )
        for window, number in enumerate(chosen):
            source, agents = self.sources[number], int(self.agents[number])
            episode, start = episodes[window], starts[window]
            rows = self.starts[window], self.starts[window] + self.rows[window]
            for into, array, length in zip(found, _arrays(source.dataset), lengths, strict=True):
                read = array[episode, :, start : start + length]
                if rows[1] - rows[0] > agents:
                    read = read[np.arange(rows[1] - rows[0]) % agents]
                into[rows[0] : rows[1]] = read
            place = Places(np.array([episode]), np.array([start]))
            weights[window, :, :agents, :agents] = source.neighbor_weights(place, horizon)
        observations, actions, rewards = (torch.from_numpy(array)[None] for array in found)
        return observations, actions, rewards, torch.from_numpy(weights)


def _arrays(dataset: TrajectoryDataset) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    return dataset.observations, dataset.actions, dataset.rewards


class MixtureDrawer:
    """Draws the windows of a mixture on a device, without a word to the host.

    Args:
        mixture: of sources.
        horizon: of the windows.
        device: that draws.
    """

    def __init__(self, mixture: Mixture, horizon: int, device: torch.device) -> None:
        def sent(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(array).to(device)

        self._stretch, self._weight = mixture.stretch, mixture.weight
        self._places, self._ends = sent(mixture.places), sent(mixture.ends)
        self._first, self._last = sent(mixture.first), sent(mixture.last)
        self._agents, self._window = sent(mixture.agents), sent(mixture.window)
        self._member = sent(mixture.member)
        self._seating = mixture.seating(device)
        self._table = _JoinedTable([source.table(horizon) for source in mixture.sources], device)

    def draw(self, source_keys: Tensor, window_keys: Tensor) -> Drawn:
        """The window of each place.

        Args:
            source_keys: `(W,)` that choose the sources.
            window_keys: `(W,)` that choose the windows in them.
        """
        where = (self._places + uniforms(source_keys)) * self._stretch
        sources = torch.searchsorted(self._ends, where, right=True)
        sources = sources.maximum(self._first).minimum(self._last)
        filled = self._member < self._agents[sources][self._window]
        weight = self._weight * filled.float()
        episodes, starts = self._table.places(sources, window_keys)
        return Drawn(episodes, starts, sources, weight, self._seating)


class _JoinedTable:
    """The windows of all sources, one table after the other."""

    def __init__(self, tables: Sequence[WindowTable], device: torch.device) -> None:
        def joined(columns: Sequence[Tensor]) -> Tensor:
            return torch.cat(list(columns)).to(device)

        self._episodes = joined([table.episodes for table in tables])
        self._first = joined([table.first for table in tables])
        self._counts = joined([table.counts for table in tables])
        self._ends = self._counts.cumsum(0)
        self._totals = torch.tensor([table.total for table in tables], device=device)
        self._before = self._totals.cumsum(0) - self._totals
        self._shares: Tensor | None = None
        if any(table.shares is not None for table in tables):
            # Shares of source s lie between s and s + 1.
            shares = [
                number + (table.ends / table.total if table.shares is None else table.shares)
                for number, table in enumerate(tables)
            ]
            self._shares = joined(shares)
            rows = np.cumsum([0, *(len(table.counts) for table in tables)])
            last = [
                int(row) + int(table.counts.nonzero()[-1])
                for row, table in zip(rows, tables, strict=False)
            ]
            self._last = torch.tensor(last, device=device)

    def places(self, sources: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Episodes and first steps, as `WindowTable.places`, of `(W,)` sources."""
        if self._shares is None:
            index = self._before[sources] + integers(keys, self._totals[sources])
            rows = torch.searchsorted(self._ends, index, right=True)
            offsets = index - (self._ends[rows] - self._counts[rows])
        else:
            rows = torch.searchsorted(self._shares, sources + uniforms(keys), right=True)
            rows = rows.minimum(self._last[sources])
            offsets = integers(hashed(keys, 1), self._counts[rows])
        return self._episodes[rows], self._first[rows] + offsets
