"""Progress of long work: one line that moves on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

__all__ = ["ProgressLine"]


class ProgressLine:
    """Share done, rate and time left.

    Args:
        unit: of the work, "steps".
        stream: where to; standard error by default.
        every_s: seconds between two lines where the stream is no terminal.
    """

    def __init__(self, unit: str, stream: TextIO | None = None, every_s: float = 10.0) -> None:
        self._unit, self._stream = unit, stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._every_s = 0.2 if self._terminal else every_s
        self._label = ""
        self._began = self._shown = 0.0
        self._first = 0

    def __call__(self, label: str, done: int, total: int) -> None:
        """Reports that `done` of `total` units are finished; a new label starts anew."""
        now = time.monotonic()
        if label != self._label:
            self.close()
            # Work that an earlier run did says nothing about this one's speed.
            self._label, self._began, self._shown, self._first = label, now, now, done
            return
        if now - self._shown < self._every_s and not (self._terminal and done == total):
            return
        self._shown = now
        rate = (done - self._first) / max(now - self._began, 1e-9)
        left = (total - done) / rate if rate > 0 else 0.0
        line = (
            f"{label}: {100 * done / total:.0f} % of {total} {self._unit}, "
            f"{rate:,.0f} {self._unit}/s, {_clock(left)} left"
        )
        start, end = ("\r", "\x1b[K") if self._terminal else ("", "\n")
        print(f"{start}{line}{end}", end="", file=self._stream, flush=True)

    def close(self) -> None:
        """Clears the line of a terminal."""
        if self._terminal and self._label:
            print("\r\x1b[K", end="", file=self._stream, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
