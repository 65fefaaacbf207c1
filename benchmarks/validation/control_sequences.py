"""The control data as sequences, for decision transformers: windows, and players that remember.

Episodes of classic control end, so returns ahead are the published ones here: undiscounted sums of
what is left, asked for less by every reward received (L. Chen et al., arXiv 2106.01345).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.baselines.dt.method import DTConfig, DTLearner, make_network
from benchmarks.baselines.dt.network import DecisionTransformerNetwork
from benchmarks.baselines.dt.windows import DecisionBatch
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.causal_transformer import KeyValueCache
from benchmarks.baselines.shared.training_loop import batch_generator
from benchmarks.validation.control_data import CONTROL_TASKS, ControlData

__all__ = ["ControlDTLearner", "ControlWindows", "DTPlayer", "best_return", "returns_to_go"]

Array = NDArray[np.float32]


def returns_to_go(rewards: Array, ends: NDArray[np.bool_]) -> Array:
    """Undiscounted sums `(M,)` of the rewards `(M,)` from each step to its episode's end.

    Example:
        >>> returns_to_go(np.array([1.0, 2.0, 3.0, 5.0]), np.array([False, False, True, True]))
        array([6., 5., 3., 5.], dtype=float32)
    """
    sums = np.cumsum(rewards[::-1], dtype=np.float64)[::-1]
    last = np.flatnonzero(ends)
    # What stands behind a step's episode: the sum from the next episode's first step on.
    behind = np.append(sums, 0.0)[last + 1]
    return (sums - behind[np.searchsorted(last, np.arange(len(rewards)))]).astype(np.float32)


def best_return(data: ControlData) -> float:
    """The greatest return of the data's episodes, with rewards as they are learnt from."""
    return float(data.returns.max()) * CONTROL_TASKS[data.task].reward_scale


class ControlWindows:
    """Windows that end at a uniformly drawn step, as `DecisionWindows` draws them.

    Args:
        data: to draw from.
        context: steps of a window; those before its episode are left out, and padded at the end.
        unit: that returns are divided by.
    """

    def __init__(self, data: ControlData, context: int, unit: float) -> None:
        self._data, self._context = data, context
        self._returns = returns_to_go(data.rewards, data.ends) / np.float32(unit)
        episode_ends = np.flatnonzero(data.ends)
        episode_of = np.searchsorted(episode_ends, np.arange(len(data.rewards)))
        self._first = np.append(0, episode_ends[:-1] + 1)[episode_of]
        self._action = CONTROL_TASKS[data.task].action

    def draw(self, count: int, rng: np.random.Generator) -> DecisionBatch:
        """`count` windows; equal generators draw equal windows."""
        data = self._data
        ends = rng.integers(len(data.rewards), size=count)
        starts = np.maximum(ends - self._context + 1, self._first[ends])
        rows = starts[:, None] + np.arange(self._context)
        real = rows <= ends[:, None]
        rows = np.minimum(rows, len(data.rewards) - 1)
        actions = torch.from_numpy(data.actions[rows])
        return DecisionBatch(
            torch.from_numpy(self._returns[rows]),
            torch.from_numpy(data.observations[rows]),
            actions.long() if self._action.kind == "discrete" else actions.float(),
            torch.from_numpy(real),
        )


class ControlDTLearner(DTLearner):
    """Our decision transformer's network, loss and update, on such windows.

    Args:
        data: to learn from.
        config: of the method; what it says of returns does not matter here.
        unit: that returns are divided by.
    """

    def __init__(self, data: ControlData, config: DTConfig, unit: float) -> None:
        self._config, self._device = config, torch.device("cpu")
        self._control = ControlWindows(data, config.context, unit)
        codec = ActionCodec(CONTROL_TASKS[data.task].action)
        self._network = make_network(data.observations.shape[1], codec, config)
        self.module = self._network
        self._adam = torch.optim.AdamW(
            self._network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.optimizers = [self._adam]

    @property
    def network(self) -> DecisionTransformerNetwork:
        """The network in training."""
        return self._network

    def batch(self, step: int) -> DecisionBatch:
        """The windows of a step."""
        rng = batch_generator(self._config.seed, step)
        return self._control.draw(self._config.batch_size, rng)


class DTPlayer:
    """Plays our decision transformer in episodes side by side.

    Args:
        network: trained.
        target: return to ask for at the start.
        unit: that returns are divided by.
    """

    def __init__(self, network: DecisionTransformerNetwork, target: float, unit: float) -> None:
        self._network, self._target, self._unit = network.eval(), target, unit
        self._cache: KeyValueCache | None = None
        self._last: Tensor | None = None
        self._left = np.zeros(0)

    @torch.inference_mode()
    def __call__(self, observations: Array) -> NDArray[np.generic]:
        """Actions of the next step; the first call begins the episodes."""
        if self._cache is None:
            self._cache = KeyValueCache(len(observations), self._network.transformer)
            self._left = np.full(len(observations), self._target)
        asked = torch.from_numpy((self._left / self._unit).astype(np.float32))
        output = self._network.decide(
            asked, torch.from_numpy(observations), self._last, self._cache
        )
        self._last = self._network.best(output)
        return np.asarray(self._last.numpy())

    def told(self, rewards: NDArray[np.float64], alive: NDArray[np.bool_]) -> None:  # noqa: ARG002
        """Less is asked for by every reward."""
        self._left = self._left - rewards
