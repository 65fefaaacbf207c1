"""Tables and figures of the main experiment, from whatever part of it is done.

python -m benchmarks.report --out runs/benchmark-demo --to benchmarks/results/demo
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wirelessenvs.command import imports_of, program, run

with imports_of(__name__):
    from benchmarks.experiment.reporting.page import write_report
    from benchmarks.experiment.reporting.results import read
    from benchmarks.experiment.reporting.terminal import terminal_text

__all__ = ["main"]


def _report(options: argparse.Namespace) -> None:
    to = options.to or options.out / "report"
    experiment = read(options.out)
    written = write_report(experiment, to)
    print(terminal_text(experiment), end="\n\n")
    if experiment.missing:
        print(f"{len(experiment.missing)} of {experiment.total} results are missing.")
    print(f"wrote {len(written)} files to {to}; open {to / 'index.html'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.report"),
        description="Tables and figures of an experiment's folder, finished or not.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder that benchmarks.run wrote")
    parser.add_argument("--to", type=Path, help="where to (default: OUT/report)")
    return run(_report, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
