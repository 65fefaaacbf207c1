"""What command lines share: imports, options, errors as sentences, whole files, progress."""

from __future__ import annotations

import argparse
import ast
import hashlib
import math
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TextIO

from wirelessenvs.checks import shown
from wirelessenvs.faults import fault_sentence, write_error
from wirelessenvs.locks import try_lock

__all__ = [
    "Progress",
    "add_config_options",
    "add_no_verify",
    "add_overrides",
    "call_as",
    "check_targets",
    "imports_of",
    "parse_overrides",
    "parse_value",
    "program",
    "replacing",
    "run",
    "split_values",
    "whole_file",
]

_INTERRUPTED: Final = "\ninterrupted."
#: How modules are called where it is not by `python -m`, by the beginning of their names.
_CALLED: Final[dict[str, str]] = {}


def call_as(prefix: str, words: str) -> None:
    """Says that commands whose modules begin with `prefix` are called with `words` in its place."""
    _CALLED[prefix] = words


def program(module: str) -> str:
    """A command as its user calls it, for its help and for what it says of its neighbours.

    Example:
        >>> program("wirelessenvs.play")
        'python -m wirelessenvs.play'
    """
    for prefix, words in _CALLED.items():
        if module.startswith(prefix):
            return words + module.removeprefix(prefix)
    return f"python -m {module}"


@contextmanager
def imports_of(name: str) -> Iterator[None]:
    """Surrounds a command's imports: what is not installed becomes one sentence, as in `run`.

    Args:
        name: `__name__` of the command's module; where it is imported, errors stay as they are.
    """
    try:
        yield
    except ImportError as error:
        if name != "__main__":
            raise
        print(f"error: {fault_sentence(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        if name != "__main__":
            raise
        print(_INTERRUPTED, file=sys.stderr)
        raise SystemExit(130) from None


def run(command: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> int:
    """Runs a command; an expected fault becomes one sentence on stderr and exit status 2.

    Warnings become sentences as well, without the line of code that gave them.
    """
    if sys.stderr is None:
        # Closed by whoever started this process (`2>&-`): there is nobody to tell.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    show = warnings.showwarning
    warnings.showwarning = _show_warning
    try:
        command(options)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone: no fault of anybody.
        _silence()
        return 141
    except Exception as error:
        given = vars(options) if isinstance(options, argparse.Namespace) else ()
        if (sentence := fault_sentence(error, given)) is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        _silence()
        return 2
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr)
        return 130
    finally:
        warnings.showwarning = show
    return 0


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {' '.join(str(message).split())}", file=sys.stderr)


def _silence() -> None:
    """Sends standard output nowhere if it cannot be written: Python would complain at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Adds `--preset` and `--set name=value`."""
    parser.add_argument("--preset", help="named configuration of the task (default: its first)")
    add_overrides(
        parser, "override one argument of the environment, e.g. --set num_cells=7; repeatable"
    )


def add_overrides(
    parser: argparse.ArgumentParser, meaning: str, metavar: str = "NAME=VALUE"
) -> None:
    """Adds `--set`, which may be repeated; `options.overrides` is the list of its words."""
    parser.add_argument(
        "--set", dest="overrides", metavar=metavar, action="append", default=[], help=meaning
    )


def add_no_verify(parser: argparse.ArgumentParser) -> None:
    """Adds `--no-verify`; `options.verify` is what `TrajectoryDataset.open` takes."""
    parser.add_argument(
        "--no-verify",
        dest="verify",
        action="store_const",
        const="quick",
        default="once",
        help="do not compare the data with its checksums (otherwise done once)",
    )


def parse_overrides(
    pairs: Sequence[str], option: str = "--set", form: str = "NAME=VALUE"
) -> dict[str, Any]:
    """`["num_cells=7", "observation=log"]` as keyword arguments; plain words are strings.

    Args:
        pairs: as given.
        option: of the command line, for errors.
        form: of a pair, for errors.

    Raises:
        ValueError: naming what is no such pair, and what is given twice.
    """
    overrides: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"{option} takes {form}, got {pair!r}.")
        if name in overrides:
            raise ValueError(f"{option} takes each name once, got {name} twice.")
        overrides[name] = parse_value(text)
    return overrides


