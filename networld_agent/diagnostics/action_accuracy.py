"""How often an action is recovered from the latents around it, beside two who do not look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ActionAccuracy", "action_accuracy", "equal_actions"]


@dataclass(frozen=True)
class ActionAccuracy:
    """Shares of actions that are right.

    Args:
        model: of the inverse dynamics model.
        repeating: of the rule "as last time".
        commonest: of always taking the action that is most common (of reals: the median).
    """

    model: float
    repeating: float
    commonest: float


def equal_actions(
    first: NDArray[np.generic], second: NDArray[np.generic], width: NDArray[np.float64] | None
) -> NDArray[np.bool_]:
    """`(M,)` where `(M, A)` actions agree: exactly, or reals within 1 % of their range's width.

    Args:
        first: actions.
        second: actions.
        width: `(A,)` of the range of real components; None for whole numbers.
    """
    if width is None:
        equal: NDArray[np.bool_] = (first == second).all(1)
        return equal
    distance = np.abs(first.astype(np.float64) - second.astype(np.float64))
    return np.asarray((distance <= 0.01 * width).all(1))


def action_accuracy(
    decoded: NDArray[np.generic],
    actual: NDArray[np.generic],
    last: NDArray[np.generic],
    width: NDArray[np.float64] | None = None,
) -> ActionAccuracy:
    """Accuracy of decoded actions, all `(M, A)`.

    Args:
        decoded: by the model.
        actual: as executed.
        last: executed before `actual` by the same agent.
        width: as in `equal_actions`.
    """
    if width is None:
        rows, counts = np.unique(actual, axis=0, return_counts=True)
        usual = rows[counts.argmax()]
    else:
        usual = np.median(actual, axis=0)
    return ActionAccuracy(
        float(equal_actions(decoded, actual, width).mean()),
        float(equal_actions(last, actual, width).mean()),
        float(equal_actions(np.broadcast_to(usual, actual.shape), actual, width).mean()),
    )
