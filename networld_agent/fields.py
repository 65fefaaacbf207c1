"""Reads JSON of unknown origin key by key: every fault is one sentence naming the key."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from networld_agent.errors import DatasetError
from wirelessenvs.files import read_regular

__all__ = ["Fields", "read_json"]

T = TypeVar("T")


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        DatasetError: if the file is missing, unreadable or holds something else.
    """
    try:
        document = json.loads(read_regular(path), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise DatasetError(f"{path}: the file is missing: this is no data set.") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(f"{path.name}: is not valid JSON: {reason}.") from None
    if not isinstance(document, dict):
        raise DatasetError(f"{path.name}: must hold an object, got {_short(document)}.")
    return document


class Fields:
    """The entries of one JSON object, checked as they are taken.

    Args:
        document: the object.
        file: its file, for messages.
        prefix: of keys in messages, "action.".
        error: to raise.
    """

    def __init__(
        self,
        document: Any,
        file: str = "metadata.json",
        prefix: str = "",
        error: type[ValueError] = DatasetError,
    ) -> None:
        self._file, self._prefix, self._error = file, prefix, error
        if not isinstance(document, dict):
            raise self._fault(prefix.rstrip("."), "must be an object", document)
        self._document: dict[str, Any] = document

    def _fault(self, key: str, rule: str, value: object) -> ValueError:
        return self._error(f"{self._file}: key {key!r} {rule}, got {_short(value)}.")

    def fault(self, key: str, rule: str, value: object) -> ValueError:
        """The error for a key of this object whose value breaks a rule."""
        return self._fault(self._prefix + key, rule, value)

    def raw(self, key: str) -> Any:
        """The value as it is; raises if the key is missing."""
        if key not in self._document:
            raise self._error(f"{self._file}: key {self._prefix + key!r} is missing.")
        return self._document[key]

    def sub(self, key: str) -> Fields:
        """A nested object."""
        return Fields(self.raw(key), self._file, f"{self._prefix}{key}.", self._error)

    def __iter__(self) -> Iterator[str]:
        """Keys of this object."""
        return iter(self._document)

    def text(self, key: str, empty: bool = False) -> str:
        """A string."""
        return self._text(key, self.raw(key), empty)

    def integer(self, key: str, low: int = 0, high: int = 2**53) -> int:
        """An integer within bounds."""
        return self._integer(key, self.raw(key), low, high)

    def real(self, key: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number within bounds."""
        return self._real(key, self.raw(key), low, high)

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self.raw(key)
        if not isinstance(value, bool):
            raise self.fault(key, "must be true or false", value)
        return value

    def texts(self, key: str, size: int | None = None, empty: bool = False) -> tuple[str, ...]:
        """A list of strings."""
        return self._list(key, size, lambda name, value: self._text(name, value, empty))

    def integers(
        self, key: str, size: int | None = None, low: int = 0, high: int = 2**53
    ) -> tuple[int, ...]:
        """A list of integers within bounds."""
        return self._list(key, size, lambda name, value: self._integer(name, value, low, high))

    def reals(
        self, key: str, size: int | None = None, low: float = -math.inf, high: float = math.inf
    ) -> tuple[float, ...]:
        """A list of finite numbers within bounds."""
        return self._list(key, size, lambda name, value: self._real(name, value, low, high))

    def subs(self, key: str) -> tuple[Fields, ...]:
        """A list of objects."""
        return self._list(
            key,
            None,
            lambda name, value: Fields(value, self._file, f"{self._prefix}{name}.", self._error),
        )

    def bounds(self, key: str, size: int, null: bool = True) -> tuple[float | None, ...]:
        """A list of finite numbers, null where there is none if that may be."""
        return self._list(
            key,
            size,
            lambda name, value: (
                None if value is None and null else self._real(name, value, -math.inf)
            ),
        )

    def _list(self, key: str, size: int | None, check: Callable[[str, Any], T]) -> tuple[T, ...]:
        values = self.raw(key)
        if not isinstance(values, list) or (size is not None and len(values) != size):
            many = "a list" if size is None else f"a list of {size} entries"
            given = f"{len(values)} entries" if isinstance(values, list) else values
            raise self.fault(key, f"must be {many}", given)
        return tuple(check(f"{key}[{i}]", value) for i, value in enumerate(values))

    def _text(self, key: str, value: Any, empty: bool) -> str:
        if not isinstance(value, str) or (not value and not empty):
            raise self.fault(key, "must be a text", value)
        return value

    def _integer(self, key: str, value: Any, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.fault(key, f"must be an integer between {low} and {high}", value)
        return value

    def _real(self, key: str, value: Any, low: float, high: float = math.inf) -> float:
        wrong = isinstance(value, bool) or not isinstance(value, (int, float))
        try:
            number = math.nan if wrong else float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number) or not low <= number <= high:
            within = "" if math.isinf(low) else f" between {low:g} and {high:g}"
            raise self.fault(key, f"must be a finite number{within}", value)
        return number
