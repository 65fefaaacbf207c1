"""Stop signals of a training run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["stop_requests"]


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """SIGINT and SIGTERM are noted, to be honoured between steps: none is torn.

    A second one ends the process as usual.
    """
    received: list[int] = []
    old: dict[signal.Signals, Any] = {}

    def note(number: int, _: Any) -> None:
        received.append(number)
        signal.signal(number, old[signal.Signals(number)])

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            old[number] = signal.signal(number, note)
    except ValueError:
        pass  # not the main thread: the caller handles signals
    try:
        yield received
    finally:
        for kind, handler in old.items():
            signal.signal(kind, handler)
