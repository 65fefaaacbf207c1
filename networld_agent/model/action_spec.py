"""One agent's action as models know it: of a data set, or of a space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from networld_agent.data.metadata import ActionInfo, Quantity
from networld_agent.model.task_spec import ActionSpec
from networld_agent.worlds.spaces import action_info, action_size

__all__ = ["action_spec", "spec_of_space"]


def action_spec(info: ActionInfo, seen: Mapping[str, Any] | None = None) -> ActionSpec:
    """A recorded action as models know it.

    Args:
        info: of the action.
        seen: statistics of the data's actions: where the space has no bound, their extremes are
            the best known.

    Raises:
        ValueError: for a box without bounds, if nothing was seen.
    """
    if info.kind != "box":
        return ActionSpec(info.kind, sizes=info.sizes, start=info.start)
    low, high = info.bounds()
    if seen is not None:
        low = np.where(np.isfinite(low), low, np.array(seen["min"]))
        high = np.where(np.isfinite(high), high, np.array(seen["max"]))
        high = np.where(high > low, high, low + 1.0)
    return ActionSpec("box", low=tuple(low.tolist()), high=tuple(high.tolist()))


def spec_of_space(space: gymnasium.Space[Any]) -> ActionSpec:
    """The action that a Gymnasium space describes.

    Raises:
        ValueError: for another kind of space, or a box without bounds.
    """
    return action_spec(action_info(space, [Quantity("", "")] * action_size(space)))
