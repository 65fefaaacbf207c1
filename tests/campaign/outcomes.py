"""What a case ends in, and how an error or the end of a command is judged."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Kinds of outcomes that are as they should be.
GOOD = {
    "clear": "one sentence that names file or argument, or exactly one line `error: ...`",
    "harmless": "used, with the result of the undamaged run",
    "forged": "used, with another result, after a forger had sealed the change with its checksum",
    "late": "the command had ended before it was killed",
}
#: Kinds of outcomes that are faults of the product.
FAULTS = {
    "traceback": "another exception than those of bad input",
    "unclear": "an exception of bad input whose message is not one line with a name in it",
    "hang": "no end within the time limit",
    "crash": "the process died",
    "silent": "what is damaged or illegal was used without a word, and changed the result",
    "wrong bytes": "outputs differ from those of the undamaged run although nothing was said",
    "partial": "a partial file stayed",
}


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Args:
        kind: one of `GOOD` or `FAULTS`.
        about: what was done to what, in words.
        group: equal for outcomes of one cause, as far as can be told.
        detail: the message.
    """

    kind: str
    about: str
    group: str = ""
    detail: str = ""


class RefusedError(Exception):
    """A command ended with another status than 0; holds what it wrote to standard error."""


class HangError(BaseException):
    """The time limit is over; no `except Exception` of the product may catch it."""


def judged(error: BaseException, about: str, names: Collection[str]) -> Outcome:
    """The outcome of a case that raised.

    Args:
        error: that was raised.
        about: what was done.
        names: of files or arguments, one of which the message must hold.
    """
    text = str(error)
    if isinstance(error, HangError):
        kind = "hang"
    elif isinstance(error, RefusedError):
        said = [line for line in text.splitlines() if line.startswith("error: ")]
        if "Traceback (most recent" in text:
            kind = "traceback"
        else:
            kind = "clear" if len(said) == 1 and named(said[0], names) else "unclear"
    elif isinstance(error, UnicodeError) or not isinstance(
        error, (ValueError, TypeError, OSError, ImportError)
    ):
        kind = "traceback"
    else:
        kind = "clear" if "\n" not in text and named(text, names) else "unclear"
    group = "" if kind == "clear" else _place(error)
    return Outcome(kind, about, group, text[-400:])


def named(text: str, names: Collection[str]) -> bool:
    """Whether one of the names stands in a text as a word of its own."""
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in names)


def _place(error: BaseException) -> str:
    """Type of an error and the last line of the product's that it came through."""
    if isinstance(error, RefusedError):
        return "command: " + " ".join(str(error).splitlines()[-1:])[:60]
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename.startswith(str(ROOT)) and "/tests/" not in f.filename]
    if not own:
        return type(error).__name__
    file = Path(own[-1].filename).relative_to(ROOT)
    return f"{type(error).__name__} in {file}: {own[-1].name}"


@contextlib.contextmanager
def captured() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """What the body prints, instead of printing it."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        yield out, errors


def run_command(main: Callable[[list[str]], int], *arguments: object) -> str:
    """Runs a command in this process; returns its standard output.

    Raises:
        RefusedError: if it ends with another status than 0.
    """
    with captured() as (out, errors):
        try:
            status = main([str(word) for word in arguments])
        except SystemExit as left:
            status = left.code
    if status != 0:
        raise RefusedError(errors.getvalue())
    sys.stderr.write(errors.getvalue())  # what it warned of
    return out.getvalue()
