"""Finds what is wrong with the values of a data set: file, field and position."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from networld_agent.data.metadata import Description, Metadata
from networld_agent.data.statistics import rows_of_file
from networld_agent.errors import DatasetError
from networld_agent.verified import VerifiedFiles
from wirelessenvs.tasks import TASKS

__all__ = ["check_sample", "verify_files"]


def check_sample(metadata: Metadata, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Checks the values of the first and last episode.

    Raises:
        DatasetError: naming file, field and position of the first illegal value.
    """
    description = metadata.description
    for name, array in arrays.items():
        layout = metadata.arrays[name].layout
        for episode in sorted({0, description.num_episodes - 1}):
            rows = np.asarray(array[episode]).reshape(-1, *layout.row_shape)
            for agent, row in enumerate(rows):
                _check_row(name, description, episode, agent, row)


def verify_files(folder: Path, metadata: Metadata, again: bool = False) -> None:
    """Reads every byte: all values legal, all checksums right.

    Args:
        folder: of the data set.
        metadata: of the data set.
        again: whether to read files, too, that have passed before and did not change since.

    Raises:
        DatasetError: naming file, field and position of the first fault.
    """
    sums = {f"{name}.npy": info.sha256 for name, info in metadata.arrays.items()}
    try:
        # With the metadata, whose bounds the values were compared with.
        seen = VerifiedFiles(folder, {"metadata.json": "", **sums})
        if again or not seen.known:
            _read_all(folder, metadata)
            seen.remember()
    except OSError as error:
        raise DatasetError(
            f"{error.filename or folder}: cannot be read: {error.strerror}."
        ) from None


def _read_all(folder: Path, metadata: Metadata) -> None:
    description = metadata.description
    for name, info in metadata.arrays.items():
        path = folder / f"{name}.npy"
        found = rows_of_file(path, info.layout, partial(_check_row, name, description))
        for episode, pair in enumerate(zip(found.episode_crc32, info.episode_crc32, strict=True)):
            if pair[0] != pair[1]:
                first = info.layout.offset(episode)
                raise DatasetError(
                    f"{path.name}: the checksum of episode {episode} (bytes {first} to "
                    f"{first + info.layout.episode_bytes - 1}) does not fit metadata.json: "
                    "the file was changed."
                )
        if found.sha256 != info.sha256:
            raise DatasetError(
                f"{path.name}: the checksum of the file does not fit key "
                f"'arrays.{name}.sha256' of metadata.json: its header was changed."
            )


def _check_row(
    name: str, description: Description, episode: int, agent: int, row: NDArray[Any]
) -> None:
    """Checks one agent's values in one episode, `(steps, ...)`."""
    wrong = np.zeros(row.shape, np.bool_)
    if np.issubdtype(row.dtype, np.floating):
        wrong = ~np.isfinite(row)
        if name == "metrics" and description.task not in TASKS:
            # An environment of others need not give every info in every step.
            wrong &= ~np.isnan(row)
    if wrong.any():
        index = np.argwhere(wrong)[0]
        value = row[tuple(index)]
        raise DatasetError(_place(name, description, episode, agent, index) + f" is {value}.")
    if name == "actions":
        low, high = description.action.bounds()
        columns = row.reshape(len(row), -1)
        wrong = (columns < low.astype(columns.dtype)) | (columns > high.astype(columns.dtype))
        if wrong.any():
            index = np.argwhere(wrong)[0]
            value, limits = columns[tuple(index)], (low[index[1]], high[index[1]])
            place = _place(name, description, episode, agent, index)
            raise DatasetError(f"{place} is {value:g}, outside {limits[0]:g} to {limits[1]:g}.")
    if name == "terminations" and (row[:-1].any() or row[-1] > 1):
        raise DatasetError(
            f"terminations.npy: episode {episode} must hold 0, and 0 or 1 at its last step: an "
            "episode that ends has no further steps."
        )
    if name == "adjacency" and (row > 1).any():
        index = np.argwhere(row > 1)[0]
        raise DatasetError(
            f"adjacency.npy: episode {episode}, step {index[0]}, agents {index[1]} and {index[2]} "
            f"is {row[tuple(index)]}, must be 0 or 1."
        )


def _place(
    name: str, description: Description, episode: int, agent: int, index: NDArray[np.int64]
) -> str:
    step, entry = int(index[0]), int(index[1]) if len(index) > 1 else 0
    if name == "state":
        return f"state.npy: the value at episode {episode}, step {step}, entry {entry}"
    fields = {
        "observations": description.observation.names,
        "actions": description.action.names,
        "metrics": tuple(metric.name for metric in description.metrics),
    }.get(name)
    field = "" if fields is None else f", field {fields[entry]!r}"
    who = description.agents[agent]
    return f"{name}.npy: the value at episode {episode}, agent {who}, step {step}{field}"
