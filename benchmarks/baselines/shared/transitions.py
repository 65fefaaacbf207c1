"""Batches of single transitions for methods that look one step ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
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

    Rewards have mean 0 and deviation 1 over the data: with a discount of 0.99, returns lie within
    about 100 in every task. Taking off the mean changes no preference, since all recorded episodes
    are of one length.

    Args:
        data: that they come from.
        scaling: of the observations.
        config: batch size and seed.
        credit: whose rewards an action answers for, of `CREDITS`.
    """

    def __init__(
        self,
        data: OfflineData,
        scaling: ObservationScaling,
        config: BaselineConfig,
        credit: str = "own",
    ) -> None:
        self.codec = ActionCodec(data.action)
        self.input_size = scaling.input_size
        rewards = data.joint_rewards(credit)
        self.reward_mean, self.reward_deviation = float(rewards.mean()), float(rewards.std()) or 1.0
        scaled = (rewards - self.reward_mean) / self.reward_deviation
        self._rewards = scaled.astype(np.float32)
        self._data, self._scaling, self._config = data, scaling, config
        #: Position in `data.episodes` by the episode of the file.
        self._positions = np.zeros(int(data.episodes.max()) + 1, np.int64)
        self._positions[data.episodes] = np.arange(len(data.episodes))

    def __call__(self, step: int) -> TransitionBatch:
        """The batch of a step."""
        rng = batch_generator(self._config.seed, step)
        places = self._data.places(self._config.batch_size, 1, rng)
        inputs = self._scaling.inputs(self._data, places, 2)
        rewards = self._rewards[self._positions[places.episodes], places.agents, places.starts]
        return TransitionBatch(
            inputs[:, 0],
            self.codec.encode(self._data.actions(places, 1)[:, 0]),
            torch.from_numpy(rewards),
            inputs[:, 1],
            torch.from_numpy(~self._data.terminations(places)).float(),
        )