def split_values(text: str, option: str) -> tuple[str, list[str]]:
    """Reads "NAME=VALUE,VALUE,..." of an option of the command line.

    Raises:
        ValueError: naming the option, for what is no such text.

    Example:
        >>> split_values("steps=1,3", "--sweep")
        ('steps', ['1', '3'])
    """
    name, equals, values = text.partition("=")
    if not equals or not all(values.split(",")):
        raise ValueError(f"{option} takes NAME=VALUE,VALUE,..., got {text!r}.")
    return name, values.split(",")


def parse_value(text: str) -> Any:
    """A Python literal, or true or false, as its value; any other text as it is.

    Raises:
        ValueError: for a dictionary that names a key twice: Python would keep the last.
    """
    if text in ("true", "false"):
        return text == "true"
    try:
        tree = ast.parse(text.lstrip(" \t"), mode="eval")
        value = ast.literal_eval(tree)
    except (ValueError, SyntaxError, RecursionError, MemoryError):  # the last: nested deeply
        return text
    for node in ast.walk(tree) if "{" in text else ():
        keys = [ast.unparse(key) for key in node.keys if key] if isinstance(node, ast.Dict) else []
        for k, key in enumerate(keys):
            if key in keys[:k]:
                raise ValueError(f"{shown(text)} must hold each key once, got {key} twice.")
    return value


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
    with replacing(target) as partial:
        yield partial


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """As `whole_file`, unchecked. What killed writers of the same file left behind goes.

    Raises:
        WriteError: naming the target and whatever is in the way.
    """
    mark = f".partial-{hashlib.sha256(target.name.encode()).hexdigest()[:8]}-"
    handle, partial = -1, None
    try:
        _delete_abandoned(target.parent, mark)
        handle, partial = _locked_file(target.parent, mark, target.suffix)
        yield partial
        # Before the rename: after a power cut a file of that name is whole, too.
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o666 & ~umask)
        partial.replace(target)
    except OSError as error:
        # Of our file, or of an open one, which has no name; the body may have read others.
        if partial is not None and error.filename not in (None, str(partial)):
            raise
        raise write_error(target, error) from None
    finally:
        if handle >= 0:
            os.close(handle)
        if partial is not None:
            partial.unlink(missing_ok=True)


def _locked_file(folder: Path, mark: str, suffix: str) -> tuple[int, Path]:
    """A new file that is locked while this process lives, where the system has such locks."""
    while True:
        handle, name = tempfile.mkstemp(dir=folder, prefix=mark, suffix=suffix)
        with suppress(OSError):
            try_lock(handle)
        if os.path.exists(name):
            return handle, Path(name)
        os.close(handle)  # before it was locked, another process took it for abandoned


def _delete_abandoned(folder: Path, mark: str) -> None:
    """Deletes partial files whose writer is dead, where the system has such locks."""
    for path in folder.glob(f"{mark}*"):
        with suppress(OSError):
            handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            try:
                if try_lock(handle):
                    path.unlink()
            finally:
                os.close(handle)


class Progress:
    """Share done, rate and time left: a line that moves on a terminal, or lines now and then.

    Args:
        unit: of the work, "steps".
        stream: where to; standard error by default.
        every_s: seconds between two lines where the stream is no terminal; none by default.
    """

    def __init__(self, unit: str, stream: TextIO | None = None, every_s: float = math.inf) -> None:
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
        speed = f"{rate:,.0f} {self._unit}/s, " if rate >= 0.5 else ""
        line = (
            f"{label}: {100 * done / total:.0f} % of {total} {self._unit}, "
            f"{speed}{_clock(left)} left"
        )
        start, end = ("\r", "\x1b[K") if self._terminal else ("", "\n")
        print(f"{start}{line}{end}", end="", file=self._stream, flush=True)

    def counter(self, label: str, total: int) -> Callable[[int], None]:
        """Reports work that begins now by the number of finished units alone."""
        self(label, 0, total)
        return lambda done: self(label, done, total)

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
