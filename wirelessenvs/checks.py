"""Checks of constructor arguments: one clear sentence naming argument, value and bound."""

from __future__ import annotations

import dataclasses
import math
import numbers
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar, get_type_hints

import numpy as np

__all__ = [
    "as_array",
    "check_choice",
    "check_fields",
    "check_flag",
    "check_int",
    "check_matrix",
    "check_names",
    "check_real",
    "check_vector",
    "real_array",
    "reason",
    "shown",
]

T = TypeVar("T")

#: Characters of a value in a sentence.
_MOST_SHOWN = 120


def shown(value: object) -> str:
    """A value as a sentence can hold it: on one line, and cut if it is long.

    Example:
        >>> shown("rb-8"), shown(np.zeros((2, 3)))
        ("'rb-8'", 'an array of float64 and shape (2, 3)')
    """
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return f"an array of {value.dtype} and shape {value.shape}"
    if type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "shape"):
        return f"a {type(value).__name__} of shape {value.shape}"
    try:
        text = re.sub(r"\s*\n\s*", " ", repr(value))
    except ValueError:  # Python refuses to write integers of thousands of digits
        return f"a value of type {type(value).__name__} that is too long to be shown"
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."


def reason(error: BaseException) -> str:
    """What an error says, on one line; its kind if it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def _bounds(low: float | None, high: float | None, low_open: bool = False) -> str:
    if low_open:
        return f"greater than {low}" + ("" if high is None else f" and at most {high}")
    if low is not None and high is not None:
        return f"between {low} and {high}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}"


def check_int(name: str, value: object, low: int | None = None, high: int | None = None) -> int:
    """Returns `value` as a Python integer.

    Raises:
        TypeError: if it is no integer (booleans are none).
        ValueError: if it lies outside `low`..`high`.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {shown(value)}.")
    number = int(value)
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(f"{name} must be {_bounds(low, high)}, got {shown(number)}.")
    return number


def check_real(
    name: str,
    value: object,
    low: float | None = None,
    high: float | None = None,
    *,
    low_open: bool = False,
) -> float:
    """Returns `value` as a finite float within `low`..`high` (above `low` if `low_open`).

    Raises:
        TypeError: if it is no real number (booleans are none).
        ValueError: if it is not finite or outside the bounds.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {shown(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {shown(value)}.")
    too_low = low is not None and (number <= low if low_open else number < low)
    if too_low or (high is not None and number > high):
        raise ValueError(f"{name} must be {_bounds(low, high, low_open)}, got {number:g}.")
    return number


def check_flag(name: str, value: object) -> bool:
    """Returns `value` as a bool; raises `TypeError` for anything that is not one."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {shown(value)}.")
    return bool(value)


def check_choice(name: str, value: T, choices: Iterable[T]) -> T:
    """Returns `value` if it is one of `choices`; the error lists them."""
    allowed = tuple(choices)
    try:
        known = any(type(value) is type(choice) and value == choice for choice in allowed)
    except (TypeError, ValueError):
        known = False
    if not known:
        listed = ", ".join(repr(choice) for choice in allowed)
        raise ValueError(f"{name} must be one of {listed}, got {shown(value)}.")
    return value


