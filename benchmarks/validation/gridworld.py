"""A 4 x 4 gridworld whose values are known exactly, for methods that learn discrete choices.

What each method converges to on given data is the fixed point of its own equation, computed here on
tables: of behaviour cloning the data's frequencies, of implicit Q-learning an expectile (equations
5 to 7 of arXiv 2110.06169), of conservative Q-learning the values that its loss is least at
(equation 4 of arXiv 2006.04779).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.transitions import TransitionBatch
from benchmarks.validation.fitting import OneBatch
from networld_agent.model.task_spec import ActionSpec

__all__ = [
    "ACTIONS",
    "CELLS",
    "ENDS",
    "GAMMA",
    "GOAL",
    "NEXT",
    "REWARD",
    "SIDE",
    "GridTransitions",
    "best_and_worst",
    "best_values",
    "conservative_values",
    "expectile_values",
    "uneven_counts",
    "weighted_choices",
]

Table = NDArray[np.float64]

SIDE: Final = 4
GOAL: Final = 15
ACTIONS: Final = 4
GAMMA: Final = 0.9
_MOVES: Final = ((-1, 0), (1, 0), (0, -1), (0, 1))
_STATES: Final = SIDE**2
#: Cells that an episode is ever in.
CELLS: Final = np.delete(np.arange(_STATES), GOAL)


def _step_table() -> tuple[NDArray[np.int64], Table, NDArray[np.bool_]]:
    """Next cell, reward, and whether it ends there, `(16, 4)` each.

    Walls stop; every move costs 0.1; reaching the goal pays 1 and ends the episode.
    """
    cells = np.arange(_STATES)
    following = np.zeros((_STATES, ACTIONS), np.int64)
    for a, (down, right) in enumerate(_MOVES):
        row = np.clip(cells // SIDE + down, 0, SIDE - 1)
        column = np.clip(cells % SIDE + right, 0, SIDE - 1)
        following[:, a] = row * SIDE + column
    ends = following == GOAL
    return following, np.where(ends, 1.0, -0.1), ends


NEXT, REWARD, ENDS = _step_table()


def _ahead(value: Table) -> Table:
    """Q `(16, 4)` of the values `(16,)` of the cells that follow."""
    return np.asarray(REWARD + GAMMA * np.where(ENDS, 0.0, value[NEXT]))


def best_values(allowed: NDArray[np.bool_]) -> Table:
    """Q* `(16, 4)` where the next action must be an allowed one, by value iteration."""
    q = np.zeros((_STATES, ACTIONS))
    for _ in range(200):
        q = _ahead(np.where(allowed, q, -np.inf).max(1))
    return q


def best_and_worst() -> NDArray[np.bool_]:
    """`(16, 4)`: of each cell the best and the worst action are in the data."""
    order = best_values(np.ones((_STATES, ACTIONS), bool)).argsort(1)
    allowed = np.zeros((_STATES, ACTIONS), bool)
    rows = np.arange(_STATES)
    allowed[rows, order[:, -1]] = True
    allowed[rows, order[:, 0]] = True
    return allowed


def uneven_counts(shares: Sequence[int] = (4, 3, 2, 1)) -> NDArray[np.int64]:
    """`(16, 4)` how often each action is in the data: the worst one of a cell the most often."""
    order = best_values(np.ones((_STATES, ACTIONS), bool)).argsort(1, kind="stable")
    counts = np.zeros((_STATES, ACTIONS), np.int64)
    np.put_along_axis(counts, order, np.tile(np.array(shares), (_STATES, 1)), 1)
    return counts


def expectile_values(counts: NDArray[np.int64], expectile: float) -> Table:
    """Fixed point V `(16,)` of implicit Q-learning: the expectile of r + gamma V' over the data."""
    value = np.zeros(_STATES)
    for _ in range(300):
        q = _ahead(value)
        share = np.where(q > value[:, None], expectile, 1 - expectile) * counts
        value = (share * q).sum(1) / share.sum(1)
    return value


def weighted_choices(
    counts: NDArray[np.int64], value: Table, beta: float, greatest: float
) -> Table:
    """Probabilities `(16, 4)` of the policy that implicit Q-learning extracts.

    Args:
        counts: `(16, 4)` of the data.
        value: V `(16,)`.
        beta: of the weights exp(beta (Q - V)); 0 is behaviour cloning.
        greatest: weight.
    """
    weight = np.minimum(np.exp(beta * (_ahead(value) - value[:, None])), greatest) * counts
    return np.asarray(weight / weight.sum(1, keepdims=True))


def conservative_values(counts: NDArray[np.int64], alpha: float) -> Table:
    """Fixed point Q `(16, 4)` of conservative Q-learning; every action must be in the data.

    In each cell the Huber loss of the temporal difference, whose gradient is cut at 1, and alpha
    (logsumexp Q - Q of the data) balance: with p the frequencies, p clip(Q - y, -1, 1) + alpha
    (softmax Q - p) = 0, where y looks ahead with the greatest of these same values.
    """
    share = counts / counts.sum(1, keepdims=True)
    q = np.zeros((_STATES, ACTIONS))
    for _ in range(40_000):
        wanted = _ahead(q.max(1))
        likely = np.exp(q - q.max(1, keepdims=True))
        likely /= likely.sum(1, keepdims=True)
        change = np.clip(q - wanted, -1, 1) * share + alpha * (likely - share)
        q = q - 0.5 * change
        if np.abs(change).max() < 1e-12:
            break
    return q


class GridTransitions(OneBatch):
    """Every transition of the data, as often as it is in it, in one batch; cells as one-hot codes.

    Args:
        counts: `(16, 4)` of the data.
    """

    def __init__(self, counts: NDArray[np.int64]) -> None:
        counts = counts.copy()
        counts[GOAL] = 0
        pairs = np.repeat(np.arange(counts.size), counts.ravel())
        cell, action = np.divmod(pairs, ACTIONS)
        code = torch.eye(_STATES)
        batch = TransitionBatch(
            code[cell],
            torch.from_numpy(action),
            torch.from_numpy(REWARD[cell, action]).float(),
            code[NEXT[cell, action]],
            torch.from_numpy(~ENDS[cell, action]).float(),
        )
        super().__init__(ActionCodec(ActionSpec("discrete", sizes=(ACTIONS,))), batch)
