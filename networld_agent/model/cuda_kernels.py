"""Triton kernels of the U-Net's layers on a GPU; imported only where Triton is.

Launched one by one, group normalisation, Mish and what is added to them read and write each array
a dozen times, and in bfloat16 the normalisation alone falls back to float32. Here a sample stays in
registers from its mean to its last sum. Arrays are `(T, B, C)`, or `(B, T, C)` where rows come
first, contiguous, of float32 or bfloat16; sums are float32.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["columns", "fits", "norm_mish", "norm_mish_gradients"]

_EPSILON = 1e-5
#: Numbers of one sample that a program holds in registers.
_MOST_NUMBERS = 8192
_MOST_PROGRAMS = 528


def fits(time: int, channels: int, groups: int) -> bool:
    """Whether the kernels take samples of this shape: powers of two, small enough."""
    width = channels // groups
    powers = all(number & (number - 1) == 0 for number in (time, channels, groups))
    return powers and width > 0 and time * channels <= _MOST_NUMBERS


@triton.jit
def _group_means(x, T: tl.constexpr, C: tl.constexpr, G: tl.constexpr):  # type: ignore[no-untyped-def]
    """Mean of each group of channels of `(T, C)` over all times, in all its places `(1, C)`."""
    W: tl.constexpr = C // G
    per_channel = tl.sum(x, 0)
    means = tl.sum(tl.reshape(per_channel, (G, W)), 1) / (T * W)
    return tl.reshape(tl.broadcast_to(means[:, None], (G, W)), (1, C))


@triton.jit
def _forward(  # type: ignore[no-untyped-def]
    x, gain, bias, added, out, time_stride, stride, added_stride,
    T: tl.constexpr, C: tl.constexpr, G: tl.constexpr, ADDED: tl.constexpr, EPSILON: tl.constexpr,
):  # fmt: skip
    sample = tl.program_id(0)
    t, c = tl.arange(0, T)[:, None], tl.arange(0, C)[None, :]
    place = t * time_stride + sample * stride + c
    v = tl.load(x + place).to(tl.float32)
    v = v - _group_means(v, T, C, G)
    v = v * tl.rsqrt(_group_means(v * v, T, C, G) + EPSILON)
    y = v * tl.load(gain + c).to(tl.float32) + tl.load(bias + c).to(tl.float32)
    w = tl.exp(tl.minimum(y, 20.0))
    n = w * (w + 2.0)
    y = tl.where(y > 20.0, y, y * (n / (n + 2.0)))
    if ADDED == 1:
        y += tl.load(added + sample * added_stride + c).to(tl.float32)
    if ADDED == 2:
        y += tl.load(added + place).to(tl.float32)
    tl.store(out + place, y.to(out.dtype.element_ty))


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    grad, x, gain, bias, grad_x, grad_added, partial, B, time_stride, stride,
    T: tl.constexpr, C: tl.constexpr, G: tl.constexpr, ADDED: tl.constexpr, EPSILON: tl.constexpr,
):  # fmt: skip
    t, c = tl.arange(0, T)[:, None], tl.arange(0, C)[None, :]
    gains = tl.load(gain + c).to(tl.float32)
    biases = tl.load(bias + c).to(tl.float32)
    gain_sum = tl.zeros((C,), tl.float32)
    bias_sum = tl.zeros((C,), tl.float32)
    first, step = tl.program_id(0), tl.num_programs(0)
    for sample in range(first, B, step):
        place = t * time_stride + sample * stride + c
        g = tl.load(grad + place).to(tl.float32)
        if ADDED == 1:
            added_row = grad_added + sample * C + tl.arange(0, C)
            tl.store(added_row, tl.sum(g, 0).to(grad_added.dtype.element_ty))
        v = tl.load(x + place).to(tl.float32)
        v = v - _group_means(v, T, C, G)
        scale = tl.rsqrt(_group_means(v * v, T, C, G) + EPSILON)
        v = v * scale
        y = v * gains + biases
        w = tl.exp(tl.minimum(y, 20.0))
        n = w * (w + 2.0)
        inverse = 1.0 / (n + 2.0)
        slope = n * inverse + 4.0 * y * (n - w) * inverse * inverse
        g = g * tl.where(y > 20.0, 1.0, slope)
        gain_sum += tl.sum(g * v, 0)
        bias_sum += tl.sum(g, 0)
        g = g * gains
        g = g - _group_means(g, T, C, G) - v * _group_means(g * v, T, C, G)
        tl.store(grad_x + place, (g * scale).to(grad_x.dtype.element_ty))
    row = partial + first * 2 * C + tl.arange(0, C)
    tl.store(row, gain_sum)
    tl.store(row + C, bias_sum)


@triton.jit
def _columns(  # type: ignore[no-untyped-def]
    x, out, B, C, T: tl.constexpr, TAPS: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    """The `TAPS` times around each time, side by side: `(T, B, C)` to `(T, B, TAPS C)`."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    width = B * C
    inside = place < T * width
    t, rest = place // width, place % width
    target = out + (place // C) * (TAPS * C) + place % C
    for tap in tl.static_range(TAPS):
        source = t + tap - TAPS // 2
        held = inside & (source >= 0) & (source < T)
        v = tl.load(x + source * width + rest, mask=held, other=0.0)
        tl.store(target + tap * C, v, mask=inside)


def _warps(time: int, channels: int) -> int:
    return 8 if time * channels >= 4096 else 4


def _sizes(x: Tensor, rows_first: bool) -> tuple[int, int, int, int, int]:
    """T, B, C, and the strides of time and sample."""
    first, second, channels = x.shape
    if rows_first:
        return second, first, channels, channels, second * channels
    return first, second, channels, second * channels, channels


def norm_mish(
    x: Tensor,
    gain: Tensor,
    bias: Tensor,
    groups: int,
    added: Tensor | None,
    rows_first: bool = False,
) -> Tensor:
    """Mish of x, normalised in groups, plus `(C,)`, `(B, C)` or an array like x."""
    time, batch, channels, time_stride, stride = _sizes(x, rows_first)
    out = torch.empty_like(x)
    kind, added_stride = 0, 0
    if added is not None:
        kind = 2 if added.dim() == 3 else 1
        added_stride = channels if added.dim() == 2 else 0
    _forward[(batch,)](
        x, gain, bias, x if added is None else added, out, time_stride, stride, added_stride,
        time, channels, groups, kind, _EPSILON, num_warps=_warps(time, channels),
    )  # fmt: skip
    return out


def norm_mish_gradients(
    grad: Tensor,
    x: Tensor,
    gain: Tensor,
    bias: Tensor,
    groups: int,
    added: tuple[torch.Size, torch.dtype] | None,
    weights: bool,
    rows_first: bool = False,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of x, of gain and bias if asked for, and of what was added.

    The latter is `(B, C)` or like x; its shape and type are given.
    """
    time, batch, channels, time_stride, stride = _sizes(x, rows_first)
    grad_x = torch.empty_like(x)
    kind, grad_added = 0, None
    if added is not None:
        kind = 2 if len(added[0]) == 3 else 1
        grad_added = grad if kind == 2 else torch.empty(added[0], dtype=added[1], device=x.device)
    programs = min(batch, _MOST_PROGRAMS)
    partial = torch.empty(programs, 2, channels, device=x.device)
    _backward[(programs,)](
        grad, x, gain, bias, grad_x, grad if grad_added is None else grad_added, partial, batch,
        time_stride, stride, time, channels, groups, kind, _EPSILON,
        num_warps=_warps(time, channels),
    )  # fmt: skip
    if not weights:
        return grad_x, None, None, grad_added
    sums = partial.sum(0)
    return grad_x, sums[0].to(gain.dtype), sums[1].to(bias.dtype), grad_added


def columns(x: Tensor, taps: int) -> Tensor:
    """The `taps` times around each time of x `(T, B, C)`, zeros outside: `(T, B, taps C)`."""
    time, batch, channels = x.shape
    out = x.new_empty(time, batch, taps * channels)
    block = 1024
    _columns[(triton.cdiv(x.numel(), block),)](x, out, batch, channels, time, taps, block)
    return out
