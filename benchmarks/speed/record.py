"""The file of a piece: what was measured, on which card, from which code."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.imports import digest, module_files
from benchmarks.speed.piece import Piece
from networld_agent.documents import checksum, write_document
from wirelessenvs.command import program
from wirelessenvs.files import read_regular
from wirelessenvs.json_values import finite_or_null

__all__ = ["Record", "measured", "read_documents"]


@dataclass
class Record:
    """Rows of a piece by name, and the file that they are kept in.

    A row is `{"seconds": ..., "figures": {...}}`, or `{"error": sentence}` if it failed, or
    `{"begun": time}` while it is measured: a process that dies leaves that behind.

    Args:
        path: of the file.
        about: piece, settings, source, machine, command.
        rows: what is measured so far.
    """

    path: Path
    about: dict[str, Any]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, piece: Piece, machine: Mapping[str, Any], command: str) -> Record:
        """What a folder holds of a piece; nothing if other settings, code or another card made it.

        Args:
            folder: that exists.
            piece: measured.
            machine: card and versions; `machine["card"]` tells cards apart.
            command: line that measures it.
        """
        identity = {
            "piece": piece.name,
            "settings": asdict(piece.setting),
            "source": digest(module_files([piece.module])),
            "card": machine["card"],
        }
        record = cls(folder / f"{piece.name}.json", {**identity, **machine, "command": command})
        found = _read(record.path)
        if found is not None and all(found.get(k) == v for k, v in identity.items()):
            record.rows = found["rows"]
        return record

    def has(self, name: str) -> bool:
        """Whether a row is measured, or was found to be impossible here."""
        return "figures" in self.rows.get(name, {})

    def put(self, name: str, row: dict[str, Any]) -> None:
        """Replaces a row, and the file."""
        self.rows[name] = finite_or_null(row)
        write_document(self.path, {**self.about, "rows": self.rows})

    def reload(self) -> None:
        """Reads the rows anew: another process has added to them."""
        found = _read(self.path)
        self.rows = {} if found is None else found["rows"]


def _read(path: Path) -> dict[str, Any] | None:
    """The document of a file; None if it is no piece's, and if it is damaged, which is told."""
    try:
        document = json.loads(read_regular(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        print(f"{path} cannot be read: its measurements are left out.", file=sys.stderr)
        return None
    if not isinstance(document, dict) or not isinstance(document.get("rows"), dict):
        return None
    if "piece" not in document:
        return None
    try:
        fits = document.pop("sha256", None) == checksum(document)
    except (ValueError, RecursionError):
        fits = False  # numbers that JSON does not have
    if not fits:
        print(f"{path} does not fit its checksum: its measurements are left out.", file=sys.stderr)
        return None
    return document


def measured(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Figures by row, of what a document holds and could be measured."""
    return {
        name: row["figures"]
        for name, row in document["rows"].items()
        if "figures" in row and "skipped" not in row["figures"]
    }


def read_documents(folder: Path) -> dict[str, dict[str, Any]]:
    """All pieces that a folder holds, by name; a damaged file is told on stderr and left out.

    Raises:
        ValueError: if it holds none.
    """
    read = {path.stem: _read(path) for path in sorted(folder.glob("*.json"))}
    found = {name: document for name, document in read.items() if document is not None}
    if not found:
        raise ValueError(f"{folder} holds no measurements of {program('benchmarks.speed')}.")
    return found
