"""How often to learn from each trajectory of data that several policies have left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["trajectory_weights"]


def trajectory_weights(
    mean_rewards: NDArray[np.float64], temperature: float
) -> NDArray[np.float64]:
    """Shares of training, exponential in the mean reward, scaled to [0, 1] over the data.

    What imitates a mixture of policies acts like the one that it takes itself for, and after a few
    bad actions that is a bad one. Drawing good trajectories more often is drawing from a better
    policy: Z.-W. Hong et al., Harnessing Mixed Offline Reinforcement Learning Datasets via
    Trajectory Weighting, ICLR 2023 (arXiv 2306.13085). Only for data of several policies: of a
    single one, the luckiest trajectories would be preferred.

    Args:
        mean_rewards: `(E,)` mean reward of each trajectory.
        temperature: 0.1 gives the worst e^-10 of the best one's share; 0 weighs all alike.

    Returns:
        `(E,)` that sum to 1.

    Example:
        >>> trajectory_weights(np.array([1.0, 1.0, 0.0]), 0.1).round(3).tolist()
        [0.5, 0.5, 0.0]
    """
    spread = np.ptp(mean_rewards)
    if temperature == 0 or spread == 0:
        return np.full(len(mean_rewards), 1 / len(mean_rewards))
    weights = np.exp((mean_rewards - mean_rewards.max()) / (spread * temperature))
    return np.asarray(weights / weights.sum())
