"""Group normalisation and Mish in one pass over memory, forwards and backwards, on a CPU.

As single operations of PyTorch they cost more than the convolutions around them: a dozen passes
over arrays that are read for one multiplication each. Here a sample, a few kilobytes, stays in the
innermost cache from its mean to its last product.

Arrays are `(T, B, C)` float32, contiguous; the C channels are in equal groups, each normalised over
its channels and all T steps of a sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wirelessenvs.compiled import njit

__all__ = ["backward", "forward", "infer"]

_EPSILON = np.float32(1e-5)
_LOG2_E = np.float32(1.4426950408889634)
# log 2 in two parts, the first short enough that its products are exact (Cody and Waite).
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
# Mish is the identity beyond, to the last digit, and zero to the last normal number below.
_HIGHEST, _LOWEST = np.float32(20.0), np.float32(-80.0)
_ONE, _TWO, _FOUR, _HALF = np.float32(1), np.float32(2), np.float32(4), np.float32(0.5)

# Fused multiplications only: sums keep their order, so that results do not depend on the compiler.
_options: Any = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}


@njit(inline="always", **_options)
def _exponent(x):  # type: ignore[no-untyped-def]
    """The power of two next to exp(x), as a number."""
    return np.floor(x * _LOG2_E + _HALF)


@njit(inline="always", **_options)
def _mantissa(x, exponent):  # type: ignore[no-untyped-def]
    """exp(x) over that power: a polynomial on [-log 2 / 2, log 2 / 2], to 1e-7 relative."""
    r = x - exponent * _LN2_HIGH - exponent * _LN2_LOW
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    return p * r * r + r + _ONE


@njit(inline="always", **_options)
def _moments(x, b, groups, mean, scale):  # type: ignore[no-untyped-def]
    """Mean and inverse deviation of a sample's groups, repeated for each of their channels."""
    steps, _, channels = x.shape
    width = channels // groups
    count = np.float32(steps * width)
    mean[:] = 0
    for t in range(steps):
        for c in range(channels):
            mean[c] += x[t, b, c]
    _spread(mean, groups, width, count)
    scale[:] = 0
    for t in range(steps):
        for c in range(channels):
            centred = x[t, b, c] - mean[c]
            scale[c] += centred * centred
    _spread(scale, groups, width, count)
    for c in range(channels):
        scale[c] = _ONE / np.sqrt(scale[c] + _EPSILON)


@njit(inline="always", **_options)
def _spread(values, groups, width, count):  # type: ignore[no-untyped-def]
    """The sum of each group over `count`, in all its places."""
    for g in range(groups):
        total = np.float32(0)
        for c in range(g * width, (g + 1) * width):
            total += values[c]
        for c in range(g * width, (g + 1) * width):
            values[c] = total / count


@njit(inline="always", **_options)
def _affine_exponential(x, mean, factor, bias, y, w, bits):  # type: ignore[no-untyped-def]
    """Y = factor (x - mean) + bias; exp(y) is `w` times the number whose bits are `bits`."""
    for c in range(len(x)):
        value = (x[c] - mean[c]) * factor[c] + bias[c]
        y[c] = value
        value = min(max(value, _LOWEST), _HIGHEST)
        exponent = _exponent(value)
        w[c] = _mantissa(value, exponent)
        bits[c] = (np.int32(exponent) + np.int32(127)) << np.int32(23)


@njit(**_options)
def infer(x, gain, bias, groups, out):  # type: ignore[no-untyped-def]
    """Writes mish(gain (x - mean) / deviation + bias) to `out`."""
    steps, batch, channels = x.shape
    mean, scale = np.empty(channels, np.float32), np.empty(channels, np.float32)
    y, w = np.empty(channels, np.float32), np.empty(channels, np.float32)
    bits = np.empty(channels, np.int32)
    power = bits.view(np.float32)
    for b in range(batch):
        _moments(x, b, groups, mean, scale)
        for c in range(channels):
            scale[c] *= gain[c]
        for t in range(steps):
            _affine_exponential(x[t, b], mean, scale, bias, y, w, bits)
            for c in range(channels):
                # With w = exp(y): tanh(softplus(y)) = w (w + 2) / (w (w + 2) + 2).
                value = w[c] * power[c]
                square = value * (value + _TWO)
                out[t, b, c] = y[c] * (square * (_ONE / (square + _TWO)))


@njit(**_options)
def forward(x, gain, bias, groups, out, slope, mean, scale):  # type: ignore[no-untyped-def]
    """As `infer`; writes also what `backward` needs.

    `slope`, shaped as x, is Mish's derivative; `mean` and `scale`, `(B, C)`, are the mean and the
    inverse deviation of each channel's group.
    """
    steps, batch, channels = x.shape
    factor = np.empty(channels, np.float32)
    y, w = np.empty(channels, np.float32), np.empty(channels, np.float32)
    bits = np.empty(channels, np.int32)
    power = bits.view(np.float32)
    for b in range(batch):
        centre = mean[b]
        _moments(x, b, groups, centre, scale[b])
        for c in range(channels):
            factor[c] = scale[b, c] * gain[c]
        for t in range(steps):
            _affine_exponential(x[t, b], centre, factor, bias, y, w, bits)
            for c in range(channels):
                value = w[c] * power[c]
                square = value * (value + _TWO)
                inverse = _ONE / (square + _TWO)
                tanh = square * inverse
                out[t, b, c] = y[c] * tanh
                # d mish = tanh + 4 y w (w + 1) / ((w + 1)^2 + 1)^2
                slope[t, b, c] = tanh + _FOUR * y[c] * (square - value) * inverse * inverse


@njit(**_options)
def backward(grad, x, slope, gain, mean, scale, groups, grad_x, grad_gain, grad_bias):  # type: ignore[no-untyped-def]
    """Writes the gradients of x `(T, B, C)`, gain and bias `(C,)` from that of the output."""
    steps, batch, channels = x.shape
    width = channels // groups
    count = np.float32(steps * width)
    total, product = np.empty(channels, np.float32), np.empty(channels, np.float32)
    grad_gain[:] = 0
    grad_bias[:] = 0
    for b in range(batch):
        centre, inverse = mean[b], scale[b]
        total[:] = 0
        product[:] = 0
        for t in range(steps):
            for c in range(channels):
                value = grad[t, b, c] * slope[t, b, c]
                grad_x[t, b, c] = value
                total[c] += value
                product[c] += value * (x[t, b, c] - centre[c])
        for c in range(channels):
            grad_gain[c] += product[c] * inverse[c]
            grad_bias[c] += total[c]
            total[c] *= gain[c]
            product[c] *= gain[c]
        _spread(total, groups, width, count)
        _spread(product, groups, width, count)
        for c in range(channels):
            product[c] *= inverse[c] * inverse[c] * inverse[c]
            total[c] = total[c] * inverse[c] - product[c] * centre[c]
        for t in range(steps):
            for c in range(channels):
                value = grad_x[t, b, c] * (inverse[c] * gain[c])
                grad_x[t, b, c] = value - total[c] - x[t, b, c] * product[c]
