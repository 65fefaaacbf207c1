"""What a model knows of a task: sizes, actions, scale of the returns, tuned guidance."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from networld_agent.errors import ModelError
from wirelessenvs.checks import check_int, check_real

__all__ = ["ActionSpec", "TaskSpec"]


@dataclass(frozen=True)
class ActionSpec:
    """One agent's action.

    Args:
        kind: "discrete" (an integer), "multidiscrete" (one per component) or "box" (reals).
        sizes: choices per component; empty for "box".
        start: first integer of a "discrete" action.
        low: least legal value per component of a "box".
        high: greatest legal value per component of a "box".
    """

    kind: str
    sizes: tuple[int, ...] = ()
    start: int = 0
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_int("start", self.start, -(2**31), 2**31 - 1)
        for size in self.sizes:
            check_int("sizes", size, 1, 2**31 - 1)
        for bound in (*self.low, *self.high):
            check_real("low and high", bound)
        if self.kind not in ("discrete", "multidiscrete", "box"):
            raise ValueError(f"kind must be discrete, multidiscrete or box, got {self.kind!r}.")
        if self.kind == "box":
            if not self.low or len(self.low) != len(self.high):
                raise ValueError("a box needs as many lower as upper bounds, at least one.")
            if not all(a < b for a, b in zip(self.low, self.high, strict=True)):
                raise ValueError(f"bounds must be finite and apart, got {self.low}, {self.high}.")
        elif not self.sizes:
            raise ValueError(f"sizes must be positive integers, got {self.sizes}.")

    @classmethod
    def from_json(cls, document: Any) -> ActionSpec:
        """Reads what `dataclasses.asdict` and JSON made of one."""
        fields = dict(document)
        for key in ("sizes", "low", "high"):
            fields[key] = tuple(fields.get(key, ()))
        return cls(**fields)

    @property
    def num_components(self) -> int:
        """Number of components A of an action; 1 for one integer."""
        return len(self.low) if self.kind == "box" else len(self.sizes)

    @property
    def shape(self) -> tuple[int, ...]:
        """`()` for one integer, else `(A,)`."""
        return () if self.kind == "discrete" else (self.num_components,)


@dataclass(frozen=True)
class TaskSpec:
    """One task of a model.

    Args:
        name: as in the data, "rb-v0".
        index: row of the task embedding.
        observation_size: d.
        action: of one agent.
        gamma: discount of the segment's return.
        return_mean: subtracted from returns before the bins.
        return_std: that they are divided by.
        return_range: symlog of the greatest return bin, after both.
        guidance_scale: tuned on validation seeds; None before that.
        temperature: of the sampler's noise, tuned with it.
        denoising_steps: of a plan, tuned with it.
        value_scale: weight of the values of actions in a decision; None where the model has learnt
            none of this task.
        value_sizes: of those values: actions to choose from, and agents of their data.
        num_agents: of the data sets seen.
        observation_mean: `(d,)` of the entries as the encoder sees them, after symlog; empty where
            they are taken as they are.
        observation_std: `(d,)` of the same.
        context_size: entries at the end of an observation that are the context of the network.
    """

    name: str
    index: int
    observation_size: int
    action: ActionSpec
    gamma: float = 0.99
    return_mean: float = 0.0
    return_std: float = 1.0
    return_range: float = 2.4
    guidance_scale: float | None = None
    temperature: float | None = None
    num_agents: tuple[int, ...] = ()
    observation_mean: tuple[float, ...] = ()
    observation_std: tuple[float, ...] = ()
    denoising_steps: int | None = None
    value_scale: float | None = None
    value_sizes: tuple[int, ...] = ()
    context_size: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a word, got {self.name!r}.")
        check_int("index", self.index, 0)
        check_int("observation_size", self.observation_size, 1)
        for count in self.num_agents:
            check_int("num_agents", count, 1)
        check_real("gamma", self.gamma, 0, 1)
        check_real("return_mean", self.return_mean)
        for name in ("return_std", "return_range"):
            check_real(name, getattr(self, name), 0, low_open=True)
        for name in ("guidance_scale", "temperature", "value_scale"):
            if getattr(self, name) is not None:
                check_real(name, getattr(self, name), 0)
        if len(self.value_sizes) != (0 if self.value_scale is None else 2):
            raise ValueError("value_sizes must be two numbers where there is a value_scale.")
        for size in self.value_sizes:
            check_int("value_sizes", size, 1)
        for value in self.observation_mean:
            check_real("observation_mean", value)
        for value in self.observation_std:
            check_real("observation_std", value, 0, low_open=True)
        sizes = {len(self.observation_mean), len(self.observation_std)}
        if not sizes <= {0, self.observation_size} or len(sizes) > 1:
            raise ValueError(
                f"observation_mean and observation_std must have {self.observation_size} entries."
            )
        if self.denoising_steps is not None:
            check_int("denoising_steps", self.denoising_steps, 1)
        check_int("context_size", self.context_size, 0, self.observation_size)

    def to_json(self) -> dict[str, Any]:
        """As JSON values; what there is not is left out, as before there was any."""
        document = dataclasses.asdict(self)
        for name in ("denoising_steps", "value_scale"):
            if document[name] is None:
                del document[name]
        if not self.value_sizes:
            del document["value_sizes"]
        if not self.context_size:
            del document["context_size"]
        return document

    @classmethod
    def from_json(cls, document: Any) -> TaskSpec:
        """Reads what `to_json` wrote.

        Raises:
            ModelError: if a key is missing, unknown or wrong.
        """
        try:
            fields = dict(document)
            action = ActionSpec.from_json(fields.pop("action"))
            for key in ("num_agents", "observation_mean", "observation_std", "value_sizes"):
                fields[key] = tuple(fields.get(key, ()))
            return cls(action=action, **fields)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ModelError(f"the description of a task is damaged: {error}.") from None
