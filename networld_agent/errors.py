"""The exceptions of models and of data that are damaged or do not fit."""

from __future__ import annotations

__all__ = ["DatasetError", "ModelError"]


class ModelError(ValueError):
    """A model file or an input that cannot be used; one sentence says what and where."""


class DatasetError(ValueError):
    """A data set that cannot be used as it is; the message names file, field and position."""
