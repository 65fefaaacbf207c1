"""Actions of a task as networks see them, and back: an index, or reals in [-1, 1]."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from networld_agent.model.task_spec import ActionSpec

__all__ = ["MOST_CHOICES", "ActionCodec"]

#: Joint choices of a "multidiscrete" action that one output layer may have.
MOST_CHOICES: Final = 4096


class ActionCodec:
    """Translates one agent's actions.

    A "discrete" action becomes its index from 0; a "multidiscrete" one the index of its combination
    (the last component counts fastest); a "box" is scaled to [-1, 1] by the bounds of its space.
    Decoded actions are legal, whatever goes in: indices exist, and reals stay within the bounds
    even after rounding to float32.

    Args:
        spec: of the action.

    Raises:
        ValueError: if a "multidiscrete" action has more than `MOST_CHOICES` combinations.

    Example:
        >>> codec = ActionCodec(ActionSpec("box", low=(0.0,), high=(10.0,)))
        >>> codec.encode(np.array([[7.5]])).tolist(), codec.decode(torch.tensor([[3.0]])).tolist()
        ([[0.5]], [[10.0]])
    """

    def __init__(self, spec: ActionSpec) -> None:
        self.spec = spec
        self.discrete = spec.kind != "box"
        choices = math.prod(spec.sizes) if self.discrete else 0
        if choices > MOST_CHOICES:
            raise ValueError(
                f"actions of {len(spec.sizes)} components have {choices} combinations: at most "
                f"{MOST_CHOICES} can be learnt."
            )
        #: Number of choices of a discrete action; 0 for reals.
        self.num_choices = choices
        #: A of a box; 0 for a discrete action.
        self.size = 0 if self.discrete else spec.num_components
        low, high = np.array(spec.low, np.float64), np.array(spec.high, np.float64)
        self._middle, self._half = (low + high) / 2, (high - low) / 2
        self._low, self._high = _float32_within(low, high)

    @property
    def outputs(self) -> int:
        """Numbers that a policy puts out: one logit per choice, or one mean per component."""
        return self.num_choices if self.discrete else self.size

    def encode(self, actions: NDArray[Any]) -> Tensor:
        """Recorded actions `(...[, A])` as int64 indices `(...)` or float32 reals `(..., A)`."""
        if self.spec.kind == "discrete":
            return torch.from_numpy(np.asarray(actions, np.int64) - self.spec.start)
        if self.spec.kind == "multidiscrete":
            parts = tuple(np.moveaxis(np.asarray(actions, np.int64), -1, 0))
            return torch.from_numpy(np.asarray(np.ravel_multi_index(parts, self.spec.sizes)))
        scaled = (np.asarray(actions, np.float64) - self._middle) / self._half
        return torch.from_numpy(np.clip(scaled, -1, 1).astype(np.float32))

    def decode(self, encoded: Tensor) -> NDArray[Any]:
        """Legal actions `(...[, A])` of what `encode` returns: int64 or float32."""
        values = encoded.detach().cpu().numpy()
        if self.spec.kind == "discrete":
            return np.clip(values, 0, self.num_choices - 1).astype(np.int64) + self.spec.start
        if self.spec.kind == "multidiscrete":
            parts = np.unravel_index(np.clip(values, 0, self.num_choices - 1), self.spec.sizes)
            return np.stack(parts, -1).astype(np.int64)
        scaled = self._middle + self._half * np.clip(values.astype(np.float64), -1, 1)
        legal: NDArray[Any] = np.clip(scaled.astype(np.float32), self._low, self._high)
        return legal


def _float32_within(
    low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The least and the greatest float32 between bounds that float32 may not hold."""
    least, greatest = low.astype(np.float32), high.astype(np.float32)
    up, down = np.nextafter(least, np.float32(np.inf)), np.nextafter(greatest, np.float32(-np.inf))
    return np.where(least < low, up, least), np.where(greatest > high, down, greatest)
