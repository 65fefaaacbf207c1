"""Traffic classes: what the users of a slice send, and what they ask of the network.

A law is a tuple of a word and numbers, so that it reads the same in Python, on a command line and
in JSON:

| law | value | for |
|---|---|---|
| `("constant", v)`, or the number v | v | both |
| `("uniform", low, high)` | between low and high | both |
| `("lomax", shape, scale, cap)` | min(scale X, cap), P(X > x) = (1 + x)^-shape | both |
| `("exponential", mean)` | exponential | gaps |
| `("choice", v, w, ...)` | one of up to 64 values, each as likely | sizes |

The Lomax law with a cap is a truncated Pareto law.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from wirelessenvs.checks import check_choice, check_int, check_real, check_vector, shown
from wirelessenvs.files import read_regular
from wirelessenvs.inputs import check_file

__all__ = ["MOST_SLICES", "Law", "TrafficClass", "greatest", "read_slices"]

#: A word and its numbers; see the table of this module.
Law = tuple[Any, ...]

#: Greatest number of slices.
MOST_SLICES: Final = 16
#: Parameters of each law; a choice has any number of values.
_LAWS: Final[dict[str, tuple[str, ...]]] = {
    "constant": ("value",),
    "uniform": ("low", "high"),
    "lomax": ("shape", "scale", "cap"),
    "exponential": ("mean",),
    "choice": ("value", "..."),
}
_GAPS: Final = ("constant", "uniform", "lomax", "exponential")
_SIZES: Final = ("constant", "uniform", "lomax", "choice")
#: Slots of the greatest gap that a table holds, and of the greatest mean of an exponential one.
_MOST_SLOTS, _MOST_MEAN_SLOTS = 10_000, 10_000_000


@dataclass(frozen=True, kw_only=True)
class TrafficClass:
    """One slice: the traffic of its users, their service level, share, weight and speed.

    A packet is successful if it meets the requirements that are given: one of `rate_bps` and
    `latency_s`, or both.

    Args:
        name: up to 20 lower-case letters, digits and underscores; part of the metrics' names. It
            must not end with `_before_N`, as names of earlier demands do.
        gap_s: law of the time from one packet of a user to the next, in seconds.
        bits: law of the size of a packet, in bits.
        rate_bps: rate that a successful packet reaches; None: any.
        latency_s: latency that a successful packet stays below; None: any.
        share: relative number of users; without effect beside `user_classes`, which names each
            user's slice.
        weight: of the satisfaction in the rewards `ssr` (normalised to sum 1) and `utility` (beta).
        speed_mps: of the users.
    """

    name: str
    gap_s: Law
    bits: Law
    rate_bps: float | None = None
    latency_s: float | None = None
    share: float = 1.0
    weight: float = 1.0
    speed_mps: float = 1.0


def greatest(law: Law) -> float:
    """Greatest value of a law of sizes."""
    return float(max(law[1:]) if law[0] == "choice" else law[-1])


def read_slices(
    value: Any, built_in: Sequence[TrafficClass], slot_s: float
) -> tuple[TrafficClass, ...]:
    """Checks slices that somebody brings along.

    Args:
        value: a sequence of classes: each a `TrafficClass`, a mapping of its fields, or the name of
            a built-in class. A mapping may hold `like`, the name of the built-in class that it
            takes all else from. Or JSON of such a list, or the path of a file of it.
        built_in: the classes that `like` names.
        slot_s: length of a slot.

    Raises:
        TypeError: for a value of the wrong type.
        ValueError: for a value out of bounds; both name slice and field.
    """
    if isinstance(value, (str, os.PathLike)):
        value = _read_json(value)
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise TypeError(f"slices must be a list of traffic classes, got {shown(value)}.")
    check_int("number of slices", len(value), 2, MOST_SLICES)
    known = {one.name: one for one in built_in}
    classes = tuple(_read_class(f"slices[{k}]", one, known, slot_s) for k, one in enumerate(value))
    names = [one.name for one in classes]
    for k, name in enumerate(names):
        if name in names[:k]:
            raise ValueError(f"slices must have names of their own, got {name!r} twice.")
    for field in ("share", "weight"):
        if not sum(getattr(one, field) for one in classes) > 0:
            raise ValueError(f"slices must have a positive {field}, got 0 in all of them.")
    return classes


def _read_json(value: str | os.PathLike[str]) -> Any:
    """What a JSON text that begins with [ holds, or a file of one."""
    text, where = str(value), "the text"
    if not text.lstrip().startswith("["):
        path = check_file("slices", value)
        # As CSV files are read: some editors put a byte-order mark before the text.
        text, where = read_regular(path).decode("utf-8-sig", "replace"), str(path)
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        reason = " ".join(str(error).split())
    except _RepeatedKeyError as error:
        raise ValueError(f"slices: {where} {error}.") from None
    except ValueError:  # of Python's, who reads no longer integers
        digits = sys.get_int_max_str_digits()
        raise ValueError(
            f"slices: {where} must hold numbers of at most {digits} digits, got a longer one."
        ) from None
    except RecursionError:
        reason = "it is nested too deeply"
    raise ValueError(f"slices: {where} is no list in JSON ({reason}).")


class _RepeatedKeyError(ValueError):
    """Says which key an object has twice, and in what."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, whose keys may stand in it once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for k, key in enumerate(keys) if key in keys[:k])
        place = f" of {shown(found['name'])}" if "name" in found else ""
        raise _RepeatedKeyError(f"must hold each key{place} once, got {shown(twice)} twice")
    return found


def _read_class(
    place: str, value: Any, known: Mapping[str, TrafficClass], slot_s: float
) -> TrafficClass:
    given = {"like": value} if isinstance(value, str) else value
    if isinstance(given, TrafficClass):
        given = {field.name: getattr(given, field.name) for field in dataclasses.fields(given)}
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{place} must be a mapping of the fields of a traffic class, or one of "
            f"{', '.join(map(repr, known))}, got {shown(value)}."
        )
    fields = dict(given)
    if "like" in fields:
        like = known[check_choice(f"{place}.like", fields.pop("like"), known)]
        fields = {f.name: getattr(like, f.name) for f in dataclasses.fields(like)} | fields
    allowed = [field.name for field in dataclasses.fields(TrafficClass)]
    for name in fields:
        if name not in allowed:
            raise TypeError(
                f"{place} got an unknown field {shown(name)}; known: {', '.join(sorted(allowed))}, "
                f"like."
            )
    for name in ("name", "gap_s", "bits"):
        if name not in fields:
            raise ValueError(
                f"{place} must have name, gap_s and bits, or like, a built-in class; {name} is "
                f"missing."
            )
    return _checked(place, TrafficClass(**fields), slot_s)


