"""Spaces of one agent as data sets record them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from networld_agent.data.metadata import ActionInfo, ObservationInfo, Quantity

__all__ = ["action_info", "action_shape", "action_size", "observation_info"]


def _bounds(values: NDArray[Any]) -> tuple[float | None, ...]:
    return tuple(float(x) if np.isfinite(x) else None for x in values.ravel())


def observation_info(space: gymnasium.Space[Any], labels: list[Quantity]) -> ObservationInfo:
    """The entries of an observation; a box of several axes is flattened in C order."""
    assert isinstance(space, gymnasium.spaces.Box)
    return ObservationInfo(
        tuple(label.name for label in labels),
        tuple(label.unit for label in labels),
        _bounds(space.low),
        _bounds(space.high),
    )


def action_size(space: gymnasium.Space[Any]) -> int:
    """Number of components of an action.

    Raises:
        ValueError: for a space that data sets cannot record.
    """
    if isinstance(space, gymnasium.spaces.Discrete):
        return 1
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        return int(space.nvec.size)
    if isinstance(space, gymnasium.spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return int(np.prod(space.shape))
    raise ValueError(
        f"actions must be Discrete, MultiDiscrete or a Box of real numbers, got {space}."
    )


def action_shape(space: gymnasium.Space[Any]) -> tuple[int, ...]:
    """Of one agent's action in a batch: `()` for one choice, `(A,)` otherwise."""
    return () if isinstance(space, gymnasium.spaces.Discrete) else (action_size(space),)


def action_info(space: gymnasium.Space[Any], labels: list[Quantity]) -> ActionInfo:
    """The components of an action as they are recorded."""
    names = tuple(label.name for label in labels)
    units = tuple(label.unit for label in labels)
    if isinstance(space, gymnasium.spaces.Discrete):
        return ActionInfo(
            "discrete", "<i4", names, units, sizes=(int(space.n),), start=int(space.start)
        )
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        sizes = tuple(int(n) for n in space.nvec.ravel())
        return ActionInfo("multidiscrete", "<i4", names, units, sizes=sizes)
    assert isinstance(space, gymnasium.spaces.Box)
    dtype = "<f8" if space.dtype == np.float64 else "<f4"
    return ActionInfo("box", dtype, names, units, low=_bounds(space.low), high=_bounds(space.high))
