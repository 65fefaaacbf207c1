"""The process of one piece: a fault of the driver or a hang takes nothing else with it."""

from __future__ import annotations

import faulthandler
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.card import describe_machine
from benchmarks.speed.piece import Piece, Row
from benchmarks.speed.record import Record
from networld_agent.orphans import end_with_parent

__all__ = ["measure", "to_do", "work"]

#: A row that takes this many times as long as stated, and a minute, hangs.
_PATIENCE, _LEAST_S = 6.0, 60.0


def to_do(record: Record, rows: Sequence[Row], since: float) -> list[Row]:
    """Rows that are neither measured nor were tried in this run."""
    return [
        row
        for row in rows
        if not record.has(row.name) and record.rows.get(row.name, {}).get("begun", 0.0) < since
    ]


def measure(record: Record, rows: Sequence[Row]) -> bool:
    """Measures rows until one fails; returns whether none did.

    After a fault the driver may refuse everything else: the rest is for another process.
    """
    for row in rows:
        begun = time.time()
        # If this process dies, this is what it leaves.
        unfinished = "the process ended while it was measured: see what it printed."
        record.put(row.name, {"begun": begun, "error": unfinished})
        limit = max(_LEAST_S, _PATIENCE * row.seconds)
        faulthandler.dump_traceback_later(limit, exit=True, file=sys.__stderr__ or sys.stderr)
        start = time.perf_counter()
        try:
            figures: dict[str, Any] = row.work()
        except Exception as error:
            sentence = f"{type(error).__name__}: {error}".strip().splitlines()[0]
            record.put(row.name, {"begun": begun, "error": sentence})
            _say(record, row, sentence)
            return False
        finally:
            faulthandler.cancel_dump_traceback_later()
        seconds = time.perf_counter() - start
        record.put(row.name, {"begun": begun, "seconds": seconds, "figures": figures})
        _say(record, row, figures.get("skipped", f"{seconds:.1f} s"))
    return True


def _say(record: Record, row: Row, what: str) -> None:
    print(f"{record.about['piece']}, {row.name}: {what}", file=sys.stderr, flush=True)


def work(piece: Piece, out: Path, since: float, command: str) -> None:
    """All that the process of a piece does.

    Args:
        piece: to measure.
        out: folder of the files.
        since: time of the run: rows that failed before are tried again.
        command: line of the whole run, for the files.
    """
    end_with_parent(grace_s=0)
    if piece.setting.threads:
        torch.set_num_threads(piece.setting.threads)
    machine = describe_machine(piece.setting.device)
    record = Record.open(out, piece, machine, command)
    measure(record, to_do(record, piece.rows(), since))
