"""Checks of actions: nothing illegal reaches a simulator, and the error says which and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

__all__ = ["as_numbers", "check_actions", "from_unit", "stack_actions"]


def _place(index: Sequence[int], agents: Sequence[str], num_envs: int) -> str:
    where = f" of environment {index[0]}" if num_envs > 1 else ""
    entry = f", entry {index[2]}" if len(index) > 2 else ""
    return f"{agents[index[1]]}{where}{entry}"


def as_numbers(actions: Any) -> NDArray[Any]:
    """Returns actions as an array of numbers, or raises."""
    try:
        array = np.asarray(actions)
    except (TypeError, ValueError):
        raise ValueError(
            "actions must form one array, all agents alike; got a ragged one."
        ) from None
    if array.dtype.kind not in "iuf":
        raise TypeError(f"actions must be integers or real numbers, got dtype {array.dtype}.")
    return array


def check_actions(
    actions: Any,
    space: gymnasium.spaces.Discrete | gymnasium.spaces.Box,
    agents: Sequence[str],
    num_envs: int,
    round_real: bool = False,
) -> NDArray[Any]:
    """Returns actions of a batch in canonical type, or raises for the first illegal one.

    Args:
        actions: `(B, N)` for a `Discrete`, `(B, N, *space.shape)` for a `Box` space.
        space: of one agent.
        agents: their names, for messages.
        num_envs: B.
        round_real: whether reals for a `Discrete` space are rounded half away from zero and
            clipped, instead of refused.

    Returns:
        A fresh int64 or float64 array.
    """
    array = as_numbers(actions)
    shape = (num_envs, len(agents), *(space.shape or ()))
    if array.shape != shape:
        raise ValueError(f"actions must have shape {shape}, got {array.shape}.")
    if isinstance(space, gymnasium.spaces.Discrete):
        return _check_discrete(array, space, agents, num_envs, round_real)
    checked = array.astype(np.float64)
    legal = (checked >= space.low) & (checked <= space.high)  # false for NaN
    if not legal.all():
        index = tuple(np.argwhere(~legal)[0])
        low, high = space.low[index[2:]], space.high[index[2:]]
        raise ValueError(
            f"action of {_place(index, agents, num_envs)} must be between {low:g} and {high:g}, "
            f"got {checked[index]:g}."
        )
    return checked


def _check_discrete(
    array: NDArray[Any],
    space: gymnasium.spaces.Discrete,
    agents: Sequence[str],
    num_envs: int,
    round_real: bool,
) -> NDArray[np.int64]:
    low, high = int(space.start), int(space.start + space.n - 1)
    if array.dtype.kind == "f":
        if not round_real:
            raise TypeError(f"actions must be integers {low}..{high}, got dtype {array.dtype}.")
        if np.isnan(array).any():
            index = tuple(np.argwhere(np.isnan(array))[0])
            raise ValueError(
                f"action of {_place(index, agents, num_envs)} must be a number, got nan."
            )
        rounded = np.copysign(np.floor(np.abs(array) + 0.5), array)
        return np.clip(rounded, low, high).astype(np.int64)
    if array.size and (array.min() < low or array.max() > high):
        index = tuple(np.argwhere((array < low) | (array > high))[0])
        raise ValueError(
            f"action of {_place(index, agents, num_envs)} must be an integer {low}..{high}, "
            f"got {array[index]}."
        )
    return array.astype(np.int64)


def stack_actions(actions: Any, agents: Sequence[str]) -> list[Any]:
    """Returns the actions of a PettingZoo dictionary in the order of `agents`.

    Raises:
        TypeError: if `actions` is no mapping.
        ValueError: if an agent is missing or unknown.
    """
    if not isinstance(actions, Mapping):
        raise TypeError(f"actions must be a dictionary by agent, got {type(actions).__name__}.")
    try:
        stacked = [actions[agent] for agent in agents]
    except KeyError as error:
        raise ValueError(f"actions lack agent {error.args[0]!r}.") from None
    if len(actions) != len(agents):
        unknown = next(name for name in actions if name not in agents)
        raise ValueError(f"actions name the unknown agent {unknown!r}.")
    return stacked


def from_unit(actions: Any, space: gymnasium.spaces.Box) -> NDArray[np.float64]:
    """Actions of a box, from what a policy gives in [-1, 1].

    Args:
        actions: `(..., *space.shape)`; values outside stay outside, and are refused later.
        space: of one agent.

    Example:
        >>> from_unit([-1.0, 0.0, 1.0], gymnasium.spaces.Box(0.0, 10.0, (3,))).tolist()
        [0.0, 5.0, 10.0]
    """
    given = np.asarray(actions, np.float64)
    # In this form -1 and 1 meet the bounds to the last bit.
    return 0.5 * ((1 - given) * space.low + (1 + given) * space.high)
