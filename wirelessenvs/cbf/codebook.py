"""The beam codebook: unit-norm vectors whose phases are multiples of 2 pi / 16."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.cbf.config import NUM_PHASES

__all__ = ["codebook", "codebook_beams", "nearest_actions", "power_levels_mw"]


def codebook(num_antennas: int, num_beams: int) -> NDArray[np.complex128]:
    """The codewords of the published code, one per column.

    Entry (n, q) is exp(j 2 pi / 16 * floor(n ((q + Q/2) mod Q) / (Q / 16))) / sqrt(N).

    Args:
        num_antennas: N.
        num_beams: Q.

    Returns:
        `(N, Q)` unit-norm columns.

    Example:
        >>> phases = np.angle(codebook(3, 4)[1]) / (2 * np.pi / 16)
        >>> np.round(phases % 16).astype(int).tolist()
        [8, 12, 0, 4]
    """
    antenna = np.arange(num_antennas)[:, None]
    # All in integers: the floor of a rounded quotient could fall one phase too low.
    turned = (2 * np.arange(num_beams) + num_beams) % (2 * num_beams)
    phase = antenna * turned * NUM_PHASES // (2 * num_beams) % NUM_PHASES
    return np.exp(2j * np.pi / NUM_PHASES * phase) / np.sqrt(num_antennas)


def power_levels_mw(num_levels: int, max_power_mw: float) -> NDArray[np.float64]:
    """`(P,)` transmit powers in mW, linear from silence to the limit."""
    return np.arange(num_levels) * max_power_mw / (num_levels - 1)


def codebook_beams(
    actions: NDArray[np.int64], codewords: NDArray[np.complex128], levels_mw: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """The beamformers of codebook actions.

    Args:
        actions: `(..., K)` indices, beam times P plus power level.
        codewords: `(N, Q)`.
        levels_mw: `(P,)`.

    Returns:
        `(..., K, N)` in sqrt(mW).
    """
    beam, level = np.divmod(actions, len(levels_mw))
    return np.sqrt(levels_mw)[level][..., None] * codewords.T[beam]


def nearest_actions(
    beams: NDArray[np.complex128],
    codewords: NDArray[np.complex128],
    levels_mw: NDArray[np.float64],
) -> NDArray[np.int64]:
    """The codebook actions nearest to beamformers: best-aligned codeword, nearest power.

    Args:
        beams: `(..., K, N)` in sqrt(mW).
        codewords: `(N, Q)`.
        levels_mw: `(P,)`.

    Returns:
        `(..., K)` indices; of equally good ones the lowest.
    """
    beam = np.abs(beams @ codewords.conj()).argmax(-1)
    power_mw = (np.abs(beams) ** 2).sum(-1)
    step_mw = levels_mw[1]
    level = np.clip(np.round(power_mw / step_mw), 0, len(levels_mw) - 1).astype(np.int64)
    return beam * len(levels_mw) + level
