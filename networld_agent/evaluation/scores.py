"""Scores and how sure they are: normalised between random and expert, with bootstrap intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "bootstrap_interval",
    "normalised",
    "normalised_interval",
    "percentiles",
    "spread_over_groups",
]

Reals = NDArray[np.float64]


def normalised(value: float, random: float, expert: float) -> float:
    """0 for the random policy's mean reward, 100 for the expert's; nan where these are equal."""
    return 100 * (value - random) / (expert - random) if expert != random else float("nan")


def _resampled(size: int, samples: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(size, size=(samples, size))


def percentiles(values: Reals, level: float = 0.95) -> tuple[float, float]:
    """Bounds of the middle share of bootstrap draws."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_interval(
    values: Reals, samples: int = 4000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean of `(E,)` independent episodes.

    Example:
        >>> low, high = bootstrap_interval(np.arange(100.0))
        >>> 42 < low < 49.5 < high < 57
        True
    """
    index = _resampled(len(values), samples, seed)
    return percentiles(np.asarray(values)[index].mean(1), level)


def normalised_interval(
    values: Reals,
    random: Reals,
    expert: Reals,
    samples: int = 4000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the normalised score.

    All three methods face the same `(E,)` worlds: an episode is drawn for all of them at once, so
    that hard worlds do not look like a difference.
    """
    index = _resampled(len(values), samples, seed)
    means = [np.asarray(x)[index].mean(1) for x in (values, random, expert)]
    gap = means[2] - means[1]
    if not gap.all():
        return float("nan"), float("nan")
    return percentiles(100 * (means[0] - means[1]) / gap, level)


def spread_over_groups(values: Reals, groups: int) -> float:
    """Standard deviation of the means of `groups` equal parts of `(E,)`; nan for a single one."""
    if groups < 2:
        return float("nan")
    return float(np.asarray(values).reshape(groups, -1).mean(1).std(ddof=1))
