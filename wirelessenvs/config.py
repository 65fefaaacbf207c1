"""The configuration that every task shares: episode length, presets, overrides by name."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

from wirelessenvs.checks import check_choice, check_flag, check_int, check_matrix, shown
from wirelessenvs.inputs import check_whole, frozen, read_table
from wirelessenvs.rewards import check_reward

__all__ = ["TaskConfig"]

C = TypeVar("C", bound="TaskConfig")


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """Base of every task's configuration; a subclass checks its fields in `__post_init__`.

    Args:
        max_steps: steps after which an episode is truncated; no task here terminates.
        context: append the task's context, public numbers of the network, to each observation.
        adjacency: `(N, N)` 0/1, entry [i][j] is 1 where agent i hears agent j: a matrix, or a CSV
            or .npy file of one. None: the task's own graph.
        reward: a word of the task, or a function of a step's metrics, also as `module:function`.
    """

    max_steps: int = 1000
    context: bool = False
    adjacency: Any = None
    reward: Any = None

    #: Presets by name, each a dictionary of the fields that differ from the defaults.
    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    #: Words of the field `reward`, the default first.
    rewards: ClassVar[tuple[str, ...]] = ()

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

    def _check_own(self, num_agents: int) -> None:
        """Checks what somebody may bring along in every task; subclasses call it at their end."""
        object.__setattr__(self, "reward", check_reward(self.reward, self.rewards))
        if self.adjacency is None:
            return
        shape = (num_agents, num_agents)
        matrix = check_matrix("adjacency", read_table("adjacency", self.adjacency), shape, 0, 1)
        heard = check_whole("adjacency", matrix)
        if heard.diagonal().any():
            raise ValueError(
                f"adjacency must be zero on the diagonal, got 1 for agent "
                f"{int(heard.diagonal().argmax())}."
            )
        object.__setattr__(self, "adjacency", frozen(heard))

    @property
    def own_reward(self) -> Any:
        """A reward that is not one of the task's, as `reward` holds it, or None."""
        return None if self.reward in self.rewards else self.reward

    @property
    def built_in_reward(self) -> str:
        """The word in `reward`, or the task's default beside a reward of one's own."""
        return str(self.rewards[0] if self.own_reward is not None else self.reward)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON holds them; the configuration can be made of them again.

        Raises:
            ValueError: for a reward that has no name.
        """
        if callable(self.own_reward):
            raise ValueError(
                f"reward must be a function of a module (module:function) to be recorded, got "
                f"{shown(self.own_reward)}."
            )
        fields: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return fields

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
