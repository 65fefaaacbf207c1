"""Batches of single transitions for methods that look one step ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.offline_data import OfflineData
from benchmarks.baselines.shared.training_loop import batch_generator

__all__ = ["OfflineTransitions", "TransitionBatch", "TransitionSource"]


@dataclass(frozen=True)
class TransitionBatch:
    """B transitions.

    Args:
        inputs: `(B, k)` scaled observations.
        actions: `(B,)` int64 indices, or `(B, A)` float32 in [-1, 1].
        rewards: `(B,)` scaled.
        next_inputs: `(B, k)`.
        continues: `(B,)` 1, or 0 where the task ended there and nothing follows. An episode that
            was only cut off continues.
    """

    inputs: Tensor
    actions: Tensor
    rewards: Tensor
    next_inputs: Tensor
    continues: Tensor

    def to(self, device: torch.device) -> TransitionBatch:
        """The same on another device."""
        return TransitionBatch(*(getattr(self, name).to(device) for name in vars(self)))


class TransitionSource(Protocol):
    """A source of batches of transitions."""

    codec: ActionCodec
    #: k.
    input_size: int

    def __call__(self, step: int) -> TransitionBatch:
        """The batch of a step: equal steps give equal batches."""
        ...


class OfflineTransitions:
    """Random transitions of single agents.

    Rewards have mean 0 and deviation 1 over the data (see `OfflineData.reward_scale`).

    Args:
        data: that they come from.
        scaling: of the observations.
        config: batch size and seed.
    """

    def __init__(
        self, data: OfflineData, scaling: ObservationScaling, config: BaselineConfig
    ) -> None:
        self.codec = ActionCodec(data.action)
        self.input_size = scaling.input_size
        self.reward_mean, self.reward_deviation = data.reward_scale()
        self._data, self._scaling, self._config = data, scaling, config

    def __call__(self, step: int) -> TransitionBatch:
        """The batch of a step."""
        rng = batch_generator(self._config.seed, step)
        places = self._data.places(self._config.batch_size, 1, rng)
        inputs = self._scaling.inputs(self._data, places, 2)
        rewards = (self._data.rewards(places, 1)[:, 0] - self.reward_mean) / self.reward_deviation
        return TransitionBatch(
            inputs[:, 0],
            self.codec.encode(self._data.actions(places, 1)[:, 0]),
            torch.from_numpy(rewards).float(),
            inputs[:, 1],
            torch.from_numpy(~self._data.terminations(places)).float(),
        )
