"""A counter-based random generator: any number of any stream, in any order, without state.

A stream is SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014): its k-th word is `mix(state + k * GOLDEN)`. A simulator that asks for "the shadowing
of user 7 in slot 1203" gets the same number whoever was served before, on whichever thread: common
random numbers for every policy, and results that do not depend on batch or thread count.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["GOLDEN", "mix", "standard_normal", "stream_state"]

#: Increment of a SplitMix64 stream.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# Every operand is np.uint64: Numba turns uint64 with a signed integer into a float.
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S11, _S27, _S30, _S31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)

# M. J. Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied
# Statistics 37(3), 1988, routine PPND16: numerators and denominators, lowest power first.
# fmt: off
_CENTRE = (
    (3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3,
     1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
     3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
     5.2264952788528545610e3),
)
_TAIL = (
    (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550,
     3.64784832476320460504, 1.27045825245236838258, 2.41780725177450611770e-1,
     2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
     1.05075007164441684324e-9),
)
_FAR_TAIL = (
    (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580,
     2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
     2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15),
)
# fmt: on


@njit(cache=True, nogil=True, inline="always")
def mix(word: np.uint64) -> np.uint64:
    """SplitMix64's finaliser: a bijection of 64-bit words whose outputs look independent."""
    word = (word ^ (word >> _S30)) * _FIRST
    word = (word ^ (word >> _S27)) * _SECOND
    return word ^ (word >> _S31)


@njit(cache=True, nogil=True, inline="always")
def stream_state(key: np.uint64, index: int) -> np.uint64:
    """First state of the `index`-th stream under a key."""
    return mix(key + np.uint64(index + 1) * GOLDEN)


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _ratio(x, p, q):  # type: ignore[no-untyped-def]
    """p(x) / q(x) of degree 7, in Horner's order."""
    above = p[7]
    above = above * x + p[6]
    above = above * x + p[5]
    above = above * x + p[4]
    above = above * x + p[3]
    above = above * x + p[2]
    above = above * x + p[1]
    above = above * x + p[0]
    below = q[7]
    below = below * x + q[6]
    below = below * x + q[5]
    below = below * x + q[4]
    below = below * x + q[3]
    below = below * x + q[2]
    below = below * x + q[1]
    below = below * x + q[0]
    return above / below


@njit(cache=True, nogil=True, error_model="numpy")
def _tail_normal(u: float) -> float:
    """The quantile for u outside 0.075..0.925."""
    distance = math.sqrt(-math.log(min(u, 1.0 - u)))
    if distance <= 5.0:
        z = _ratio(distance - 1.6, _TAIL[0], _TAIL[1])
    else:
        z = _ratio(distance - 5.0, _FAR_TAIL[0], _FAR_TAIL[1])
    return -z if u < 0.5 else z


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def standard_normal(word: np.uint64) -> float:
    """The standard normal quantile of the upper 53 bits of a word."""
    u = (np.float64(word >> _S11) + 0.5) * 2.0**-53
    q = u - 0.5
    if abs(q) <= 0.425:
        return q * _ratio(0.180625 - q * q, _CENTRE[0], _CENTRE[1])
    return _tail_normal(u)
