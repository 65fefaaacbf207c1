"""Group normalisation and Mish over rows `(R, T, C)`, forwards and backwards, on any device."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from networld_agent.planning import row_kernels

__all__ = ["RowNormMish"]

_EPSILON: Final = 1e-5


def _compiled(x: Tensor) -> bool:
    return x.device.type == "cpu"


class RowNormMish:
    """Group normalisation, then Mish, with the weights of one layer, which stay where they are.

    On a CPU a compiled loop, elsewhere a few operations of PyTorch. Nothing is kept for the way
    back, which recomputes what it needs from the input.

    Args:
        gain: `(C,)` of the layer.
        bias: `(C,)` of the layer.
        groups: that divide the channels.
    """

    def __init__(self, gain: Tensor, bias: Tensor, groups: int) -> None:
        self._gain, self._bias, self._groups = gain.detach(), bias.detach(), groups
        # Views of the same memory, made once.
        self._arrays = (self._gain.numpy(), self._bias.numpy()) if _compiled(gain) else ()

    def forward(self, x: Tensor, more: Tensor | None = None) -> Tensor:
        """`(R, T, C)` to the same shape.

        Args:
            x: contiguous.
            more: added afterwards: `(C,)`, or `(R, T, C)` and contiguous; None adds nothing.
        """
        out = torch.empty_like(x)
        if _compiled(x):
            shift = more.numpy() if more is not None and more.ndim == 1 else None
            rest = more.numpy() if more is not None and more.ndim == 3 else None
            row_kernels.forward(
                x.numpy(), *self._arrays, self._groups, shift, rest, out.numpy()
            )  # fmt: skip
            return out
        y = nn.functional.mish(self._affine(self._normal(x)[0])).transpose(1, 2)
        target = self._split(out)
        if more is None:
            target.copy_(y)
        else:
            torch.add(y, self._split(more), out=target)
        return out

    def backward(self, grad: Tensor, x: Tensor) -> Tensor:
        """The gradient of `x` `(R, T, C)` from that of `forward`'s output; both contiguous."""
        out = torch.empty_like(x)
        if _compiled(x):
            row_kernels.backward(
                grad.numpy(), x.numpy(), *self._arrays, self._groups, out.numpy()
            )  # fmt: skip
            return out
        normal, grouped, mean, deviation = self._normal(x)
        slope = torch.ops.aten.mish_backward(
            self._split(grad).transpose(1, 2), self._affine(normal)
        )
        gradient = torch.ops.aten.native_layer_norm_backward(
            slope * self._channels(self._gain), grouped, grouped.shape[2:], mean, deviation,
            None, None, [True, False, False],
        )[0]  # fmt: skip
        self._split(out).copy_(gradient.transpose(1, 2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """`(..., C)` as `(..., G, C / G)`."""
        return x.unflatten(-1, (self._groups, -1))

    def _channels(self, weight: Tensor) -> Tensor:
        """`(C,)` beside `(R, G, T, C / G)`."""
        return self._split(weight)[:, None]

    def _normal(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`(R, G, T, C / G)` normalised and as they were; mean and inverse deviation."""
        grouped = self._split(x).transpose(1, 2).contiguous()
        # A group is contiguous now: its normalisation is one kernel.
        normal, mean, deviation = torch.native_layer_norm(
            grouped, grouped.shape[2:], None, None, _EPSILON
        )
        return normal, grouped, mean, deviation

    def _affine(self, normal: Tensor) -> Tensor:
        return torch.addcmul(self._channels(self._bias), normal, self._channels(self._gain))
