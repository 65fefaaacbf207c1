"""A bandit with one real action per decision, whose solutions are known exactly.

In each of three states one action in [-1, 1] is rewarded, and nothing follows. The data's actions
have a known density, so that what behaviour cloning, implicit and conservative Q-learning converge
to are integrals and fixed points over [-1, 1], computed here on a fine grid.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.stats
import torch
from numpy.typing import NDArray

from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.transitions import TransitionBatch
from benchmarks.validation.fitting import OneBatch
from networld_agent.model.task_spec import ActionSpec

__all__ = [
    "GRID",
    "WEIGHTS",
    "BanditTransitions",
    "conservative_values",
    "data_density",
    "expectile_values",
    "reward",
    "weighted_means",
]

Reals = NDArray[np.float64]

#: Actions `(G,)` at which everything is known, and their weights in an integral (trapezoids).
GRID: Final[Reals] = np.linspace(-1, 1, 401)
WEIGHTS: Final[Reals] = np.full(401, 0.005)
WEIGHTS[[0, -1]] /= 2
#: Per state: what the data prefers, and what is rewarded most.
_USUAL: Final = np.array([-0.4, 0.0, 0.5])
_BEST: Final = np.array([0.3, -0.5, 0.1])
#: Of the data: spread around what is usual, and share of actions that are uniform instead.
_SPREAD: Final = 0.4
_UNIFORM: Final = 0.3
#: Rewards are so large that the conservative term does not outweigh them.
_SCALE: Final = 4.0


def _usual(state: int) -> scipy.stats.rv_continuous:
    middle = _USUAL[state]
    return scipy.stats.truncnorm((-1 - middle) / _SPREAD, (1 - middle) / _SPREAD, middle, _SPREAD)


def reward(states: NDArray[np.int64], actions: Reals) -> Reals:
    """Rewards `(B,)` of actions `(B,)` in states `(B,)`."""
    return np.asarray(-_SCALE * (actions - _BEST[states]) ** 2)


def _rewards() -> Reals:
    """`(3, G)`."""
    return np.stack([reward(np.full(len(GRID), k), GRID) for k in range(len(_BEST))])


def data_density() -> Reals:
    """Density `(3, G)` of the data's actions."""
    usual = np.stack([_usual(k).pdf(GRID) for k in range(len(_BEST))])
    return _UNIFORM * 0.5 + (1 - _UNIFORM) * usual


def expectile_values(expectile: float) -> Reals:
    """V `(3,)` of implicit Q-learning: the expectile of the rewards over the data."""
    rewards, density = _rewards(), data_density() * WEIGHTS
    value = (density * rewards).sum(1)
    for _ in range(300):
        share = np.where(rewards > value[:, None], expectile, 1 - expectile) * density
        value = (share * rewards).sum(1) / share.sum(1)
    return np.asarray(value)


def weighted_means(value: Reals, beta: float, greatest: float) -> Reals:
    """Actions `(3,)` of the policy that implicit Q-learning extracts, the mean of a Gaussian.

    Args:
        value: V `(3,)`.
        beta: of the weights exp(beta (Q - V)); 0 is behaviour cloning.
        greatest: weight.
    """
    weight = np.minimum(np.exp(beta * (_rewards() - value[:, None])), greatest)
    weight *= data_density() * WEIGHTS
    return np.asarray((weight * GRID).sum(1) / weight.sum(1))


def conservative_values(alpha: float) -> Reals:
    """Q `(3, G)` of conservative Q-learning with squared temporal differences.

    Least at Q = r + alpha / 2 (1 - softmax Q / density): the values of actions that the data has
    seldom are pressed down the most.
    """
    rewards, density = _rewards(), data_density()
    q = rewards.copy()
    for _ in range(20_000):
        likely = np.exp(q - q.max(1, keepdims=True))
        likely /= (likely * WEIGHTS).sum(1, keepdims=True)
        change = rewards + alpha / 2 * (1 - likely / density) - q
        q += 0.05 * change
        if np.abs(change).max() < 1e-10:
            break
    return q


class BanditTransitions(OneBatch):
    """All of the data in one batch: as many actions per state, at quantiles of their density.

    States are one-hot codes.

    Args:
        count: actions per state.
    """

    def __init__(self, count: int = 100) -> None:
        states = np.repeat(np.arange(len(_BEST)), count)
        shares = np.cumsum(data_density() * WEIGHTS, 1)
        # Between two points of the grid: half of a point's share lies on either side of it.
        shares = (shares - data_density() * WEIGHTS / 2) / shares[:, -1:]
        wanted = (np.arange(count) + 0.5) / count
        actions = np.concatenate([np.interp(wanted, share, GRID) for share in shares])
        code = torch.eye(len(_BEST))[states]
        batch = TransitionBatch(
            code,
            torch.from_numpy(actions[:, None]).float(),
            torch.from_numpy(reward(states, actions)).float(),
            code,
            torch.zeros(len(states)),
        )
        super().__init__(ActionCodec(ActionSpec("box", low=(-1.0,), high=(1.0,))), batch)
