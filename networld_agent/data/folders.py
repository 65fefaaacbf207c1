"""Folders of data sets: a folder without metadata of its own stands for all data sets in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.errors import DatasetError

__all__ = ["open_datasets"]


def open_datasets(paths: Sequence[Path], verify: str = "once") -> list[TrajectoryDataset]:
    """Data sets at these places, those of a folder by name.

    Args:
        paths: of data sets, or of folders that hold some.
        verify: as in `TrajectoryDataset.open`.

    Raises:
        ValueError: naming the first fault.
    """
    folders: list[Path] = []
    for path in paths:
        inner = sorted(entry.parent for entry in path.glob("[!.]*/metadata.json"))
        folders += inner if inner and not (path / "metadata.json").exists() else [path]
    return [_open(folder, verify) for folder in folders]


def _open(folder: Path, verify: str) -> TrajectoryDataset:
    try:
        return TrajectoryDataset.open(folder, verify)
    except DatasetError as error:
        # Of several data sets, the name of an array does not say which one is damaged.
        named = str(folder) in str(error)
        raise DatasetError(str(error) if named else f"{folder}: {error}") from None
