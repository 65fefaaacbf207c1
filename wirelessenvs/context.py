"""What every agent may know of the place it stands in: public numbers that no episode changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Context"]


@dataclass(frozen=True, eq=False)
class Context:
    """Public static numbers of a network, as its agents know them.

    Names, units and space are the same wherever a task is played; the values tell one deployment
    from another.

    Args:
        names: C names, in the order of the values.
        units: of each, "" where there is none.
        values: `(N, C)` float32, one row per agent.

    Example:
        >>> from wirelessenvs import make_simulator
        >>> context = make_simulator("rb-v0", num_nodes=16).context
        >>> dict(zip(context.names, context.values[0].tolist(), strict=True))
        {'num_nodes': 16.0, 'fair_share': 2.5, 'neighbors': 4.0, 'mean_rate': 4.0}
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, num_agents: int, **entries: tuple[str, ArrayLike]) -> Context:
        """A context from `name=(unit, value)`, where a value is one number or one per agent."""
        columns = [np.broadcast_to(np.asarray(value), num_agents) for _, value in entries.values()]
        values = np.stack(columns, axis=1).astype(np.float32)
        values.setflags(write=False)
        return cls(tuple(entries), tuple(unit for unit, _ in entries.values()), values)

    @cached_property
    def space(self) -> gymnasium.spaces.Box:
        """Space of one agent's context, `(C,)`, without bounds: one for all deployments."""
        return gymnasium.spaces.Box(-np.inf, np.inf, (len(self.names),), np.float32)

    def extend(self, space: gymnasium.spaces.Box) -> gymnasium.spaces.Box:
        """The space of an observation followed by the context."""
        low, high = (
            np.concatenate([getattr(part, side) for part in (space, self.space)])
            for side in ("low", "high")
        )
        return gymnasium.spaces.Box(low, high, dtype=np.float32)

    def append(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """`(B, N, D + C)`: each agent's observation, followed by its context."""
        shape: Any = (len(observations), *self.values.shape)
        return np.concatenate([observations, np.broadcast_to(self.values, shape)], axis=-1)
