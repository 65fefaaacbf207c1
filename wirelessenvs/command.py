"""What the command lines of this package share: options, errors as sentences, whole files."""

from __future__ import annotations

import argparse
import ast
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = [
    "Progress",
    "add_config_options",
    "check_targets",
    "parse_overrides",
    "run",
    "whole_file",
]


def run(command: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> int:
    """Runs a command; an expected fault becomes one sentence on stderr and exit status 2."""
    try:
        command(options)
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone: no fault of anybody. Python would complain
        # again when it flushes at exit, so standard output goes nowhere from here.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, TypeError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted.", file=sys.stderr)
        return 130
    return 0


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Adds `--preset` and `--set name=value`."""
    parser.add_argument("--preset", help="named configuration of the task (default: its first)")
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="override one argument of the environment, e.g. --set num_cells=7; repeatable",
    )


def parse_overrides(pairs: Sequence[str]) -> dict[str, Any]:
    """`["num_cells=7", "observation=log"]` as keyword arguments; plain words are strings."""
    overrides: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"--set takes NAME=VALUE, got {pair!r}.")
        try:
            overrides[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            overrides[name] = text
    return overrides


def check_targets(*paths: Path | None) -> None:
    """Raises now, before long work, if one of the paths (None is skipped) cannot be written.

    Raises:
        ValueError: naming the path and why.
    """
    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            raise ValueError(f"cannot write {path}: it is a folder.")
        if not path.parent.is_dir():
            raise ValueError(f"cannot write {path}: the folder {path.parent} does not exist.")
        if not os.access(path.parent, os.W_OK):
            raise ValueError(f"cannot write {path}: the folder {path.parent} is read-only.")


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it if the body succeeds: whole or not at all.

    Raises:
        ValueError: as `check_targets`.
    """
    target = Path(path)
    check_targets(target)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".partial-", suffix=target.suffix)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o666 & ~umask)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


class Progress:
    """One line with share done and time left, on a terminal only.

    Args:
        label: what is being done.
        total: number of units.
    """

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total = label, total
        self._start = self._shown = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def __call__(self, done: int) -> None:
        """Reports that `done` units are finished."""
        now = time.monotonic()
        if not self._terminal or (now - self._shown < 0.2 and done < self._total):
            return
        self._shown = now
        left = (now - self._start) * (self._total - done) / max(done, 1)
        print(
            f"\r{self._label}: {done}/{self._total}, {left:.0f} s left   ",
            end="",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        """Clears the line."""
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
