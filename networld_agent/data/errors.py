"""The one exception of damaged or foreign data."""

from __future__ import annotations

__all__ = ["DatasetError"]


class DatasetError(ValueError):
    """A data set that cannot be used as it is; the message names file, field and position."""
