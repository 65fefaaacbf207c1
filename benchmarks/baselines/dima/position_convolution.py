"""Convolutions over a handful of positions as dense matrix products.

Over the four positions of a denoiser, a convolution is memory traffic; one product of a `(B, 4 C)`
and a `(4 C, 4 C)` matrix is several times as fast on a CPU, although a third of it is zeros.
Activations are `(B, G, P, c)`: G groups of c channels at P positions, so that every group that is
normalised is contiguous.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["PositionConvolution"]


class PositionConvolution(nn.Module):
    """A convolution with three taps, as `nn.Conv1d` with padding 1.

    Args:
        groups: G of input and output.
        size: c, channels per group.
        positions: of the input.
        change: "same"; "halve", with stride 2; or "double", every position repeated first.
        zero: whether the weights start at 0.
    """

    structure: Tensor

    def __init__(
        self,
        groups: tuple[int, int],
        size: int,
        positions: int,
        change: str = "same",
        zero: bool = False,
    ) -> None:
        super().__init__()
        self.groups, self.size = groups, size
        fan_in = 3 * groups[0] * size
        weight = torch.zeros(3, groups[0] * size * groups[1] * size)
        self.weight = nn.Parameter(weight if zero else weight.normal_(std=fan_in**-0.5))
        self.bias = nn.Parameter(torch.zeros(groups[1], 1, size))
        self.positions = {"same": positions, "halve": positions // 2, "double": 2 * positions}
        self.out_positions = self.positions[change]
        self.in_positions = positions
        self.register_buffer("structure", self._structure(change), persistent=False)

    def _structure(self, change: str) -> Tensor:
        """`(P_in, P_out, 3)`: how often a tap leads from one position to another."""
        taps = torch.zeros(self.in_positions, self.out_positions, 3)
        for out in range(self.out_positions):
            for tap in range(3):
                source = (2 * out if change == "halve" else out) + tap - 1
                inputs = 2 * self.in_positions if change == "double" else self.in_positions
                if 0 <= source < inputs:
                    taps[source // 2 if change == "double" else source, out, tap] += 1
        return taps

    def matrix(self) -> Tensor:
        """`(G_in P_in c, G_out P_out c)` for `forward`; of the present weights."""
        taps = self.structure.flatten(0, 1) @ self.weight
        shape = (self.in_positions, self.out_positions, self.groups[0], self.size,
                 self.groups[1], self.size)  # fmt: skip
        rows, columns = (g * p * self.size for g, p in zip(
            self.groups, (self.in_positions, self.out_positions), strict=True))  # fmt: skip
        return taps.view(shape).permute(2, 0, 3, 4, 1, 5).reshape(rows, columns)

    def forward(self, x: Tensor, matrix: Tensor) -> Tensor:
        """`(B, G_in, P_in, c)` to `(B, G_out, P_out, c)`; `matrix` is from `matrix()`."""
        out = x.flatten(1) @ matrix
        return out.view(-1, self.groups[1], self.out_positions, self.size) + self.bias
