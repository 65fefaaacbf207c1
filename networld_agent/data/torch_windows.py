"""Windows of a data set as a PyTorch data set, for a `DataLoader`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from networld_agent.data.windows import Places, WindowSource
from networld_agent.keyed_random import hashed, integers, signed
from wirelessenvs.checks import check_int

__all__ = ["WindowBatches"]


class WindowBatches(IterableDataset[dict[str, Tensor]]):
    """Random windows in batches, the same for the same seed.

    Batch k depends on the seed and k alone, and worker w of W makes batches w, w + W, ...: a
    `DataLoader` with `batch_size=None` gives the same sequence with any number of workers. Each
    iteration begins with batch 0; another seed gives other windows.

    Args:
        source: of the windows; `WindowSource(dataset)` for all of a data set.
        batch_size: windows per batch B.
        horizon: observations per window H; there are H - 1 actions and rewards between them.
        seed: of the drawing.
        batches: how many; without an end by default.
        per_agent: give windows of single agents, drawn uniformly, instead of all agents'.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> source = WindowSource(TrajectoryDataset.open("data/rb-expert"))  # doctest: +SKIP
        >>> windows = WindowBatches(source, 32, 33, batches=1000)  # doctest: +SKIP
        >>> for batch in DataLoader(windows, batch_size=None, num_workers=2):  # doctest: +SKIP
        ...     batch["observations"].shape
        torch.Size([32, 8, 33, 4])

    Each batch has "observations" `(B, N, H, d)`, "actions" `(B, N, H - 1[, A])`, "rewards"
    `(B, N, H - 1)`, and the places of its windows, "episodes" and "starts" `(B,)`; windows of
    single agents have no axis N, and "agents" `(B,)`.
    """

    def __init__(
        self,
        source: WindowSource,
        batch_size: int,
        horizon: int,
        *,
        seed: int = 0,
        batches: int | None = None,
        per_agent: bool = False,
    ) -> None:
        super().__init__()
        self.source, self.per_agent = source, per_agent
        self.seed = check_int("seed", seed, 0, 2**63 - 1)
        self.batch_size = check_int("batch_size", batch_size, 1)
        self.horizon = check_int("horizon", horizon, 2)
        self.batches = None if batches is None else check_int("batches", batches, 0)
        self._table = source.table(horizon)  # raises where there is no window

    def batch(self, index: int) -> dict[str, Tensor]:
        """One batch of the sequence, by its index."""
        source, horizon = self.source, self.horizon
        keys = hashed(torch.full((self.batch_size,), signed(self.seed)), index)
        keys = hashed(keys, torch.arange(self.batch_size))
        episodes, starts = self._table.places(keys)
        agents = integers(hashed(keys, 2), source.num_agents) if self.per_agent else None
        places = Places(
            episodes.numpy(), starts.numpy(), None if agents is None else agents.numpy()
        )
        found = {
            "observations": torch.from_numpy(source.observations(places, horizon)),
            "actions": torch.from_numpy(source.actions(places, horizon - 1)),
            "rewards": torch.from_numpy(source.rewards(places, horizon - 1)),
            "episodes": episodes,
            "starts": starts,
        }
        return found if agents is None else {**found, "agents": agents}

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for index in itertools.count(first, step):
            if self.batches is not None and index >= self.batches:
                return
            yield self.batch(index)
