"""A CPU that rounds differently, as a stand-in for a device that sums in another order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["OtherRounding", "ShortFactors"]

_PRODUCTS: Final = {
    "mm", "addmm", "addmm_", "bmm", "baddbmm", "mv", "addmv", "dot", "linear",
    "native_layer_norm", "native_group_norm", "native_layer_norm_backward",
    "native_group_norm_backward", "sum",
}  # fmt: skip
_FUNCTIONS: Final = {
    "exp", "log", "log1p", "expm1", "sin", "cos", "tanh", "mish", "silu", "gelu", "softplus",
    "_softmax", "_log_softmax", "sqrt", "logsumexp", "mish_backward", "silu_backward",
    "gelu_backward", "mean", "_log_softmax_backward_data", "_softmax_backward_data",
}  # fmt: skip


class OtherRounding(TorchDispatchMode):
    """Adds an error to the result of every product, sum and function, in backward passes too.

    That of a product is a share of the root mean square of its row, not of each entry: terms that
    cancel leave the rounding error of the terms.

    Args:
        size: standard deviation of the relative error; half a unit in the last place is 6e-8.
    """

    def __init__(self, size: float = 2e-7) -> None:
        super().__init__()
        self._size = size
        # Of its own: torch's global numbers belong to the work.
        self._generator = torch.Generator().manual_seed(1)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in _PRODUCTS or name in _FUNCTIONS:
            for value in result if isinstance(result, (list, tuple)) else [result]:
                self._disturb(value, name in _PRODUCTS)
        return result

    def _disturb(self, value: Any, product: bool) -> None:
        if not isinstance(value, Tensor) or value.dtype != torch.float32 or not value.numel():
            return
        error = self._size * torch.randn(value.shape, generator=self._generator)
        if product:
            rows = value.square().mean(-1, keepdim=True) if value.ndim else value.square()
            # A sum of nothing but zeros is zero in any order.
            value.add_(error * rows.sqrt() * (value != 0))
        else:
            value.add_(error * value)


class ShortFactors(TorchDispatchMode):
    """Rounds the factors of every product to a few bits, as a GPU does that multiplies faster.

    Args:
        bits: that are kept behind the first one: 10 for TensorFloat32, 7 for bfloat16.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self._dropped = 23 - bits

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        # The factors are the last two; what is added to the product stays as it is.
        count = _FACTORS.get(func.overloadpacket.__name__, len(args))
        args = (*args[:count], *(self._rounded(factor) for factor in args[count:]))
        return func(*args, **(kwargs or {}))

    def _rounded(self, x: Any) -> Any:
        if not isinstance(x, Tensor) or x.dtype != torch.float32:
            return x
        half, mask = 1 << (self._dropped - 1), -1 << self._dropped
        return ((x.contiguous().view(torch.int32) + half) & mask).view(torch.float32)


_FACTORS: Final = {"mm": 0, "bmm": 0, "mv": 0, "addmm": 1, "addmm_": 1, "baddbmm": 1}
