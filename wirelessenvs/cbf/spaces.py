"""Scaling and bounds of the observation, entry by entry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.cbf.config import CBFConfig

__all__ = ["feature_scaling", "observation_bounds"]

# Divisors of the published observation.
_GAIN, _INTERFERENCE, _RATE = 1e-9, 1e-7, 5.0


def feature_scaling(config: CBFConfig) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Factor of each entry in natural units, and whether log10(1 + .) / 5 follows.

    In "log" observations, gains are those of full power over the noise, and received powers and
    interference are over the noise: every entry is a signal-to-noise ratio in units of 50 dB.

    Returns:
        `(D,)` factors and `(D,)` booleans.
    """
    size, log = config.num_interferers, config.observation == "log"
    gain = config.max_power_mw / config.noise_mw if log else 1 / _GAIN
    received = 1 / config.noise_mw if log else 1 / _GAIN
    interference = 1 / config.noise_mw if log else 1 / _INTERFERENCE
    own = [(1 / config.max_power_mw, False), (1.0, False), (1 / _RATE, False)]
    own += 2 * [(gain, log)] + 2 * [(interference, log)]
    interferer = [(1 / (config.num_cells - 1), False), (received, log)]
    interferer += [(1.0, False), (1 / _RATE, False)]
    interfered = [(gain, log), (1 / _RATE, False), (1.0, log)]
    sweep = config.num_beams * [(gain, log)] if config.observation == "sweep" else []
    entries = own + 2 * size * interferer + size * interfered + sweep
    factors, logarithmic = zip(*entries, strict=True)
    return np.array(factors), np.array(logarithmic)


def observation_bounds(config: CBFConfig) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`(D,)` lower and upper bounds of an observation."""
    size, last_beam = config.num_interferers, float(config.num_beams - 1)
    own = [1.0, last_beam] + 5 * [np.inf]
    high = own + 2 * size * [1.0, np.inf, last_beam, np.inf] + 3 * size * [np.inf]
    high += config.num_beams * [np.inf] if config.observation == "sweep" else []
    return np.zeros(len(high), np.float32), np.array(high, np.float32)
