"""The three rewards, for any number of slices, from satisfaction ratios and spectral efficiency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from wirelessenvs.slicing.config import SlicingConfig

__all__ = [
    "SE_WEIGHT",
    "adds_up",
    "lstm_a2c_shaping",
    "reward_of",
    "shaping_floors",
    "utility",
    "worth_of",
]

#: Weight of the spectral efficiency in the utility (Hua et al. 2020, and its code).
SE_WEIGHT = 0.01
# Shaping of the published code of Li et al. (2020): thresholds on the ratios, on SE, slopes.
SHAPING_SSR_FLOOR = 0.98
SHAPING_URLLC_FLOOR = 0.95
SHAPING_URLLC_ZERO = 0.7
SHAPING_SE_FLOOR = 280.0
SHAPING_MISS, SHAPING_HIT = -5.0, 4.0
SHAPING_URLLC_SLOPE, SHAPING_SE_SLOPE = 10.0, 0.1


def _weighted_sum(ssr: NDArray[np.float64], weights: Sequence[float]) -> NDArray[np.float64]:
    # Not a matrix product: BLAS may round a row differently in batches of different sizes.
    total: NDArray[np.float64] = weights[0] * ssr[..., 0]
    for s in range(1, len(weights)):
        total = total + weights[s] * ssr[..., s]
    return total


def utility(
    ssr: NDArray[np.float64], se: NDArray[np.float64], beta: Sequence[float]
) -> NDArray[np.float64]:
    """J = 0.01 SE + sum over slices of beta_n SSR_n (Hua et al. 2020, eq. of the utility).

    Args:
        ssr: `(..., K)` satisfaction ratios.
        se: `(...)` spectral efficiency.
        beta: weights of the slices.
    """
    return SE_WEIGHT * se + _weighted_sum(ssr, beta)


def lstm_a2c_shaping(ssr: NDArray[np.float64], se: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shaped reward of Li et al. (2020), as their published code computes it.

    -5 unless VoLTE and video reach 0.98; then 10 (SSR_urllc - 0.7) while URLLC is below 0.95;
    then 4, plus 0.1 for every unit of spectral efficiency above 280. Of any slices, the last has
    the part of URLLC, and all others those of VoLTE and video.

    Args:
        ssr: `(..., K)`.
        se: `(...)`.
    """
    others = ssr[..., 0] >= SHAPING_SSR_FLOOR
    for s in range(1, ssr.shape[-1] - 1):
        others = others & (ssr[..., s] >= SHAPING_SSR_FLOOR)
    climbing = (ssr[..., -1] - SHAPING_URLLC_ZERO) * SHAPING_URLLC_SLOPE
    reached = SHAPING_HIT + SHAPING_SE_SLOPE * np.maximum(se - SHAPING_SE_FLOOR, 0.0)
    return np.where(
        others, np.where(ssr[..., -1] >= SHAPING_URLLC_FLOOR, reached, climbing), SHAPING_MISS
    )


def reward_of(
    config: SlicingConfig, ssr: NDArray[np.float64], se: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The configured reward of `(..., K)` satisfaction ratios and `(...)` spectral efficiency."""
    if config.built_in_reward == "ssr":
        return _weighted_sum(ssr, _shares(config))
    if config.built_in_reward == "utility":
        return utility(ssr, se, config.betas)
    return lstm_a2c_shaping(ssr, se)


def _shares(config: SlicingConfig) -> list[float]:
    total = sum(config.weights)
    return [weight / total for weight in config.weights]


def adds_up(config: SlicingConfig) -> bool:
    """Whether the reward is a sum over slices: the shaping is not, for its thresholds."""
    return config.built_in_reward in ("ssr", "utility")


def worth_of(
    config: SlicingConfig, ssr: NDArray[np.float64], se: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What each slice adds to a reward that adds up, `(..., K, R)` as both arguments."""
    if config.built_in_reward == "ssr":
        return np.array(_shares(config))[:, None] * ssr
    return SE_WEIGHT * se + np.array(config.betas)[:, None] * ssr


def shaping_floors(num_slices: int) -> NDArray[np.float64]:
    """`(K,)` satisfaction ratios that the shaping asks of the slices."""
    return np.array([SHAPING_SSR_FLOOR] * (num_slices - 1) + [SHAPING_URLLC_FLOOR])