def _checked(place: str, one: TrafficClass, slot_s: float) -> TrafficClass:
    if not isinstance(one.name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,19}", one.name):
        raise ValueError(
            f"{place}.name must be a lower-case letter and up to 19 more, digits or underscores, "
            f"got {shown(one.name)}."
        )
    if re.search(r"_before_[0-9]+$", one.name):
        # The demand of `a` in the window before the last is observed as demand_a_before_1.
        raise ValueError(
            f"{place}.name must not end with _before_ and a number, which marks demands of earlier "
            f"windows, got {one.name!r}."
        )
    if one.rate_bps is None and one.latency_s is None:
        raise ValueError(f"{place} must have rate_bps or latency_s, or both, got neither.")
    rate, latency = one.rate_bps, one.latency_s
    if rate is not None:
        rate = check_real(f"{place}.rate_bps", rate, 0, 1e15, low_open=True)
    if latency is not None:
        # A packet takes a slot at least, and must stay below.
        latency = check_real(f"{place}.latency_s", latency, slot_s, 1e6, low_open=True)
    return TrafficClass(
        name=one.name,
        gap_s=_gap(f"{place}.gap_s", one.gap_s, slot_s),
        bits=_size(f"{place}.bits", one.bits),
        rate_bps=rate,
        latency_s=latency,
        share=check_real(f"{place}.share", one.share, 0, 1e9),
        weight=check_real(f"{place}.weight", one.weight, 0, 1e9),
        speed_mps=check_real(f"{place}.speed_mps", one.speed_mps, 0, 1e3),
    )


def _gap(place: str, value: Any, slot_s: float) -> Law:
    kind, *numbers = law = _law(place, value, _GAPS)
    # Only the exponential law is drawn without a table of slots.
    most = min(1e4, _MOST_MEAN_SLOTS * slot_s) if kind == "exponential" else _MOST_SLOTS * slot_s
    if kind == "lomax":
        check_real(f"{place}: scale", numbers[1], 1e-9, 1e3)
        check_real(f"{place}: cap", numbers[2], 1e-9, most)
    elif kind == "uniform":
        check_real(f"{place}: low", numbers[0], 0)
        check_real(f"{place}: high", numbers[1], numbers[0], most, low_open=True)
    else:
        check_real(f"{place}: {_LAWS[kind][0]}", numbers[0], 1e-9, most)
    return law


def _size(place: str, value: Any) -> Law:
    kind, *numbers = law = _law(place, value, _SIZES)
    if kind == "lomax":
        check_vector(f"{place}: scale and cap", numbers[1:], 2, 1.0, 1e12)
    elif kind == "uniform":
        check_real(f"{place}: low", numbers[0], 1.0)
        check_real(f"{place}: high", numbers[1], numbers[0], 1e12, low_open=True)
    else:
        check_vector(f"{place}: {kind}", numbers, None, 1.0, 1e12)
    return law


def _law(place: str, value: Any, kinds: tuple[str, ...]) -> Law:
    """A law of one of the kinds, with as many numbers as it takes; others are told the forms."""
    law = value
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        law = ("constant", value)
    numbers: list[Any] = []
    kind = ""
    if isinstance(law, Sequence) and not isinstance(law, (str, bytes)) and len(law) > 1:
        kind, numbers = law[0], list(law[1:])
    count = 64 if kind == "choice" else len(_LAWS.get(kind, ())) if isinstance(kind, str) else 0
    if kind not in kinds or len(numbers) > count or (kind != "choice" and len(numbers) < count):
        forms = ", ".join(f'("{word}", {", ".join(_LAWS[word])})' for word in kinds)
        raise ValueError(f"{place} must be a number or one of {forms}, got {shown(value)}.")
    reals = [check_real(f"{place}: number {k}", one) for k, one in enumerate(numbers, 1)]
    if kind == "lomax":
        check_real(f"{place}: shape", reals[0], 0.1, 100.0)
    return (kind, *reals)
