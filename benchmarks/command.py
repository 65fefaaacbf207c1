"""What the command lines of proofs, studies and stopwatches share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from wirelessenvs.command import check_targets, run

__all__ = ["add_pieces", "run_command"]


def add_pieces(parser: argparse.ArgumentParser) -> None:
    """`--pieces`, the folder that a study's finished runs are written into."""
    parser.add_argument("--pieces", type=_folder, required=True, help="folder of the results")


def _folder(text: str) -> Path:
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} must be a folder, and is a file")
    return path


def run_command(
    work: Callable[[argparse.Namespace], None],
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
) -> int:
    """Parses and runs a command; returns its exit status.

    A `--json` that cannot be written is refused before any work.

    Args:
        work: takes the options; `options.command` is the whole command line, to stand beside
            figures, and `options.status` what to return where nothing fails, 0 unless it is set.
        parser: whose `prog` is the address of the command.
        arguments: of the command; those of the process by default.
    """

    def checked(options: argparse.Namespace) -> None:
        check_targets(getattr(options, "json", None))
        work(options)

    words = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(words)
    options.command, options.status = " ".join([parser.prog, *words]), 0
    return run(checked, options) or int(options.status)
