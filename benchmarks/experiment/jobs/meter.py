"""What a job costs, over all its attempts."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from networld_agent.documents import read_document, write_document
from networld_agent.errors import ModelError

__all__ = ["Meter"]

_EVERY_S: Final = 2.0
_FIGURES: Final = ("wall_seconds", "cpu_seconds", "peak_memory_mb")
#: Bytes in a unit of the greatest resident size.
_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024


class Meter:
    """Writes the cost of this process into its job's folder every two seconds.

    A killed attempt leaves what it has used, so that the sum over attempts is the job's cost. Notes
    of earlier attempts are read now: at the end of the work nothing but memory is needed.

    Args:
        folder: of the job.

    Raises:
        OSError: if no note can be written there.
    """

    def __init__(self, folder: Path) -> None:
        self._began = time.monotonic()
        notes = sorted(folder.glob("attempt-*.json"))
        self._earlier = [cost for cost in map(_read, notes) if cost is not None]
        self._unknown = len(notes) - len(self._earlier)
        self._path = folder / f"attempt-{len(notes):03d}.json"
        self._stop = threading.Event()
        self._write()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        with suppress(OSError):
            self._write()

    def total(self) -> dict[str, Any]:
        """Cost over all attempts: seconds, CPU seconds, peak memory in MB.

        `unknown_attempts` are those whose note was damaged: their cost is in none of the figures.
        """
        known = [*self._earlier, self._own]
        return {
            "attempts": len(known) + self._unknown,
            "unknown_attempts": self._unknown,
            "wall_seconds": sum(cost["wall_seconds"] for cost in known),
            "cpu_seconds": sum(cost["cpu_seconds"] for cost in known),
            "peak_memory_mb": max(cost["peak_memory_mb"] for cost in known),
        }

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_S):
            # A full disk: the work finds out by itself, where it matters.
            with suppress(OSError):
                self._write()

    def _write(self) -> None:
        # Where there are file locks there is this, too: without, experiments can be read only.
        import resource

        own = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
        peak = max(own.ru_maxrss, children.ru_maxrss) * _RSS_UNIT / 1e6
        figures = (time.monotonic() - self._began, cpu, peak)
        self._own = dict(zip(_FIGURES, figures, strict=True))
        write_document(self._path, {"pid": os.getpid(), **self._own})


def _read(path: Path) -> dict[str, float] | None:
    """What an earlier attempt has cost; None, and a warning, if its note is damaged."""
    try:
        document = read_document(path, "note of an attempt")
        return {name: _checked(document[name]) for name in _FIGURES}
    except ModelError as error:
        fault = str(error)
    except (KeyError, TypeError, ValueError):
        fault = f"{path}: is no note of an attempt."
    print(f"warning: {fault} What that attempt has cost is not counted.", file=sys.stderr)
    return None


def _checked(value: Any) -> float:
    number = float(value)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError
    return number
