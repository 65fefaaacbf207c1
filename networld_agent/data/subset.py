"""Smaller data sets as data sets of their own: the selected episodes, copied."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.metadata import Description
from networld_agent.data.writer import write_episodes

__all__ = ["description_of", "write_subset"]


def description_of(dataset: TrajectoryDataset) -> Description:
    """The description of a data set that holds the selected episodes only."""
    full = dataset.description
    return dataclasses.replace(
        full,
        seeds=dataset.seeds,
        episode_policies=tuple(full.episode_policies[e] for e in dataset.episodes),
    )


def write_subset(
    dataset: TrajectoryDataset, out: Path, report: Callable[[int], None] | None = None
) -> Path:
    """Writes the selected episodes of a data set as a new data set.

    The first n episodes of a collection are, byte for byte, a collection of n episodes.

    Args:
        dataset: with the episodes to copy; see `TrajectoryDataset.first` and `select`.
        out: folder of the new data set; must not exist.
        report: called with the number of episodes done.
    """
    names = dataset.description.layouts()

    def arrays_of(position: int) -> dict[str, NDArray[Any]]:
        episode = dataset.episodes[position]
        return {name: dataset.array(name)[episode][None] for name in names}

    return write_episodes(out, description_of(dataset), arrays_of, report)
