"""Traffic in closed form: the law of slots between packets, and mean rates and sizes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.slicing.config import SlicingConfig

__all__ = [
    "TrafficTables",
    "clipped_lomax_mean",
    "gap_probabilities",
    "mean_gap_slots",
    "mean_packet_bits",
    "traffic_tables",
]

#: Entries of the guide into a table of slot gaps; a power of two.
GUIDE_SIZE = 512


def clipped_lomax_mean(shape: float, scale: float, cap: float) -> float:
    """Mean of min(scale X, cap) with P(X > x) = (1 + x)^-shape."""
    reach = 1.0 + cap / scale
    if abs(shape - 1.0) < 1e-12:
        return scale * math.log(reach)
    return scale * (1.0 - reach ** (1.0 - shape)) / (shape - 1.0)


def gap_probabilities(config: SlicingConfig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P(gap = 1), P(gap = 2), ... in slots, of VoLTE and of video.

    A packet is due a continuous gap after the one before and enters at the next slot boundary:
    the gap in slots is the gap in slot lengths rounded up, as in the published code.
    """
    slot = config.slot_s
    edges = np.arange(1, math.ceil(config.volte_gap_s / slot - 1e-9) + 1) * slot
    volte = np.minimum(edges / config.volte_gap_s, 1.0)
    scale, cap = config.video_gap_s
    edges = np.arange(1, math.ceil(cap / slot - 1e-9) + 1) * slot
    video = 1.0 - (1.0 + edges / scale) ** -config.lomax_shape
    video[-1] = 1.0  # the atom at the cap
    return np.diff(volte, prepend=0.0), np.diff(video, prepend=0.0)


def mean_gap_slots(config: SlicingConfig) -> NDArray[np.float64]:
    """`(3,)` mean slots between two packets of a user, per class."""
    volte, video = gap_probabilities(config)
    ends = -math.expm1(-config.slot_s / config.urllc_gap_s)  # P(an exponential ends in a slot)
    return np.array(
        [
            volte @ np.arange(1, volte.size + 1),
            video @ np.arange(1, video.size + 1),
            1.0 / ends,
        ]
    )


def mean_packet_bits(config: SlicingConfig) -> NDArray[np.float64]:
    """`(3,)` mean packet size in bits, per class."""
    video = clipped_lomax_mean(config.lomax_shape, *config.video_bits)
    return np.array([config.volte_bits, video, float(np.mean(config.urllc_bits))])


class TrafficTables(NamedTuple):
    """What the kernel needs to draw gaps and sizes from 32-bit words; row s belongs to slice s.

    Args:
        thresholds: `(3, K)` int64; a gap is one more than the number of thresholds <= word.
        guide: `(3, 512)` int32; that number for the smallest word with given upper 9 bits.
        exponential_slots: `(3,)` mean of an exponential gap in slots, or 0: use the table.
        sizes: `(3, 64)` equally likely packet sizes in bits.
        num_sizes: `(3,)` how many there are, or 0: sizes are clipped Lomax.
        lomax: `(3,)` shape, scale in bits, cap in bits.
    """

    thresholds: NDArray[np.int64]
    guide: NDArray[np.int32]
    exponential_slots: NDArray[np.float64]
    sizes: NDArray[np.float64]
    num_sizes: NDArray[np.int64]
    lomax: NDArray[np.float64]


def traffic_tables(config: SlicingConfig) -> TrafficTables:
    """Builds the tables. Probabilities are exact to 2^-32."""
    laws = gap_probabilities(config)
    width = max(law.size for law in laws)
    # A row ends with a threshold beyond every word, so that a search needs no bound.
    thresholds = np.full((3, width), 1 << 32, np.int64)
    guide = np.zeros((3, GUIDE_SIZE), np.int32)
    starts = np.arange(GUIDE_SIZE, dtype=np.int64) << 23
    for row, law in enumerate(laws):
        thresholds[row, : law.size - 1] = np.rint(np.cumsum(law)[:-1] * 2.0**32)
        guide[row] = np.searchsorted(thresholds[row], starts, side="right")
    sizes = np.ones((3, 64))
    sizes[0, 0] = config.volte_bits
    sizes[2, : len(config.urllc_bits)] = config.urllc_bits
    return TrafficTables(
        thresholds,
        guide,
        np.array([0.0, 0.0, config.urllc_gap_s / config.slot_s]),
        sizes,
        np.array([1, 0, len(config.urllc_bits)]),
        np.array([config.lomax_shape, *config.video_bits]),
    )
