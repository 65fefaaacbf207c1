"""The JSON file of a comparison: its figures, the command that made them, and the machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wirelessenvs.command import whole_file

__all__ = ["write_figures"]


def write_figures(
    path: Path, command: Sequence[str], machine: list[str], figures: dict[str, Any]
) -> None:
    """Writes the file whole, and says so.

    Args:
        path: of the file.
        command: words of the command line.
        machine: lines that describe it.
        figures: JSON values by name, without NaN.
    """
    document = {"command": " ".join(command), "machine": machine, **figures}
    with whole_file(path) as partial:
        partial.write_text(json.dumps(document, indent=1) + "\n")
    print(f"wrote {path}")
