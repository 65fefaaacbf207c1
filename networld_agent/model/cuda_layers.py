"""The U-Net's convolution and normalisation on a GPU, forwards and backwards.

A convolution over time is one matrix product of the columns around each time, and so is each of
its gradients: nothing is transposed, and sums over taps stay in the accumulators. What Triton
compiles (`cuda_kernels`) is used where Triton is installed; without it, PyTorch's own operations.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["autocast_to", "columns", "convolution", "kernels_of_triton", "norm_mish"]


@cache
def kernels_of_triton() -> ModuleType | None:
    """`cuda_kernels`, where Triton is installed."""
    try:
        from networld_agent.model import cuda_kernels
    except ImportError:
        return None
    return cuda_kernels


def autocast_to(x: Tensor) -> torch.dtype:
    """The type that products of x are computed in."""
    half = torch.is_autocast_enabled(x.device.type)
    return torch.get_autocast_dtype(x.device.type) if half else x.dtype


def columns(x: Tensor, taps: int) -> Tensor:
    """The `taps` times around each time of x `(T, B, C)`, zeros outside: `(T, B, taps C)`."""
    if (
        x.is_cuda
        and not torch.compiler.is_compiling()
        and (kernels := kernels_of_triton()) is not None
    ):
        out: Tensor = kernels.columns(x, taps)
        return out
    half = taps // 2
    padded = nn.functional.pad(x, (0, 0, 0, 0, half, half))
    return torch.cat([padded[tap : tap + len(x)] for tap in range(taps)], -1)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        taken = columns(x, len(weight))
        ctx.save_for_backward(taken, weight)
        return nn.functional.linear(taken, weight.flatten(0, 1).t(), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        taken, weight = ctx.saved_tensors
        grad = grad.contiguous()
        taps, inputs, outputs = weight.shape
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            # The same convolution with the taps reversed and each matrix transposed.
            back = weight.flip(0).transpose(1, 2).reshape(taps * outputs, inputs)
            grad_x = columns(grad, taps) @ back
        if ctx.needs_input_grad[1]:
            product = taken.view(-1, taps * inputs).t() @ grad.view(-1, outputs)
            grad_weight = product.view(taps, inputs, outputs)
        if ctx.needs_input_grad[2]:
            grad_bias = grad.view(-1, outputs).sum(0)
        return grad_x, grad_weight, grad_bias


def convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`(T, B, Cin)` to `(T, B, Cout)` by taps `(K, Cin, Cout)`, in the type of autocast."""
    kind = autocast_to(x)
    out: Tensor = _Convolution.apply(x.to(kind).contiguous(), weight.to(kind), bias.to(kind))
    return out


class _NormMish(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gain: Tensor, bias: Tensor, groups: int, added: Tensor | None
    ) -> Tensor:
        kernels = kernels_of_triton()
        assert kernels is not None
        ctx.save_for_backward(x, gain, bias)
        ctx.groups = groups
        ctx.added = None if added is None else (added.shape, added.dtype)
        out: Tensor = kernels.norm_mish(x, gain, bias, groups, added)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        kernels = kernels_of_triton()
        assert kernels is not None
        x, gain, bias = ctx.saved_tensors
        weights = any(ctx.needs_input_grad[1:3])
        grad_x, grad_gain, grad_bias, grad_added = kernels.norm_mish_gradients(
            grad.contiguous(), x, gain, bias, ctx.groups, ctx.added, weights
        )
        return grad_x, grad_gain, grad_bias, None, grad_added


def norm_mish(
    x: Tensor, gain: Tensor, bias: Tensor, groups: int, added: Tensor | None
) -> Tensor | None:
    """Mish of x `(T, B, C)`, normalised in groups, plus `(B, C)` or `(T, B, C)`, in one kernel.

    None where there is no kernel for it.
    """
    kernels = kernels_of_triton()
    if kernels is None or not kernels.fits(x.shape[0], x.shape[2], groups):
        return None
    if added is not None:
        shape = x.shape if added.dim() == 3 else x.shape[1:]
        added = added.to(x.dtype).expand(shape).contiguous()
    out: Tensor = _NormMish.apply(x.contiguous(), gain, bias, groups, added)
    return out
