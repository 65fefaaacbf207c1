"""Gaussian noise that belongs to one agent: a pure function of seed, agent, decision and draw.

One generator for a whole batch would hand an agent other numbers as soon as another agent, another
environment or another candidate joins the batch: no agent could then plan on its own machine what
it plans in the simulation. Here every number is a hash of what it is for. The hash is SplitMix64
(Steele, Lea and Flood 2014), in wrapping 64-bit integers, the same on CPU and GPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

__all__ = ["agent_normal", "draw_keys", "mix", "normal", "stream_keys"]

_GOLDEN: Final = 0x9E3779B97F4A7C15 - 2**64
_FIRST: Final = 0xBF58476D1CE4E5B9 - 2**64
_SECOND: Final = 0x94D049BB133111EB - 2**64


def _shifted(x: Tensor, bits: int) -> Tensor:
    # torch shifts the sign in; the hash wants zeros.
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def mix(x: Tensor) -> Tensor:
    """SplitMix64's output function on int64 (read as unsigned)."""
    x = (x ^ _shifted(x, 30)) * _FIRST
    x = (x ^ _shifted(x, 27)) * _SECOND
    return x ^ _shifted(x, 31)


def stream_keys(*parts: Tensor, start: Tensor | None = None) -> Tensor:
    """One key per row of the broadcast parts; the order of the parts matters.

    Args:
        parts: int64 tensors that can be broadcast together.
        start: keys of parts that come before these; `stream_keys(a, b)` is
            `stream_keys(b, start=stream_keys(a))`.
    """
    key = start if start is not None else torch.zeros_like(parts[0])
    for part in parts:
        key = mix((key ^ part) * _GOLDEN + _GOLDEN)
    return key


def draw_keys(keys: Tensor, draws: Sequence[int]) -> Tensor:
    """`(R, K)` keys of K draws of a decision, from the keys `(R,)` of the decision."""
    return stream_keys(keys[:, None], torch.tensor(draws, device=keys.device))


def normal(keys: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers; every operation of it can be captured in a CUDA graph.

    Args:
        keys: `(...)` int64 keys, one per draw.
        shape: of one draw's numbers.

    Returns:
        `(..., *shape)` float32; each draw depends on its key alone.
    """
    count = math.prod(shape)
    pairs = (count + 1) // 2
    counter = torch.arange(1, pairs + 1, device=keys.device) * _GOLDEN
    bits = mix(keys[..., None] + counter)
    # Box-Muller on the two halves; 24 bits are what a float32 holds. Never log(0).
    radius_uniform = (_shifted(bits, 40).float() + 0.5) * 2.0**-24
    angle = ((bits & 0xFFFFFF).float()) * (2.0**-24 * 2.0 * math.pi)
    radius = torch.sqrt(-2.0 * torch.log(radius_uniform))
    numbers = torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], -1)
    return numbers[..., :count].reshape(*keys.shape, *shape)


def agent_normal(keys: Tensor, draw: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers of one draw.

    Args:
        keys: `(R,)` int64 keys, one per row.
        draw: which draw of the decision this is, at least 0.
        shape: of one row's numbers.

    Returns:
        `(R, *shape)` float32; row r depends on `keys[r]` and `draw` alone.
    """
    return normal(draw_keys(keys, [draw])[:, 0], shape)
