"""Returns ahead, as sequence models are conditioned on them.

A decision transformer was published for episodes that end: its return-to-go is the undiscounted sum
of what is left, and falls to zero. In a task that goes on that number says when the recording
stopped, not how well the agent did: over 5,000 steps it differs by thousands between the first and
the last step of one and the same behaviour, and no value is right to ask for in an episode of
another length. So returns ahead are *means* of rewards here, of the same scale at every step, and
the same level can be asked for throughout. Near the end of a recording the mean is over the steps
that are left: truncation is no termination, and must not look like a low return.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.shared.offline_data import OfflineData
from wirelessenvs.checks import check_choice

__all__ = [
    "RETURN_KINDS",
    "RETURN_SCOPES",
    "ReturnScale",
    "discounted_means",
    "returns_ahead",
    "scoped_rewards",
    "window_means",
]

RETURN_KINDS: Final = ("discounted", "windowed")
RETURN_SCOPES: Final = ("agent", "team")


def scoped_rewards(data: OfflineData, scope: str) -> NDArray[np.float64]:
    """`(E, N, T)` rewards that returns are made of, of the episodes of the data in their order.

    Args:
        data: of the episodes.
        scope: "agent" for each agent's own reward; "team" for the mean over the agents. Where
            agents differ by their place rather than by what they do, as cells with good or bad
            channels, an agent's own return says where it is, and the greatest one in the data asks
            all others for what they cannot have. Rewards of others are read in training only.
    """
    check_choice("return_scope", scope, RETURN_SCOPES)
    return data.joint_rewards("team" if scope == "team" else "own")


def discounted_means(rewards: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    """Means of the rewards from each step on, weighted by gamma^k for k steps ahead.

    Args:
        rewards: `(..., T)`.
        gamma: 0 to 1.

    Returns:
        `(..., T)` in units of one reward.

    Example:
        >>> discounted_means(np.array([0.0, 3.0, 0.0]), 0.5).round(6).tolist()
        [0.857143, 2.0, 0.0]
    """
    total = np.zeros(rewards.shape[:-1])
    weight = 0.0
    means = np.empty(rewards.shape)
    for t in range(rewards.shape[-1] - 1, -1, -1):
        total = rewards[..., t] + gamma * total
        weight = 1.0 + gamma * weight
        means[..., t] = total / weight
    return means


def window_means(rewards: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Means of the next `window` rewards (of those that are left, near the end).

    Args:
        rewards: `(..., T)`.
        window: steps, at least 1.

    Returns:
        `(..., T)` in units of one reward.

    Example:
        >>> window_means(np.array([1.0, 3.0, 5.0]), 2).tolist()
        [2.0, 4.0, 5.0]
    """
    steps = rewards.shape[-1]
    sums = np.concatenate([np.zeros((*rewards.shape[:-1], 1)), rewards.cumsum(-1)], -1)
    first = np.arange(steps)
    last = np.minimum(first + window, steps)
    return np.asarray((sums[..., last] - sums[..., first]) / (last - first))


def returns_ahead(
    rewards: NDArray[np.float64], kind: str, gamma: float, window: int
) -> NDArray[np.float64]:
    """`(..., T)` one of `RETURN_KINDS` of rewards `(..., T)`."""
    check_choice("return_kind", kind, RETURN_KINDS)
    if kind == "discounted":
        return discounted_means(rewards, gamma)
    return window_means(rewards, window)


@dataclass(frozen=True)
class ReturnScale:
    """Linear scale of returns, taken from the data and stored with a policy.

    Args:
        offset: return that becomes 0.
        unit: difference of returns that becomes 1, above 0.
    """

    offset: float
    unit: float

    @classmethod
    def standard(cls, returns: NDArray[np.float64]) -> ReturnScale:
        """Mean 0 and deviation 1; returns that are all alike say nothing, and any unit will do."""
        return cls(float(returns.mean()), float(returns.std()) or 1.0)

    @classmethod
    def between(cls, returns: NDArray[np.float64], low: float, high: float) -> ReturnScale:
        """0 and 1 at two quantiles, `low` below `high`, of the data."""
        bottom, top = np.quantile(returns, [low, high])
        return cls(float(bottom), float(top - bottom) or 1.0)

    def scaled(self, returns: NDArray[np.float64]) -> NDArray[np.float32]:
        """Returns as networks see them."""
        return np.asarray((returns - self.offset) / self.unit, np.float32)
