"""The files of a comparison: its figures, and results that a repeated command goes on from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from networld_agent.documents import read_document, write_document, write_json
from networld_agent.errors import ModelError
from wirelessenvs.json_values import finite_or_null

__all__ = ["known_pieces", "remembered", "write_figures"]


def write_figures(
    path: Path, command: Sequence[str], machine: list[str], figures: dict[str, Any]
) -> None:
    """Writes the file whole, and says so.

    Args:
        path: of the file.
        command: words of the command line.
        machine: lines that describe it.
        figures: JSON values by name; null stands for numbers that are not finite.
    """
    write_json(path, {"command": " ".join(command), "machine": machine, **figures})
    print(f"wrote {path}")


def remembered(
    path: Path, identity: dict[str, Any], make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """The file's result if it is whole and of these settings; else a new one, which is written.

    Args:
        path: of the file.
        identity: all settings that the result depends on, as JSON values, under the same names in
            every call; they stand in the file.
        make: finds the result; JSON values under other names.

    Returns:
        Identity and result, as read from the file.
    """
    # As a reader returns it: lists, not tuples.
    wanted = json.loads(json.dumps(finite_or_null(identity), allow_nan=False))
    # Nothing yet, or damaged: it is made anew.
    with suppress(ModelError):
        found = read_document(path, "result")
        if all(name in found and found[name] == value for name, value in wanted.items()):
            return found
    write_document(path, finite_or_null({**identity, **make()}))
    return read_document(path, "result")


def known_pieces(folder: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """What `remembered` has written into a folder, every file of it.

    Args:
        folder: of the pieces.
        names: of entries that a table and a figure need.

    Raises:
        ValueError: naming a file that is no such piece, or the folder if it holds none.
    """
    rows = []
    for path in sorted(folder.glob("*.json")):
        try:
            row = read_document(path, "run of this study")
            for name in names:
                row[name]
        except (ModelError, KeyError):
            raise ValueError(f"{path} holds no run of this study.") from None
        rows.append(row)
    if not rows:
        raise ValueError(f"--pieces {folder} holds no finished run.")
    return rows
