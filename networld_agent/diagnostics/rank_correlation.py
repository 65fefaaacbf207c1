"""Spearman's rank correlation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = ["rank_correlation"]


def rank_correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Correlation of the ranks, ties at their mean rank; nan if one of them is constant.

    Example:
        >>> rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([-5.0, 0.0, 0.1]))
        1.0
    """
    a, b = (rankdata(values) - (len(values) + 1) / 2 for values in (first, second))
    size = float(np.sqrt((a @ a) * (b @ b)))
    return round(float(a @ b) / size, 12) if size > 0 else float("nan")
