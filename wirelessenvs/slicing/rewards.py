"""The three rewards, from satisfaction ratios and spectral efficiency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from wirelessenvs.slicing.config import SlicingConfig

__all__ = ["SE_WEIGHT", "lstm_a2c_shaping", "reward_of", "utility"]

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
    return weights[0] * ssr[..., 0] + weights[1] * ssr[..., 1] + weights[2] * ssr[..., 2]


def utility(
    ssr: NDArray[np.float64], se: NDArray[np.float64], beta: tuple[float, float, float]
) -> NDArray[np.float64]:
    """J = 0.01 SE + sum over slices of beta_n SSR_n (Hua et al. 2020, eq. of the utility).

    Args:
        ssr: `(..., 3)` satisfaction ratios.
        se: `(...)` spectral efficiency.
        beta: weights of the slices.
    """
    return SE_WEIGHT * se + _weighted_sum(ssr, beta)


def lstm_a2c_shaping(ssr: NDArray[np.float64], se: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shaped reward of Li et al. (2020), as their published code computes it.

    -5 unless VoLTE and video reach 0.98; then 10 (SSR_urllc - 0.7) while URLLC is below 0.95;
    then 4, plus 0.1 for every unit of spectral efficiency above 280.

    Args:
        ssr: `(..., 3)`.
        se: `(...)`.
    """
    others = (ssr[..., 0] >= SHAPING_SSR_FLOOR) & (ssr[..., 1] >= SHAPING_SSR_FLOOR)
    climbing = (ssr[..., 2] - SHAPING_URLLC_ZERO) * SHAPING_URLLC_SLOPE
    reached = SHAPING_HIT + SHAPING_SE_SLOPE * np.maximum(se - SHAPING_SE_FLOOR, 0.0)
    return np.where(
        others, np.where(ssr[..., 2] >= SHAPING_URLLC_FLOOR, reached, climbing), SHAPING_MISS
    )


def reward_of(
    config: SlicingConfig, ssr: NDArray[np.float64], se: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The configured reward of `(..., 3)` satisfaction ratios and `(...)` spectral efficiency."""
    if config.built_in_reward == "ssr":
        total = sum(config.ssr_weights)
        return _weighted_sum(ssr, [weight / total for weight in config.ssr_weights])
    if config.built_in_reward == "utility":
        return utility(ssr, se, config.beta)
    return lstm_a2c_shaping(ssr, se)
