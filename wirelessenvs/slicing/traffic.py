"""Traffic in closed form: the law of slots between packets, and mean rates and sizes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.slicing.classes import Law
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


def gap_probabilities(config: SlicingConfig) -> tuple[NDArray[np.float64], ...]:
    """P(gap = 1), P(gap = 2), ... in slots, of each class; nothing of an exponential law.

    A packet is due a continuous gap after the one before and enters at the next slot boundary:
    the gap in slots is the gap in slot lengths rounded up, as in the published code.
    """
    return tuple(_gap_law(one.gap_s, config.slot_s) for one in config.classes)


def _gap_law(law: Law, slot: float) -> NDArray[np.float64]:
    kind, *numbers = law
    if kind == "exponential":
        return np.zeros(0)
    edges = np.arange(1, math.ceil(numbers[-1] / slot - 1e-9) + 1) * slot
    if kind == "uniform":
        low, high = numbers
        reached = np.clip((edges - low) / (high - low), 0.0, 1.0)
    elif kind == "lomax":
        reached = 1.0 - (1.0 + edges / numbers[1]) ** -numbers[0]
    else:
        reached = np.zeros(edges.size)
    if kind != "uniform":
        reached[-1] = 1.0  # the atom at the cap, or at the one value
    return np.diff(reached, prepend=0.0)


def mean_gap_slots(config: SlicingConfig) -> NDArray[np.float64]:
    """`(K,)` mean slots between two packets of a user, per class."""
    means = []
    for one, law in zip(config.classes, gap_probabilities(config), strict=True):
        if one.gap_s[0] == "exponential":  # 1 / P(it ends in a slot)
            means.append(-1.0 / math.expm1(-config.slot_s / one.gap_s[1]))
        else:
            means.append(float(law @ np.arange(1, law.size + 1)))
    return np.array(means)


def mean_packet_bits(config: SlicingConfig) -> NDArray[np.float64]:
    """`(K,)` mean packet size in bits, per class."""
    return np.array([_mean_bits(one.bits) for one in config.classes])


def _mean_bits(law: Law) -> float:
    if law[0] == "lomax":
        return clipped_lomax_mean(*law[1:])
    return float(np.mean(law[1:]))  # also of a uniform law


class TrafficTables(NamedTuple):
    """What the kernel needs to draw gaps and sizes from 32-bit words; row s belongs to slice s.

    Args:
        thresholds: `(K, W)` int64; a gap is one more than the number of thresholds <= word.
        guide: `(K, 512)` int32; that number for the smallest word with given upper 9 bits.
        exponential_slots: `(K,)` mean of an exponential gap in slots, or 0: use the table.
        sizes: `(K, 64)` equally likely packet sizes in bits.
        num_sizes: `(K,)` how many there are, or 0: sizes are clipped Lomax or uniform.
        lomax: `(K, 3)` shape, scale in bits, cap in bits; 0, low, high of a uniform size.
    """

    thresholds: NDArray[np.int64]
    guide: NDArray[np.int32]
    exponential_slots: NDArray[np.float64]
    sizes: NDArray[np.float64]
    num_sizes: NDArray[np.int64]
    lomax: NDArray[np.float64]


def traffic_tables(config: SlicingConfig) -> TrafficTables:
    """Builds the tables. Probabilities are exact to 2^-32."""
    laws, classes = gap_probabilities(config), config.classes
    k, width = len(laws), max(1, *(law.size for law in laws))
    # A row ends with a threshold beyond every word, so that a search needs no bound.
    thresholds = np.full((k, width), 1 << 32, np.int64)
    guide = np.zeros((k, GUIDE_SIZE), np.int32)
    starts = np.arange(GUIDE_SIZE, dtype=np.int64) << 23
    exponential, sizes = np.zeros(k), np.ones((k, 64))
    num_sizes, lomax = np.zeros(k, np.int64), np.zeros((k, 3))
    for row, (law, one) in enumerate(zip(laws, classes, strict=True)):
        if one.gap_s[0] == "exponential":
            exponential[row] = one.gap_s[1] / config.slot_s
        else:
            thresholds[row, : law.size - 1] = np.rint(np.cumsum(law)[:-1] * 2.0**32)
            guide[row] = np.searchsorted(thresholds[row], starts, side="right")
        kind, *numbers = one.bits
        if kind in ("lomax", "uniform"):
            lomax[row, -len(numbers) :] = numbers
        else:
            num_sizes[row] = len(numbers)
            sizes[row, : len(numbers)] = numbers
    return TrafficTables(thresholds, guide, exponential, sizes, num_sizes, lomax)
