"""What a job costs, over all its attempts, and the guard that ends an orphan."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

from networld_agent.storage import write_whole

__all__ = ["Meter"]

_EVERY_S = 2.0
#: Bytes in a unit of the greatest resident size.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Meter:
    """Writes the cost of this process into its job's folder every two seconds.

    A killed attempt leaves what it has used, so that the sum over attempts is the job's cost. If
    the process that started this one goes away, this one is asked to stop.

    Args:
        folder: of the job.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._began = folder, time.monotonic()
        number = sum(1 for _ in folder.glob("attempt-*.json"))
        self._path = folder / f"attempt-{number:03d}.json"
        self._parent, self._stop = os.getppid(), threading.Event()
        self._write()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._write()

    def total(self) -> dict[str, Any]:
        """Cost over all attempts: seconds, CPU seconds, peak memory in MB."""
        attempts = []
        for path in sorted(self._folder.glob("attempt-*.json")):
            try:
                attempts.append(json.loads(path.read_bytes()))
            except ValueError:
                continue  # a damaged note of what an attempt cost is no reason to lose its work
        return {
            "attempts": len(attempts),
            "wall_seconds": sum(entry["wall_seconds"] for entry in attempts),
            "cpu_seconds": sum(entry["cpu_seconds"] for entry in attempts),
            "peak_memory_mb": max(entry["peak_memory_mb"] for entry in attempts),
        }

    def _watch(self) -> None:
        noted = time.monotonic()
        while not self._stop.wait(0.5):
            if os.getppid() != self._parent:
                os.kill(os.getpid(), signal.SIGTERM)
                return
            if time.monotonic() - noted >= _EVERY_S:
                noted = time.monotonic()
                self._write()

    def _write(self) -> None:
        # Where there are file locks there is this, too: without, experiments can be read only.
        import resource

        own = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
        document = {
            "pid": os.getpid(),
            "wall_seconds": time.monotonic() - self._began,
            "cpu_seconds": cpu,
            "peak_memory_mb": max(own.ru_maxrss, children.ru_maxrss) * _RSS_UNIT / 1e6,
        }
        write_whole(self._path, json.dumps(document).encode())
