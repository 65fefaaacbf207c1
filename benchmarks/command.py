"""What the command lines of proofs, studies and stopwatches share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from wirelessenvs.command import check_targets, run

__all__ = ["run_command"]


def run_command(
    work: Callable[[argparse.Namespace], None],
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
) -> int:
    """Parses and runs a command; returns its exit status.

    A `--json` that cannot be written, and a `--pieces` that is a file, are refused before any work.

    Args:
        work: takes the options; `options.command` is the whole command line, to stand beside
            figures, and `options.status` what to return where nothing fails, 0 unless it is set.
        parser: whose `prog` is the address of the command.
        arguments: of the command; those of the process by default.
    """

    def checked(options: argparse.Namespace) -> None:
        check_targets(getattr(options, "json", None))
        pieces = getattr(options, "pieces", None)
        if pieces is not None and pieces.exists() and not pieces.is_dir():
            raise ValueError(f"--pieces {pieces} must be a folder, and is a file.")
        work(options)

    words = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(words)
    options.command, options.status = " ".join([parser.prog, *words]), 0
    return run(checked, options) or int(options.status)
