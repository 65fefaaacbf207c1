"""Smaller data sets as data sets of their own: the selected episodes, copied."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.files import Chunk
from networld_agent.data.metadata import Description
from networld_agent.data.writer import DatasetWriter

__all__ = ["description_of", "write_subset"]


def description_of(dataset: TrajectoryDataset) -> Description:
    """The description of a data set that holds the selected episodes only."""
    full = dataset.description
    return dataclasses.replace(
        full,
        seeds=tuple(full.seeds[e] for e in dataset.episodes),
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
    with DatasetWriter(out, description_of(dataset)) as writer:
        for position in writer.missing:
            episode = int(dataset.episodes[position])
            arrays = {name: np.asarray(dataset.array(name)[episode])[None] for name in names}
            writer.write(Chunk((position,), 0, arrays))
            writer.commit((position,))
            if report is not None:
                report(position + 1)
        return writer.finish()
