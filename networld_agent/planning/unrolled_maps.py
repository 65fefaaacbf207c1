"""Linear layers over a short segment as one matrix each.

A segment of 8 steps and 32 channels is 256 numbers. What a convolution, halving or doubling does to
it is a matrix of 256 by 256, a good half of it zeros; one product with that matrix takes less time
than a convolution's five, each of which is too small to be worth its call.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["UnrolledMap"]


class UnrolledMap:
    """An affine layer over `(T, B, C)` segments, for rows `(R, T C)`.

    Args:
        layer: the layer; affine, and alike for every segment.
        steps: T of its input.
        channels: C of its input.
        device: where it computes.
    """

    def __init__(
        self, layer: Callable[[Tensor], Tensor], steps: int, channels: int, device: torch.device
    ) -> None:
        self._layer, self._input = layer, (steps, channels)
        self.matrix, self.bias = self._read(device)

    def refresh(self) -> None:
        """Reads the layer's weights anew; matrix and bias stay where they are."""
        matrix, bias = self._read(self.matrix.device)
        self.matrix.copy_(matrix)
        self.bias.copy_(bias)

    def __call__(self, x: Tensor) -> Tensor:
        """`(R, T C)` to `(R, T' C')`."""
        return torch.addmm(self.bias, x, self.matrix)

    def backward(self, grad: Tensor, more: Tensor | None = None) -> Tensor:
        """`(R, T C)` gradient of the input from that of the output, `(R, T' C')`, plus `more`."""
        if more is None:
            return torch.mm(grad, self.matrix.t())
        return torch.addmm(more, grad, self.matrix.t())

    @torch.no_grad()
    def _read(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """What the layer makes of every unit vector, and of zero."""
        steps, channels = self._input
        size = steps * channels
        units = torch.eye(size + 1, size, device=device)  # the last row is zero
        out = self._layer(units.reshape(size + 1, steps, channels).transpose(0, 1))
        rows = out.transpose(0, 1).reshape(size + 1, -1)
        return rows[:-1] - rows[-1], rows[-1].clone()
