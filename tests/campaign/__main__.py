"""Runs the campaign, or what is missing of it: `python -m tests.campaign --help`."""

from __future__ import annotations

import os

# Before NumPy or Numba load.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")

import argparse
import sys
from pathlib import Path

from .campaign import PARTS, run_part


def main(arguments: list[str] | None = None) -> int:
    """The command; returns 1 if faults were found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.campaign",
        description="Damages files, gives random arguments, kills commands, and counts what "
        "happens. Repeat the same command to go on where it stopped; changed code starts anew.",
    )
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--count", type=int, help="cases of each part (default: the part's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="INDEX", help="replay one case of one part")
    parser.add_argument("--out", type=Path, default=Path("runs/campaign"))
    options = parser.parse_args(arguments)
    parts = options.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown part {', '.join(unknown)}; parts: {', '.join(PARTS)}")
    out = options.out.resolve()
    faults = 0
    for part in parts:
        faults += run_part(part, out, options.count, options.seed, options.only)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
