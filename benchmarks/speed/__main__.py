"""Measures one device: `python -m benchmarks.speed --out runs/gpu`.

Repeat the command after its status 130, or after a stop, until it is 0. `--table` prints what a
folder holds, as Markdown, and measures nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.command import run_command
from wirelessenvs.checks import check_int, check_real
from wirelessenvs.command import imports_of, program

with imports_of(__name__):
    from benchmarks.speed.card import describe_machine
    from benchmarks.speed.piece import NAMES, choose_pieces
    from benchmarks.speed.record import read_documents
    from benchmarks.speed.runner import run_pieces
    from benchmarks.speed.tables import document_lines
    from networld_agent.device import pick_device

__all__ = ["main"]

#: As of `benchmarks.run`: something is left to do.
_LEFT: Final = 130


class FailedPiecesError(ValueError):
    """Some measurements failed; the sentence lists them."""


def _measure(options: argparse.Namespace) -> None:
    if options.table:
        print("\n".join(document_lines(read_documents(options.out))))
        return
    check_real("--minutes", options.minutes, 0, 1e6, low_open=True)
    threads = check_int("--threads", options.threads, 0, 256)
    device = pick_device(options.device, tf32=False).type
    pieces = choose_pieces(options.pieces, options.preset, device, options.quick, threads)
    if options.out.exists() and not options.out.is_dir():
        raise ValueError(f"--out {options.out} is a file: choose a folder.")
    machine = describe_machine(device)
    outcome = run_pieces(pieces, options.out, machine, options.command, options.minutes)
    if any(options.out.glob("*.json")):
        print("\n".join(document_lines(read_documents(options.out))))
    if outcome.failed:
        raise FailedPiecesError(
            f"{len(outcome.failed)} measurements failed; all others are done. "
            + " | ".join(outcome.failed)
        )
    if outcome.left:
        print(f"\nleft: {', '.join(outcome.left)}: repeat the command.", file=sys.stderr)
        options.status = _LEFT


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status: 0 all is measured, 130 something is left, 2 a fault."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.speed"),
        description="What one device does per second. Repeat the same command to go on.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the JSON files")
    parser.add_argument(
        "--pieces", nargs="+", metavar="NAME",
        help=f"of {', '.join(NAMES)}, or one of a preset, as training-paper (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--minutes", type=float, default=9, help="begin nothing that ends later (default: 9)"
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "cpu"))
    parser.add_argument(
        "--threads", type=int, default=0, help="of torch on the CPU (default: its own choice)"
    )
    parser.add_argument(
        "--preset", nargs="+", help="networks to train and plan with (default: by piece)"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: that everything works")
    parser.add_argument("--table", action="store_true", help="print what the folder holds")
    return run_command(_measure, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
