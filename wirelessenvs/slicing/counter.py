"""A counter-based random generator: any number of any stream, in any order, without state.

A stream is SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014): its k-th word is `mix(state + k * GOLDEN)`. A simulator that asks for "the shadowing
of user 7 in slot 1203" gets the same number whoever was served before, on whichever thread: common
random numbers for every policy, and results that do not depend on batch or thread count.

Numba's cache does not notice a change here: touch `kernels.py`, into which these are inlined.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from wirelessenvs.compiled import njit

__all__ = ["GOLDEN", "mix", "standard_normal", "stream_state"]

#: Increment of a SplitMix64 stream.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# Every operand is np.uint64: Numba turns uint64 with a signed integer into a float.
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S12, _S27, _S30, _S31, _S48 = (np.uint64(bits) for bits in (12, 27, 30, 31, 48))
_LOW48 = np.uint64(2**48 - 1)
_SMALLEST = -53  # exponent of the smallest probability, 2^-53


def _quantile_table() -> NDArray[np.float64]:
    """`(52 * 16, 6)` coefficients of polynomials for the upper normal quantile of a probability v.

    Row 16 e + k belongs to v in 2^(e - 53) (1 + [k, k + 1) / 16), where the quantile is the
    polynomial in t = the place within that piece: interpolation at Chebyshev nodes, within 2e-12.
    Pieces in proportion to v follow the quantile into its tail, and the bits of v as a float are
    row and t at once.
    """
    nodes = 0.5 + 0.5 * np.cos(np.pi * (np.arange(6) + 0.5) / 6)
    octave = 2.0 ** np.arange(_SMALLEST, -1)[:, None, None]
    v = octave * (1.0 + (np.arange(16)[:, None] + nodes) / 16.0)
    quantile = -ndtri(v.reshape(-1, 6))
    inverse = np.linalg.inv(np.vander(nodes, increasing=True))
    return np.ascontiguousarray((quantile[:, None, :] * inverse).sum(-1))


_QUANTILE = _quantile_table()
_FIRST_ROW = np.uint64((1023 + _SMALLEST) << 4)


@njit(nogil=True, inline="always")
def mix(word: np.uint64) -> np.uint64:
    """SplitMix64's finaliser: a bijection of 64-bit words whose outputs look independent."""
    word = (word ^ (word >> _S30)) * _FIRST
    word = (word ^ (word >> _S27)) * _SECOND
    return word ^ (word >> _S31)


@njit(nogil=True, inline="always")
def stream_state(key: np.uint64, index: int) -> np.uint64:
    """First state of the `index`-th stream under a key."""
    return mix(key + np.uint64(index + 1) * GOLDEN)


@njit(nogil=True, inline="always", error_model="numpy")
def standard_normal(word: np.uint64) -> float:
    """The standard normal quantile of (upper 52 bits + 1/2) / 2^52, within 2e-12."""
    u = (np.float64(word >> _S12) + 0.5) * 2.0**-52  # exact: 53 bits hold 52 and a half
    bits = np.float64(min(u, 1.0 - u)).view(np.uint64)
    row = (bits >> _S48) - _FIRST_ROW
    t = np.float64(bits & _LOW48) * 2.0**-48
    z = _QUANTILE[row, 4] + t * _QUANTILE[row, 5]
    z = _QUANTILE[row, 2] + t * (_QUANTILE[row, 3] + t * z)
    z = _QUANTILE[row, 0] + t * (_QUANTILE[row, 1] + t * z)
    return math.copysign(z, u - 0.5)
