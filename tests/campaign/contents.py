"""What is compared between two runs: contents of folders but for times and versions."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

_TIME = re.compile(
    r"seconds|^time$|^ms|_ms$|_ms_|memory|attempts|^pid$|^machine$|^versions$|^git_revision$"
)
#: Notes about runs, not their results: what one more attempt adds to, the log, which nothing is
#: computed from, and what a run would go on from.
_NOTES = re.compile(
    r"^(attempt-\d+\.json|log\.txt|metrics\.jsonl|checkpoint(-\w+)?\.\w+|\.lock|.*\.lock)$"
)


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, or of one file, by path; of JSON without times.

    Raises:
        OSError: if one cannot be read.
    """
    files = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    found = {}
    for path in files:
        if path.is_file() and not _NOTES.match(path.name) and not path.name.startswith(".partial"):
            name = path.relative_to(folder).as_posix() if path != folder else path.name
            found[name] = _hashed(path)
    return found


def _hashed(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".json":
        data = _timeless(data)
    elif path.suffix == ".jsonl":
        data = b"\n".join(map(_timeless, data.splitlines()))
    elif path.suffix == ".csv":
        rows = list(csv.DictReader(data.decode().splitlines()))
        data = json.dumps(_without_times(rows)).encode()
    elif path.suffix == ".hdf5":
        return digest(_datasets(path))
    return hashlib.sha256(data).hexdigest()


def _datasets(path: Path) -> dict[str, Any]:
    import h5py

    found: dict[str, Any] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, node: found.update({name: node[()]}) if hasattr(node, "shape") else None
        )
    return found


def _timeless(data: bytes) -> bytes:
    document = json.loads(data)
    kept = _without_times(document)
    if kept != document and isinstance(kept, dict):
        kept.pop("sha256", None)  # of the times, too
    return json.dumps(kept, sort_keys=True).encode()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        # Sizes of a job's outputs: a log line's times differ in length.
        return {k: _without_times(v) for k, v in value.items() if not _TIME.search(k)}
    return [_without_times(entry) for entry in value] if isinstance(value, list) else value


def partial_files(folder: Path) -> list[str]:
    """What an unfinished writer would have left in a folder."""
    marks = (".partial", ".tmp", ".part", "scratch")
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if any(mark in path.name for mark in marks)
    )


def digest(value: Any) -> str:
    """SHA-256 of nested values, arrays and tensors among them."""
    found = hashlib.sha256()
    _feed(found, value)
    return found.hexdigest()


def _feed(found: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        found.update(f"{value.dtype}{value.shape}".encode())
        found.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, dict):
        for key in sorted(value, key=repr):
            found.update(repr(key).encode())
            _feed(found, value[key])
    elif isinstance(value, (list, tuple)):
        found.update(f"[{len(value)}".encode())
        for entry in value:
            _feed(found, entry)
    else:
        found.update(repr(value).encode())
