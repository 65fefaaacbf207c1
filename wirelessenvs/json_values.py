"""Values as JSON can hold them, and one text of each."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["canonical_json", "finite_or_null"]


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
