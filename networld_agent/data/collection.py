"""Several data sets of alike agents side by side: networks of other sizes, other tiers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.errors import DatasetError
from networld_agent.data.windows import Windows
from wirelessenvs.checks import check_int

__all__ = ["TrajectoryCollection"]


class TrajectoryCollection:
    """Data sets whose agents share observation size and action space, read as one.

    The number of agents, the graph, the number and the length of episodes may differ: windows are
    of single agents. Data sets are never padded.

    Args:
        datasets: at least one.

    Raises:
        DatasetError: if their agents are not alike.

    Example:
        >>> both = TrajectoryCollection.open("data/rb-8", "data/rb-9")  # doctest: +SKIP
        >>> batch = both.windows(256, 32, np.random.default_rng(0))  # doctest: +SKIP
    """

    def __init__(self, datasets: Sequence[TrajectoryDataset]) -> None:
        if not datasets:
            raise ValueError("a collection needs at least one data set.")
        self.datasets = tuple(datasets)
        first = self.datasets[0]
        for dataset in self.datasets[1:]:
            size, action = dataset.description.observation.size, dataset.description.action
            if size != first.description.observation.size:
                raise DatasetError(
                    f"{dataset.path} does not fit {first.path}: an observation has {size} entries "
                    f"there, {first.description.observation.size} here."
                )
            if action != first.description.action:
                raise DatasetError(
                    f"{dataset.path} does not fit {first.path}: the action spaces differ."
                )

    @classmethod
    def open(cls, *paths: str | Path, verify: str = "quick") -> TrajectoryCollection:
        """Opens data sets; a folder without `metadata.json` stands for all data sets in it.

        Raises:
            DatasetError: naming the fault of the first data set that has one.
        """
        folders: list[Path] = []
        for path in map(Path, paths):
            inner = sorted(entry.parent for entry in path.glob("*/metadata.json"))
            inner = [folder for folder in inner if not folder.name.startswith(".")]
            folders += inner if inner and not (path / "metadata.json").exists() else [path]
        return cls([TrajectoryDataset.open(folder, verify) for folder in folders])

    @property
    def num_episodes(self) -> int:
        """Episodes of all data sets."""
        return sum(dataset.num_episodes for dataset in self.datasets)

    def num_windows(self, horizon: int) -> int:
        """Number of different windows of a length."""
        return sum(dataset.num_windows(horizon) for dataset in self.datasets)

    def split(
        self, share: float, seed: int = 0
    ) -> tuple[TrajectoryCollection, TrajectoryCollection]:
        """Splits every data set by episodes; see `TrajectoryDataset.split`."""
        pairs = [dataset.split(share, seed) for dataset in self.datasets]
        left, right = zip(*pairs, strict=True)
        return TrajectoryCollection(left), TrajectoryCollection(right)

    def first(self, count: int) -> TrajectoryCollection:
        """Every data set with its first `count` episodes."""
        return TrajectoryCollection([dataset.first(count) for dataset in self.datasets])

    def windows(
        self,
        batch_size: int,
        horizon: int,
        rng: np.random.Generator,
        neighbors: bool = True,
    ) -> Windows:
        """Uniformly random windows of all data sets; see `TrajectoryDataset.windows`.

        Windows of one data set stand together; `Windows.datasets` tells which.
        """
        check_int("batch_size", batch_size, 1)
        counts = np.array([dataset.num_windows(horizon) for dataset in self.datasets])
        shares = rng.multinomial(batch_size, counts / counts.sum())
        parts = [
            dataset.windows(int(share), horizon, rng, neighbors)
            for dataset, share in zip(self.datasets, shares, strict=True)
            if share
        ]
        which = np.repeat(np.arange(len(shares)), shares)
        mean = [part.neighbors for part in parts if part.neighbors is not None]
        return Windows(
            np.concatenate([part.observations for part in parts]),
            np.concatenate(mean) if mean else None,
            np.concatenate([part.actions for part in parts]),
            np.concatenate([part.rewards for part in parts]),
            np.concatenate([part.episodes for part in parts]),
            np.concatenate([part.agents for part in parts]),
            np.concatenate([part.starts for part in parts]),
            which,
        )
