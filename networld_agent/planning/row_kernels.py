"""Group normalisation and Mish of a plan's features, row by row, as compiled loops on a CPU.

Arrays are `(R, T, C)` float32, contiguous: a row is one agent, as plans are stored. The arithmetic
is that of `model.norm_mish_kernels`, where training keeps time first.
"""

from __future__ import annotations

import numpy as np

from networld_agent.model.norm_mish_kernels import (
    _FOUR,
    _ONE,
    _TWO,
    _affine_exponential,
    _moments,
    _options,
    _spread,
)
from wirelessenvs.compiled import njit

__all__ = ["backward", "forward"]


@njit(**_options)
def forward(x, gain, bias, groups, shift, rest, out):  # type: ignore[no-untyped-def]
    """Writes mish(gain (x - mean) / deviation + bias) plus what follows it to `out`.

    `shift`, `(C,)`, is added to every step and `rest`, shaped as x, to every number; either may be
    None.
    """
    rows, steps, channels = x.shape
    mean, scale = np.empty(channels, np.float32), np.empty(channels, np.float32)
    y, w = np.empty(channels, np.float32), np.empty(channels, np.float32)
    bits = np.empty(channels, np.int32)
    power = bits.view(np.float32)
    for r in range(rows):
        row = x[r].reshape(steps, 1, channels)
        _moments(row, 0, groups, mean, scale)
        for c in range(channels):
            scale[c] *= gain[c]
        for t in range(steps):
            _affine_exponential(row[t, 0], mean, scale, bias, y, w, bits)
            for c in range(channels):
                value = w[c] * power[c]
                square = value * (value + _TWO)
                value = y[c] * (square * (_ONE / (square + _TWO)))
                if shift is not None:
                    value += shift[c]
                if rest is not None:
                    value += rest[r, t, c]
                out[r, t, c] = value


@njit(**_options)
def backward(grad, x, gain, bias, groups, out):  # type: ignore[no-untyped-def]
    """Writes the gradient of `x`, from that of the output of `forward`."""
    rows, steps, channels = x.shape
    width = channels // groups
    count = np.float32(steps * width)
    mean, scale = np.empty(channels, np.float32), np.empty(channels, np.float32)
    factor = np.empty(channels, np.float32)
    total, product = np.empty(channels, np.float32), np.empty(channels, np.float32)
    y, w = np.empty(channels, np.float32), np.empty(channels, np.float32)
    bits = np.empty(channels, np.int32)
    power = bits.view(np.float32)
    for r in range(rows):
        row = x[r].reshape(steps, 1, channels)
        _moments(row, 0, groups, mean, scale)
        total[:] = 0
        product[:] = 0
        for c in range(channels):
            factor[c] = scale[c] * gain[c]
        for t in range(steps):
            _affine_exponential(row[t, 0], mean, factor, bias, y, w, bits)
            for c in range(channels):
                value = w[c] * power[c]
                square = value * (value + _TWO)
                inverse = _ONE / (square + _TWO)
                slope = square * inverse + _FOUR * y[c] * (square - value) * inverse * inverse
                value = grad[r, t, c] * slope * gain[c]
                out[r, t, c] = value
                total[c] += value
                product[c] += value * (x[r, t, c] - mean[c])
        _spread(total, groups, width, count)
        _spread(product, groups, width, count)
        for c in range(channels):
            product[c] *= scale[c] * scale[c] * scale[c]
            total[c] *= scale[c]
        for t in range(steps):
            for c in range(channels):
                centred = x[r, t, c] - mean[c]
                out[r, t, c] = out[r, t, c] * scale[c] - total[c] - centred * product[c]
