"""Values as JSON can hold them."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["finite_or_null"]


def finite_or_null(value: Any) -> Any:
    """The same values, nested ones too, with null for numbers that are not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite_or_null(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite_or_null(entry) for entry in value]
    return value
