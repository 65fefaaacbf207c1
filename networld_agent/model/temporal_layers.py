"""Layers over sequences in (time, batch, channel) layout, quick on a CPU.

With time first, a shift in time is a view, so that a convolution is one matrix product per tap,
added up in place: nothing is unfolded or padded, and taps that would read padding are not computed
(at length 4 and 5 taps, 30 % of the work). Group normalisation and Mish are written out for
autograd, because PyTorch's Mish is slower than all of this together.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["Downsample", "NormMish", "TemporalConv", "Upsample"]


def _spans(length: int, taps: int) -> list[tuple[int, slice, slice]]:
    """Per tap, the middle one first: its index, and the steps it reads and writes."""
    half = taps // 2
    spans = []
    for shift in sorted(range(-half, half + 1), key=abs):
        if abs(shift) < length:
            write = slice(max(0, -shift), length - max(0, shift))
            read = slice(max(0, shift), length + min(0, shift))
            spans.append((shift + half, read, write))
    return spans


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        time, batch, channels = x.shape
        out = torch.empty(time, batch, weight.shape[2], dtype=x.dtype, device=x.device)
        for tap, read, write in _spans(time, len(weight)):
            rows, target = x[read].view(-1, channels), out[write].view(-1, out.shape[2])
            if tap == len(weight) // 2:
                torch.addmm(bias, rows, weight[tap], out=target)
            else:
                target.addmm_(rows, weight[tap])
        ctx.save_for_backward(x, weight)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        grad = grad.contiguous()
        time, _, channels = x.shape
        width = grad.shape[2]
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        grad_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        for tap, read, write in _spans(time, len(weight)):
            rows = grad[write].view(-1, width)
            if grad_x is not None:
                target = grad_x[read].view(-1, channels)
                if tap == len(weight) // 2:
                    torch.mm(rows, weight[tap].t(), out=target)
                else:
                    target.addmm_(rows, weight[tap].t())
            if grad_weight is not None:
                torch.mm(x[read].view(-1, channels).t(), rows, out=grad_weight[tap])
        grad_bias = grad.view(-1, width).sum(0) if ctx.needs_input_grad[2] else None
        return grad_x, grad_weight, grad_bias


class TemporalConv(nn.Module):
    """Convolution over time that keeps the length, as `nn.Conv1d(padding=taps // 2)`.

    Args:
        channels_in: of the input.
        channels_out: of the output.
        taps: odd size of the kernel.
    """

    def __init__(self, channels_in: int, channels_out: int, taps: int = 5) -> None:
        super().__init__()
        # As nn.Conv1d starts.
        bound = 1 / math.sqrt(channels_in * taps)
        self.weight = nn.Parameter(torch.empty(taps, channels_in, channels_out))
        self.bias = nn.Parameter(torch.empty(channels_out))
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """`(T, B, Cin)` to `(T, B, Cout)`."""
        if not x.is_cuda:
            out: Tensor = _Convolution.apply(x.contiguous(), self.weight, self.bias)
            return out
        # One large product, which autocast and compilers understand; launches cost more there.
        taps, half = len(self.weight), len(self.weight) // 2
        padded = nn.functional.pad(x, (0, 0, 0, 0, half, half))
        columns = torch.cat([padded[tap : tap + len(x)] for tap in range(taps)], -1)
        return nn.functional.linear(columns, self.weight.flatten(0, 1).t(), self.bias)


class _NormMish(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, bias: Tensor, groups: int) -> Tensor:
        batch, channels = x.shape[1:]

        def per_group(values: Tensor) -> Tensor:
            means = values.view(batch, groups, -1).mean(2, keepdim=True)
            return means.expand(-1, -1, channels // groups).reshape(batch, channels)

        centred = x - per_group(x.mean(0))
        scale = torch.rsqrt(per_group((centred * centred).mean(0)) + 1e-5)
        y = torch.addcmul(bias, centred, scale * gain)
        # With w = exp(y): tanh(softplus(y)) = 1 - 2 / ((w + 1)^2 + 1). Beyond 20 it is 1.
        w = y.clamp(max=20.0).exp_()
        inverse = torch.addcmul(torch.ones((), dtype=y.dtype), w + 1, w + 1).reciprocal_()
        tanh = torch.add(1.0, inverse, alpha=-2.0)
        if any(ctx.needs_input_grad):
            # d mish = tanh + 4 y w (w + 1) / ((w + 1)^2 + 1)^2, while all of it is in the cache.
            slope = torch.addcmul(w, w, w).mul_(inverse).mul_(inverse).mul_(y)
            slope = torch.add(tanh, slope, alpha=4.0)
            ctx.save_for_backward(centred, scale, gain, slope)
            ctx.per_group = per_group
        return y.mul_(tanh)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        centred, scale, gain, slope = ctx.saved_tensors
        grad_y = grad * slope
        total = grad_y.sum(0)
        product = (grad_y * centred).sum(0)
        grad_gain = (product * scale).sum(0) if ctx.needs_input_grad[1] else None
        grad_bias = total.sum(0) if ctx.needs_input_grad[2] else None
        per_group, steps = ctx.per_group, len(centred)
        offset = scale * per_group(gain * total) / -steps
        tilt = scale**3 * per_group(gain * product) / -steps
        grad_x = torch.addcmul(offset, grad_y, scale * gain).addcmul_(centred, tilt)
        return grad_x, grad_gain, grad_bias, None


class NormMish(nn.Module):
    """Group normalisation over time and a group of channels, then Mish.

    Args:
        channels: of the input.
        groups: that divide the channels.
    """

    def __init__(self, channels: int, groups: int = 8) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """`(T, B, C)` to the same shape."""
        if not x.is_cuda:
            out: Tensor = _NormMish.apply(x, self.gain, self.bias, self.groups)
            return out
        y = nn.functional.group_norm(x.permute(1, 2, 0), self.groups, self.gain, self.bias)
        return nn.functional.mish(y).permute(2, 0, 1)


class Downsample(nn.Module):
    """Halves the length: three taps, every second step."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(T, B, C)` to `(T / 2, B, C)`."""
        before = torch.cat([torch.zeros_like(x[:1]), x[1:-1:2]])
        out: Tensor = self.linear(torch.cat([before, x[0::2], x[1::2]], -1))
        return out


class Upsample(nn.Module):
    """Doubles the length: a transposed convolution with four taps and stride two."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Columns: the even steps' output, then the odd steps'.
        self.linear = nn.Linear(2 * channels, 2 * channels, bias=False)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """`(T, B, C)` to `(2 T, B, C)`."""
        time, batch, channels = x.shape
        edge = torch.zeros_like(x[:1])
        pairs = torch.cat([torch.cat([edge, x]), torch.cat([x, edge])], -1)
        both = self.linear(pairs)
        even, odd = both[:-1, :, :channels], both[1:, :, channels:]
        return torch.stack([even, odd], 1).reshape(2 * time, batch, channels) + self.bias
