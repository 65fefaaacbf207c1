"""The one exception of models that are damaged or do not fit."""

from __future__ import annotations

__all__ = ["ModelError"]


class ModelError(ValueError):
    """A model file or an input that cannot be used; one sentence says what and where."""
