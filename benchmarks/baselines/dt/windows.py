"""Windows of one agent's steps, short ones at the start of an episode included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.offline_data import OfflineData, Places
from networld_agent.data.windows import windows_of

__all__ = ["DecisionBatch", "DecisionWindows"]


@dataclass(frozen=True)
class DecisionBatch:
    """B windows of L steps.

    Args:
        returns: `(B, L)` scaled returns ahead.
        inputs: `(B, L, k)` scaled observations.
        actions: `(B, L[, A])` encoded.
        real: `(B, L)` booleans, false for padding at the end.
    """

    returns: Tensor
    inputs: Tensor
    actions: Tensor
    real: Tensor

    def to(self, device: torch.device) -> DecisionBatch:
        """The same on another device."""
        return DecisionBatch(*(getattr(self, name).to(device) for name in vars(self)))


class DecisionWindows:
    """Windows that end at a drawn step.

    One that would begin before its episode is shorter, and padded after its last step instead of
    before its first: positions are relative, and nothing before the padding can see it, so this is
    left-padding that is masked out, without a mask. What stands in the padding is of no effect.

    Args:
        data: that they come from.
        scaling: of the observations.
        returns: `(E, N, T)` scaled returns ahead, of the episodes of `data` in their order.
        context: steps of a window.
    """

    def __init__(
        self,
        data: OfflineData,
        scaling: ObservationScaling,
        returns: NDArray[np.float32],
        context: int,
    ) -> None:
        self._data, self._scaling, self._returns = data, scaling, returns
        self._codec = ActionCodec(data.action)
        self._context = context
        self.length = min(context, data.num_steps)

    def draw(self, count: int, rng: np.random.Generator) -> DecisionBatch:
        """`count` windows; equal generators draw equal windows."""
        data, length = self._data, self.length
        positions, agents, ends = data.positions(count, data.num_steps, rng)
        starts = np.maximum(ends - self._context + 1, 0)
        places = Places(data.episodes[positions], starts, agents)
        steps = starts[:, None] + np.arange(length)
        returns = windows_of(self._returns, Places(positions, starts, agents), length)
        return DecisionBatch(
            torch.from_numpy(returns),
            self._scaling.inputs(data, places, length),
            self._codec.encode(data.actions(places, length)),
            torch.from_numpy(steps <= ends[:, None]),
        )
