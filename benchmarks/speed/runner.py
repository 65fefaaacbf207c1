"""Runs pieces one after the other, as many as the time allows."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from benchmarks.speed.piece import Piece
from benchmarks.speed.record import Record
from benchmarks.speed.worker import to_do, work

__all__ = ["Outcome", "run_pieces", "start_worker"]

#: Seconds until a worker's process begins to measure.
_START_S: Final = 10.0


@dataclass
class Outcome:
    """How a run ended.

    Args:
        failed: "piece, row: sentence" of every row that failed.
        left: names of the pieces that were not begun for want of time.
    """

    failed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def start_worker(piece: Piece, out: Path, since: float, command: str) -> None:
    """Runs a worker's process to its end, whatever that is: its rows say what it did."""
    # A fork would share the state of the driver.
    process = get_context("spawn").Process(target=work, args=(piece, out, since, command))
    process.start()
    try:
        process.join()
    finally:
        process.kill()


def run_pieces(
    pieces: Sequence[Piece],
    out: Path,
    machine: Mapping[str, Any],
    command: str,
    minutes: float,
) -> Outcome:
    """Measures what is missing of some pieces.

    Args:
        pieces: in the order of measuring.
        out: folder of their files, made if it is not there.
        machine: as `describe_machine` gives it.
        command: line of the run, for the files.
        minutes: a piece whose stated cost goes beyond them is not begun.
    """
    out.mkdir(parents=True, exist_ok=True)
    out, since, end = out.resolve(), time.time(), time.monotonic() + 60 * minutes
    outcome = Outcome()
    for piece in pieces:
        record, rows = Record.open(out, piece, machine, command), piece.rows()
        missing = to_do(record, rows, since)
        if not missing:
            _say(f"{piece.name}: done already")
            continue
        cost, left = _START_S + sum(row.seconds for row in missing), end - time.monotonic()
        if cost > left:
            _say(f"{piece.name}: not begun: it takes {cost:.0f} s, {max(left, 0):.0f} s are left")
            outcome.left.append(piece.name)
            continue
        _say(f"{piece.name}: {len(missing)} measurements, about {cost:.0f} s")
        while missing:
            tried = len(missing)
            start_worker(piece, out, since, command)
            record.reload()
            missing = to_do(record, rows, since)
            if len(missing) == tried:
                # The process has died before its first row.
                record.put(
                    missing[0].name,
                    {"begun": time.time(), "error": "its process did not start: see above."},
                )
                missing = []
        outcome.failed += [
            f"{piece.name}, {name}: {row['error']}"
            for name, row in record.rows.items()
            if "error" in row
        ]
    return outcome


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
