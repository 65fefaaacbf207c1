"""Layers over sequences in (time, batch, channel) layout, quick on a CPU.

With time first, a shift in time is a view, so that a convolution is one matrix product per tap,
added up in place: nothing is unfolded or padded, and taps that would read padding are not computed
(at length 4 and 5 taps, 30 % of the work). Group normalisation and Mish are one compiled kernel,
because PyTorch's Mish is slower than all of this together.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from networld_agent.model import cuda_layers, norm_mish_kernels

__all__ = ["Downsample", "NormMish", "TemporalConv", "Upsample"]


@lru_cache
def _spans(length: int, taps: int) -> tuple[tuple[int, slice, slice], ...]:
    """Per tap, the middle one first: its index, and the steps it reads and writes."""
    half = taps // 2
    spans = []
    for shift in sorted(range(-half, half + 1), key=abs):
        if abs(shift) < length:
            write = slice(max(0, -shift), length - max(0, shift))
            read = slice(max(0, shift), length + min(0, shift))
            spans.append((shift + half, read, write))
    return tuple(spans)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        time, batch, channels = x.shape
        out = torch.empty(time, batch, weight.shape[2], dtype=x.dtype, device=x.device)
        matrices = weight.unbind()
        for tap, read, write in _spans(time, len(matrices)):
            rows, target = x[read].view(-1, channels), out[write].view(-1, out.shape[2])
            if tap == len(matrices) // 2:
                torch.addmm(bias, rows, matrices[tap], out=target)
            else:
                target.addmm_(rows, matrices[tap])
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
        grad_weight = torch.empty_like(weight) if ctx.needs_input_grad[1] else None
        spans = _spans(time, len(weight))
        if grad_weight is not None and len(spans) < len(weight):
            grad_weight.zero_()  # no step is as far from another as the outer taps read
        for tap, read, write in spans:
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
        if torch.compiler.is_compiling():
            # Plain operations, which compilers understand.
            columns = cuda_layers.columns(x, len(self.weight))
            return nn.functional.linear(columns, self.weight.flatten(0, 1).t(), self.bias)
        if x.is_cuda:
            return cuda_layers.convolution(x, self.weight, self.bias)
        out: Tensor = _Convolution.apply(x.contiguous(), self.weight, self.bias)
        return out


class _NormMish(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, bias: Tensor, groups: int) -> Tensor:
        out = torch.empty_like(x)
        arrays = (x.numpy(), gain.numpy(), bias.numpy(), groups, out.numpy())
        if not any(ctx.needs_input_grad):
            norm_mish_kernels.infer(*arrays)
            return out
        slope, mean, scale = torch.empty_like(x), torch.empty_like(x[0]), torch.empty_like(x[0])
        norm_mish_kernels.forward(*arrays, slope.numpy(), mean.numpy(), scale.numpy())
        ctx.save_for_backward(x, slope, gain, mean, scale)
        ctx.groups = groups
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, slope, gain, mean, scale = ctx.saved_tensors
        grad_x, grad_gain = torch.empty_like(x), torch.empty_like(gain)
        grad_bias = torch.empty_like(gain)
        arrays = (grad.contiguous(), x, slope, gain.detach(), mean, scale)
        norm_mish_kernels.backward(
            *(array.numpy() for array in arrays),
            ctx.groups,
            grad_x.numpy(),
            grad_gain.numpy(),
            grad_bias.numpy(),
        )
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

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """`(T, B, C)` to the same shape, plus `(B, C)` or `(T, B, C)`."""
        compiling = torch.compiler.is_compiling()
        if x.is_cuda and not compiling:
            found = cuda_layers.norm_mish(x, self.gain, self.bias, self.groups, added)
            if found is not None:
                return found
        single = x.device.type == "cpu" and x.dtype == self.gain.dtype == torch.float32
        if single and not compiling:
            y: Tensor = _NormMish.apply(x.contiguous(), self.gain, self.bias, self.groups)
        else:
            y = nn.functional.group_norm(x.permute(1, 2, 0), self.groups, self.gain, self.bias)
            y = nn.functional.mish(y).permute(2, 0, 1)
        return y if added is None else y + added


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
