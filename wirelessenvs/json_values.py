"""Values as JSON can hold them, and one text of each."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["canonical_json", "finite_or_null", "first_difference"]


def finite_or_null(value: Any) -> Any:
    """The same values, nested ones too, with null for numbers that are not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite_or_null(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite_or_null(entry) for entry in value]
    return value


def canonical_json(document: Any) -> str:
    """One text per document: sorted keys, no spaces, no NaN; for checksums."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def first_difference(found: Any, wanted: Any, name: str = "") -> str | None:
    """A phrase on the first entry in which two JSON values differ; None if they are equal.

    An entry that is missing counts as null: settings that are new in a version, and off, do not
    make old files differ.

    Args:
        found: what a file says.
        wanted: what is asked for; entries are compared in its order.
        name: of the values.
    """
    if found == wanted:
        return None
    if isinstance(found, dict) and isinstance(wanted, dict):
        # In the order of the settings: a sentence names the first, not one by chance.
        pairs = [
            (f"{name}.{key}" if name else key, found.get(key), wanted.get(key))
            for key in {**wanted, **found}
        ]
    elif not isinstance(found, list) or not isinstance(wanted, list):
        shown = [repr(v) if len(repr(v)) < 60 else "other entries" for v in (found, wanted)]
        return f"{name} is {shown[0]} there, {shown[1]} here"
    elif len(found) != len(wanted):
        return f"{name} has {len(found)} entries there, {len(wanted)} here"
    else:
        pairs = [
            (f"{name}[{i}]", *values) for i, values in enumerate(zip(found, wanted, strict=True))
        ]
    phrases = (first_difference(old, new, inner) for inner, old, new in pairs)
    return next(filter(None, phrases), None)
