"""The configuration that every task shares: episode length, presets, overrides by name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

from wirelessenvs.checks import check_choice, check_flag, check_int

__all__ = ["TaskConfig"]

C = TypeVar("C", bound="TaskConfig")


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """Base of every task's configuration; a subclass checks its fields in `__post_init__`.

    Args:
        max_steps: steps after which an episode is truncated; no task here terminates.
        context: append the task's context, public numbers of the network, to each observation.
    """

    max_steps: int = 1000
    context: bool = False

    #: Presets by name, each a dictionary of the fields that differ from the defaults.
    presets: ClassVar[dict[str, dict[str, Any]]] = {}

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.generic):
                # Sums and products of a NumPy int8 overflow; those of a Python integer do not.
                value = value.item()
            if isinstance(value, float):
                value += 0.0  # -0.0 is no scale of NumPy's generators, 0.0 is one
            object.__setattr__(self, field.name, value)
        check_int("max_steps", self.max_steps, 1)
        check_flag("context", self.context)

    @classmethod
    def from_preset(cls: type[C], preset: str | None = None, **overrides: Any) -> C:
        """The configuration of a preset (the first one by default), with fields overridden.

        Raises:
            ValueError: for an unknown preset or a value out of bounds.
            TypeError: for an unknown field or a value of the wrong type.
        """
        names = tuple(cls.presets)
        chosen = check_choice("preset", names[0] if preset is None else preset, names)
        fields = [field.name for field in dataclasses.fields(cls)]
        for name in overrides:
            if name not in fields:
                # Python's own wording: libraries that try arguments out look for it.
                raise TypeError(
                    f"{cls.__name__} got an unexpected keyword argument {name!r}; known: "
                    f"{', '.join(sorted(fields))}."
                )
        return cls(**{**cls.presets[chosen], **overrides})
