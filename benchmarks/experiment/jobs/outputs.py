"""The files that a job leaves: whether they are still what it wrote, and can be gone on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from networld_agent.data import DatasetError, TrajectoryDataset
from networld_agent.data.metadata import Description
from networld_agent.errors import ModelError
from networld_agent.fields import read_json
from networld_agent.storage import check_weights
from networld_agent.training.checkpoints import load_checkpoint
from networld_agent.verified import VerifiedFiles
from wirelessenvs.files import check_regular, read_regular

__all__ = ["leftover_fault", "list_outputs", "output_fault"]

#: What only the job itself reads, to go on after a stop.
_OWN: Final = ("checkpoint", "metrics.jsonl", "config.json", ".")

#: Files that describe weights.
_DESCRIBED: Final = ("model.json", "policy.json", "world_model.json")


def list_outputs(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of the files that other jobs may read, by path in the job's folder.

    They are those in its subfolders: data sets, models, policies, snapshots.
    """
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": _sha256(path),
        }
        for path in sorted(folder.glob("*/**/*"))
        if path.is_file() and not path.name.startswith(_OWN)
    }


def output_fault(folder: Path, listed: dict[str, dict[str, Any]]) -> str | None:
    """The first of the files that is missing or changed, in a sentence; None if all are sound."""
    seen = None
    with suppress(OSError):
        seen = VerifiedFiles(folder, {name: wanted["sha256"] for name, wanted in listed.items()})
        if seen.known:
            return None
    for name, wanted in listed.items():
        path = folder / name
        try:
            size = check_regular(path).st_size
            if size != wanted["bytes"]:
                return f"{path}: has {size} bytes instead of {wanted['bytes']}."
            if _sha256(path) != wanted["sha256"]:
                return f"{path}: does not fit its checksum: the file was changed."
        except FileNotFoundError:
            return f"{path}: the file is missing."
        except OSError as error:
            return f"{path}: cannot be read: {error.strerror}."
    if seen is not None:
        seen.remember()
    return None


def leftover_fault(folder: Path) -> str | None:
    """Why a stopped job cannot go on from what it left, in a sentence; None if it can."""
    for check in (_checkpoints, _configurations, _collections, _results):
        for fault in check(folder):
            return fault
    return None


def _checkpoints(folder: Path) -> Iterator[str]:
    for path in folder.glob("*/checkpoint.json"):
        try:
            load_checkpoint(path.parent)
        except (ModelError, ValueError, KeyError, TypeError) as error:
            yield str(error) if isinstance(error, ValueError) else f"{path}: is damaged."


def _configurations(folder: Path) -> Iterator[str]:
    for path in folder.glob("*/config.json"):
        try:
            json.loads(read_regular(path))["settings"]
        except (OSError, ValueError, RecursionError, KeyError, TypeError):
            yield f"{path}: is damaged."


def _collections(folder: Path) -> Iterator[str]:
    # Of a collection whose arrays are damaged, the journal's checksums leave out what is.
    for path in folder.glob(".*.partial/description.json"):
        try:
            Description.from_json(read_json(path), path.name)
        except DatasetError as error:
            yield str(error)


def _results(folder: Path) -> Iterator[str]:
    # Of a job that was stopped between its last file and its result.
    try:
        for path in folder.glob("*/**/*.json"):
            if path.name in _DESCRIBED:
                check_weights(path)
        for path in folder.glob("*/metadata.json"):
            TrajectoryDataset.open(path.parent)
    except (ModelError, DatasetError) as error:
        yield str(error)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
