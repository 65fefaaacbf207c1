"""The best split, where each slice's outcome depends on its own resource blocks only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.slicing.config import SlicingConfig
from wirelessenvs.slicing.rewards import adds_up, reward_of, worth_of
from wirelessenvs.slicing.splits import (
    MOST_SPLITS,
    best_splits,
    block_choices,
    block_splits,
    number_of_splits,
    units_to_blocks,
)

__all__ = ["SplitSearch"]


class SplitSearch:
    """Searches all splits of a configuration that differ in resource blocks.

    Up to three slices, and for rewards that are no sum over slices, it looks through a list; else a
    dynamic programme over the slices does without one. Both are exact.

    Args:
        config: of the task.

    Raises:
        ValueError: if a list is needed and would be too long.
    """

    def __init__(self, config: SlicingConfig) -> None:
        self.config = config
        self.blocks = units_to_blocks(config.num_units, config.unit_hz, config.rb_hz)
        k = config.num_slices
        #: `(R,)` numbers of resource blocks that a slice may get.
        self.choices, _ = block_choices(self.blocks, k)
        #: `(S, K)` splits in units, and positions in `choices`; None without a list.
        self.splits: NDArray[np.int64] | None = None
        self.index: NDArray[np.int64] | None = None
        if k > 3 and adds_up(config):
            return
        count = number_of_splits(config.num_units, k)
        if k > 3 and count > MOST_SPLITS:
            raise ValueError(
                f"static, expert and oracle look through at most {MOST_SPLITS} splits for reward "
                f"{config.built_in_reward!r}, got {count:.3g} of {config.num_units} units among "
                f'{k} slices; a greater unit_hz makes fewer, and rewards "ssr" and "utility" need '
                f"no list."
            )
        self.splits = block_splits(self.blocks, k)[1]
        self.index = np.searchsorted(self.choices, self.blocks[self.splits])

    def rewards(self, ssr: NDArray[np.float64], se: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rewards `(..., S)` of the listed splits, of outcomes `(..., K, R)`."""
        index = self.index
        assert index is not None
        slices = range(index.shape[1])
        joint = np.stack([ssr[..., s, index[:, s]] for s in slices], axis=-1)
        efficiency = sum(se[..., s, index[:, s]] for s in slices)
        return reward_of(self.config, joint, np.asarray(efficiency))

    def best(self, ssr: NDArray[np.float64], se: NDArray[np.float64]) -> NDArray[np.int64]:
        """Units `(..., K)` of the split with the greatest reward, of outcomes `(..., K, R)`."""
        if self.splits is None:
            return best_splits(worth_of(self.config, ssr, se), self.blocks)
        return self.splits[self.rewards(ssr, se).argmax(-1)]
