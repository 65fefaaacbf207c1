"""Measures one GPU: `python -m benchmarks.speed.gpu --out runs/gpu`.

Repeat the command after its status 130, or after a stop, until it is 0. `--table` prints what a
folder holds, as Markdown, and measures nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.speed.gpu.card import choose_device, describe_machine
from benchmarks.speed.gpu.piece import NAMES, choose_pieces
from benchmarks.speed.gpu.record import read_documents
from benchmarks.speed.gpu.runner import run_pieces
from benchmarks.speed.gpu.tables import table_lines
from wirelessenvs.checks import check_real
from wirelessenvs.command import run

__all__ = ["main"]

#: As of `benchmarks.run`: something is left to do.
_LEFT: Final = 130


class FailedPiecesError(ValueError):
    """Some measurements failed; the sentence lists them."""


def _measure(options: argparse.Namespace) -> None:
    if options.table:
        print("\n".join(table_lines(read_documents(options.out))))
        return
    check_real("--minutes", options.minutes, 0, 1e6, low_open=True)
    device = choose_device(options.device)
    pieces = choose_pieces(options.pieces, options.preset, device, options.quick)
    if options.out.exists() and not options.out.is_dir():
        raise ValueError(f"--out {options.out} is a file: choose a folder.")
    command = " ".join(["python -m benchmarks.speed.gpu", *options.arguments])
    outcome = run_pieces(pieces, options.out, describe_machine(device), command, options.minutes)
    if any(options.out.glob("*.json")):
        print("\n".join(table_lines(read_documents(options.out))))
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
        prog="python -m benchmarks.speed.gpu",
        description="What one GPU does per second. Repeat the same command to go on.",
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
        "--preset", nargs="+", help="networks to train and plan with (default: by piece)"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: that everything works")
    parser.add_argument("--table", action="store_true", help="print what the folder holds")
    options = parser.parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    options.status = 0
    return run(_measure, options) or options.status


if __name__ == "__main__":
    sys.exit(main())
