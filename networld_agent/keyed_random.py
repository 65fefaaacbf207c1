"""Random numbers that belong to what they are for: pure functions of keys.

One generator for a whole batch hands an agent other numbers as soon as another agent, environment
or candidate joins the batch: no agent could plan on its own machine what it plans in the
simulation. And its numbers must be sent to a GPU. Here every number is a hash of its key. The hash
is SplitMix64 (Steele, Lea and Flood 2014), in wrapping 64-bit integers: keys and integers are equal
on every device, normal numbers to the last digits of its logarithm and cosine.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from wirelessenvs.compiled import njit, vectorize

__all__ = ["hashed", "integers", "normals", "signed", "stream_keys", "uniforms"]

_GOLDEN: Final = 0x9E3779B97F4A7C15 - 2**64
_FIRST: Final = 0xBF58476D1CE4E5B9 - 2**64
_SECOND: Final = 0x94D049BB133111EB - 2**64
_ANGLE: Final = 2.0**-24 * 2.0 * math.pi


def signed(number: int) -> int:
    """An integer of any size as the int64 of its lowest 64 bits."""
    return (number + 2**63) % 2**64 - 2**63


def _shifted(x: Tensor, bits: int) -> Tensor:
    # torch shifts the sign in; the hash wants zeros.
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    """SplitMix64's output function on int64 (read as unsigned)."""
    x = (x ^ _shifted(x, 30)) * _FIRST
    x = (x ^ _shifted(x, 27)) * _SECOND
    return x ^ _shifted(x, 31)


def hashed(key: Tensor, *parts: Tensor | int) -> Tensor:
    """One key per row of the broadcast parts; the order of the parts matters.

    Args:
        key: int64, of what the parts belong to.
        parts: int64 tensors that can be broadcast together, or integers.
    """
    if key.device.type == "cpu":
        return _hashed(key, parts)
    return _hashed_by_torch(key, parts)


def _hashed_by_torch(key: Tensor, parts: tuple[Tensor | int, ...]) -> Tensor:
    for part in parts:
        key = _mix((key ^ part) * _GOLDEN + _GOLDEN)
    return key


def _hashed(key: Tensor, parts: tuple[Tensor | int, ...]) -> Tensor:
    # One call per part: a dozen operations on a few numbers are all overhead.
    state = key.numpy()
    for part in parts:
        state = _fold(state, part if isinstance(part, int) else part.numpy())
    return torch.from_numpy(np.asarray(state))


def stream_keys(*parts: Tensor) -> Tensor:
    """Keys of the broadcast parts alone, `hashed` into zero."""
    return hashed(torch.zeros_like(parts[0]), *parts)


def integers(keys: Tensor, bound: Tensor | int) -> Tensor:
    """Uniform int64 in [0, bound) of each key; what 2^63 leaves over is too little to matter."""
    return _shifted(hashed(keys, 0), 1) % bound


def uniforms(keys: Tensor) -> Tensor:
    """Uniform float64 in [0, 1) of each key."""
    return _shifted(hashed(keys, 0), 11).double() * 2.0**-53


def normals(keys: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers, by the method of Box and Muller.

    Args:
        keys: `(...)` int64, one per draw.
        shape: of one draw's numbers.

    Returns:
        `(..., *shape)` float32; each draw depends on its key alone.
    """
    count, base = math.prod(shape), keys.reshape(-1)
    pairs = (count + 1) // 2
    halves = _halves if keys.device.type == "cpu" else _halves_by_torch
    uniform, angle = halves(base, pairs)
    radius = uniform.log_().mul_(-2.0).sqrt_()
    out = torch.cat([angle.cos(), angle.sin()], 1)
    out.view(len(base), 2, pairs).mul_(radius[:, None])
    return out[:, :count].reshape(*keys.shape, *shape)


# Of the 64 bits of each pair of numbers one half is a uniform number, never 0, and the other an
# angle; 24 bits are what a float32 holds.


def _halves_by_torch(base: Tensor, pairs: int) -> tuple[Tensor, Tensor]:
    counter = torch.arange(1, pairs + 1, device=base.device) * _GOLDEN
    bits = _mix(base[:, None] + counter)
    uniform = (_shifted(bits, 40).float() + 0.5) * 2.0**-24
    return uniform, (bits & 0xFFFFFF).float() * _ANGLE


def _halves(base: Tensor, pairs: int) -> tuple[Tensor, Tensor]:
    uniform, angle = torch.empty(2, len(base), pairs)
    _write_halves(base.numpy(), uniform.numpy(), angle.numpy())
    return uniform, angle


_options: Any = {"nogil": True}


@njit(inline="always", **_options)
def _finalised(x):  # type: ignore[no-untyped-def]
    """`_mix` on uint64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@vectorize(["int64(int64, int64)"])
def _fold(key, part):  # type: ignore[no-untyped-def]
    """One part hashed into a key; see `_hashed_by_torch`."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    return np.int64(_finalised(np.uint64(key ^ part) * golden + golden))


@njit(**_options)
def _write_halves(base, uniform, angle):  # type: ignore[no-untyped-def]
    half, unit, turn = np.float32(0.5), np.float32(2.0**-24), np.float32(_ANGLE)
    rows, pairs = uniform.shape
    for r in range(rows):
        state = np.uint64(base[r])
        for i in range(pairs):
            state += np.uint64(0x9E3779B97F4A7C15)
            x = _finalised(state)
            uniform[r, i] = (np.float32(np.int64(x >> np.uint64(40))) + half) * unit
            angle[r, i] = np.float32(np.int64(x & np.uint64(0xFFFFFF))) * turn
