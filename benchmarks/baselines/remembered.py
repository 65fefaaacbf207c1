"""Results that a comparison keeps in files, so that repeating its command goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from networld_agent.evaluation.json_values import finite_or_null
from networld_agent.storage import write_whole

__all__ = ["remembered"]


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
    try:
        found = json.loads(path.read_bytes())
        if isinstance(found, dict) and all(
            name in found and found[name] == value for name, value in wanted.items()
        ):
            return found
    except (FileNotFoundError, ValueError):
        pass  # nothing yet, or damaged: it is made anew
    text = json.dumps(finite_or_null({**identity, **make()}), indent=1, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (text + "\n").encode())
    document: dict[str, Any] = json.loads(text)
    return document