def check_names(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises `TypeError` for the first name in `given` that is not in `known`, listing these."""
    allowed = sorted(known)
    for name in given:
        if name not in allowed:
            raise TypeError(f"unknown {what} {name!r}; known: {', '.join(allowed)}.")


def check_fields(
    config: Any,
    *,
    zero: Collection[str] = (),
    signed: Collection[str] = (),
    choices: Mapping[str, Sequence[str]] | None = None,
    most: int | None = None,
    positive: bool = False,
) -> None:
    """Checks the fields of a dataclass by their types, from its `__post_init__`.

    Integers are at least 1, reals at least 0 and stored as floats; flags and words are such. Fields
    of other types are the dataclass's own business, and so are further bounds.

    Args:
        config: of any dataclass, frozen or not.
        zero: integers that may be 0 and, with `positive`, reals that may.
        signed: reals of either sign.
        choices: what the words of a field may be.
        most: greatest integer.
        positive: whether reals must be greater than 0.

    Raises:
        TypeError: for a value of another type than its field's.
        ValueError: for a value out of bounds.
    """
    kinds = get_type_hints(type(config))
    for name in (field.name for field in dataclasses.fields(config)):
        kind, value = kinds[name], getattr(config, name)
        if choices is not None and name in choices:
            check_choice(name, value, choices[name])
        elif kind is int:
            check_int(name, value, 0 if name in zero else 1, most)
        elif kind is bool:
            check_flag(name, value)
        elif kind is float:
            low = None if name in signed else 0
            number = check_real(name, value, low, low_open=positive and name not in zero)
            object.__setattr__(config, name, number)
        elif kind is str and not isinstance(value, str):
            raise TypeError(f"{name} must be a word, got {shown(value)}.")


def as_array(name: str, value: object) -> np.ndarray:
    """Returns what NumPy makes of `value`; raises `TypeError` if that is no array of one shape."""
    if np.ma.is_masked(value):
        raise TypeError(f"{name} must have no masked entries, got {shown(value)}.")
    try:
        return np.asarray(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be an array of numbers, got {shown(value)}.") from None


def real_array(name: str, value: object) -> np.ndarray:
    """Returns `value` as a fresh float64 array.

    Raises:
        TypeError: for what holds no real numbers: words, dates and complex numbers, which NumPy
            would turn into some.
    """
    array = as_array(name, value)
    real = array.dtype.kind in "biuf"
    if array.dtype.kind == "O":  # large integers, columns of unlike types, None for a gap
        # pandas has a gap of its own; where it is not loaded, there can be none.
        gap = getattr(sys.modules.get("pandas"), "NA", None)
        if gap is not None:
            array = array.copy()
            for index, entry in enumerate(array.flat):
                if entry is gap:
                    array.flat[index] = None
        real = all(entry is None or isinstance(entry, numbers.Real) for entry in array.flat)
    try:
        if real:
            return np.array(array, np.float64)
    except OverflowError:
        pass
    raise TypeError(f"{name} must be an array of numbers, got {shown(value)}.")


def _array(
    name: str, value: object, ndim: int, low: float | None, high: float | None
) -> np.ndarray:
    array = real_array(name, value)
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {array.shape}.")
    _refuse(name, "finite", array, ~np.isfinite(array))
    wrong = array < (-math.inf if low is None else low)
    wrong |= array > (math.inf if high is None else high)
    _refuse(name, _bounds(low, high), array, wrong)
    return array


def _refuse(name: str, what: str, array: np.ndarray, wrong: np.ndarray) -> None:
    """Raises `ValueError` for the first wrong entry of a vector or matrix, if there is one."""
    if wrong.any():
        index = tuple(np.argwhere(wrong)[0])
        names = ("row", "column") if len(index) == 2 else ("entry",)
        place = ", ".join(f"{axis} {i}" for axis, i in zip(names, index, strict=True))
        raise ValueError(
            f"{name} must be {what} in every entry, got {array[index]:g} in {place} "
            "(counted from 0)."
        )


def check_vector(
    name: str,
    value: object,
    size: int | None = None,
    low: float | None = None,
    high: float | None = None,
) -> np.ndarray:
    """Returns `value` as a finite float64 vector of `size` entries within the bounds."""
    array = _array(name, value, 1, low, high)
    if size is not None and array.size != size:
        raise ValueError(f"{name} must have {size} entries, got {array.size}.")
    return array


def check_matrix(
    name: str,
    value: object,
    shape: tuple[int, int] | None = None,
    low: float | None = None,
    high: float | None = None,
) -> np.ndarray:
    """Returns `value` as a finite float64 matrix of `shape` within the bounds."""
    array = _array(name, value, 2, low, high)
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}.")
    return array
