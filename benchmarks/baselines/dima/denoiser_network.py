"""The denoiser's U-Net over time: some real states, and the noisy one that follows them.

Three levels of residual blocks whose normalisation is scaled and shifted by the condition (AdaGN);
strided convolutions down, repetition and convolution up; the last position is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmarks.baselines.dima.config import DenoiserConfig
from benchmarks.baselines.dima.position_convolution import PositionConvolution

__all__ = ["ConditionNetwork", "DenoiserNetwork", "Matrices"]

#: Of every convolution, from the weights as they are.
Matrices = dict[nn.Module, Tensor]


class ConditionNetwork(nn.Module):
    """The U-Net's condition: a noise level in random Fourier features, plus actions.

    Args:
        size: E of the result.
    """

    frequencies: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(size // 2))
        self.level = nn.Linear(size, size)
        self.out = nn.Linear(size, size)

    def forward(self, noise: Tensor, actions: Tensor) -> Tensor:
        """`(B, E)` from c_noise `(B,)` or `(1,)` and embedded actions `(B, E)`."""
        angles = 2 * torch.pi * noise[:, None] * self.frequencies
        features = torch.cat([angles.cos(), angles.sin()], -1)
        out: Tensor = nn.functional.silu(
            self.out(nn.functional.silu(self.level(features) + actions))
        )
        return out


def _adaptive_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Group normalisation with scale and shift from outside `(B, G, 1, c)`, then SiLU."""
    normed = nn.functional.layer_norm(x, x.shape[2:])
    return nn.functional.silu(torch.addcmul(shift, normed, scale))


class _Block(nn.Module):
    """Norm, convolution, norm, convolution, added to the input."""

    def __init__(self, groups: tuple[int, int], size: int, positions: int) -> None:
        super().__init__()
        self.groups, self.size = groups, size
        self.first = PositionConvolution(groups, size, positions)
        # A block starts as the identity, or as a projection.
        self.second = PositionConvolution((groups[1], groups[1]), size, positions, zero=True)
        width = (groups[0] * size, groups[1] * size)
        self.project = nn.Linear(*width, bias=False) if groups[0] != groups[1] else None

    @property
    def modulations(self) -> list[int]:
        """Number of channels of each of the two norms."""
        return [self.groups[0] * self.size, self.groups[1] * self.size]

    def forward(self, x: Tensor, modulation: Sequence[Tensor], matrices: Matrices) -> Tensor:
        """`(B, G_in, P, c)` to `(B, G_out, P, c)`; scale and shift of both norms are given."""
        scale, shift, later_scale, later_shift = modulation
        h = self.first(_adaptive_norm(x, scale, shift), matrices[self.first])
        h = self.second(_adaptive_norm(h, later_scale, later_shift), matrices[self.second])
        if self.project is not None:
            wide = x.transpose(1, 2).flatten(2)
            x = self.project(wide).unflatten(-1, (self.groups[1], self.size)).transpose(1, 2)
        return x + h


def _level(groups: tuple[int, int], size: int, positions: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(_Block(groups, size, positions) for _ in range(count))


def _listed(blocks: nn.Module) -> list[_Block]:
    return [block for block in blocks.children() if isinstance(block, _Block)]


class DenoiserNetwork(nn.Module):
    """F of the preconditioned denoiser.

    Args:
        state_size: S.
        config: of the denoiser.
    """

    def __init__(self, state_size: int, config: DenoiserConfig) -> None:
        super().__init__()
        self.state_size, self._size = state_size, config.group_size
        self._groups = config.channels // config.group_size
        groups, size, width = self._groups, config.group_size, config.channels
        self.condition = ConditionNetwork(config.embedding_size)
        self.enter = nn.Linear(state_size, 3 * width, bias=False)
        self.enter_bias = nn.Parameter(torch.zeros(width))
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        positions = config.context + 1
        for level in range(config.levels):
            if level:
                self.shrink.append(PositionConvolution((groups, groups), size, positions, "halve"))
                positions //= 2
            self.down.append(_level((groups, groups), size, positions, config.blocks))
        for level in reversed(range(config.levels)):
            self.up.append(_level((2 * groups, groups), size, positions, config.blocks))
            if level:
                self.grow.append(PositionConvolution((groups, groups), size, positions, "double"))
                positions *= 2
        # In the order in which `forward` passes through them.
        blocks = [m for m in self.modules() if isinstance(m, _Block)]
        channels = [c for block in blocks for c in block.modulations] + [width]
        self._splits = [c for count in channels for c in (count, count)]
        # Scales start around 1, shifts around 0.
        self.modulation = nn.Linear(config.embedding_size, sum(self._splits))
        nn.init.normal_(self.modulation.weight, std=0.02)
        with torch.no_grad():
            parts = self.modulation.bias.zero_().split(self._splits)
            for scale in parts[::2]:
                scale.fill_(1.0)
        self.leave = nn.Linear(2 * width, state_size)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def matrices(self) -> Matrices:
        """The convolutions' matrices, for as many calls of `forward` as use the same weights."""
        return {m: m.matrix() for m in self.modules() if isinstance(m, PositionConvolution)}

    def enter_context(self, states: Tensor) -> Tensor:
        """First layer's part `(B, P, 64)` from the real states `(B, C, S)` of variance 1."""
        left, here, right = self.enter(states).chunk(3, -1)
        # Tap by tap: an output hears its left neighbour, itself and its right neighbour.
        pad = nn.functional.pad
        heard = pad(left, (0, 0, 1, 0)) + pad(here, (0, 0, 0, 1))
        return heard + pad(right[:, 1:], (0, 0, 0, 2)) + self.enter_bias

    def forward(
        self,
        entered: Tensor,
        noisy: Tensor,
        noise: Tensor,
        actions: Tensor,
        matrices: Matrices,
    ) -> Tensor:
        """F `(B, S)` at the last position.

        Args:
            entered: from `enter_context`.
            noisy: `(B, S)`, scaled to variance 1.
            noise: `(B,)` or `(1,)` c_noise.
            actions: `(B, E)` embedded.
            matrices: from `matrices`.
        """
        width = self._groups * self._size
        modulation = [
            part.view(len(part), -1, 1, self._size)
            for part in self.modulation(self.condition(noise, actions)).split(self._splits, -1)
        ]
        # The noisy state reaches its own position by the middle tap, the one before by the right.
        added = nn.functional.linear(noisy, self.enter.weight[width:]).unflatten(-1, (2, width))
        x = entered + nn.functional.pad(added.flip(1), (0, 0, entered.shape[1] - 2, 0))
        x = x.unflatten(-1, (self._groups, self._size)).transpose(1, 2)
        x = self._through(x, modulation, matrices)
        x = _adaptive_norm(x, *modulation[-2:])[:, :, -2:]
        out: Tensor = self.leave(x.flatten(1))
        return out

    def _through(self, x: Tensor, modulation: Sequence[Tensor], matrices: Matrices) -> Tensor:
        place, skips = 0, []

        def apply(block: _Block, x: Tensor) -> Tensor:
            nonlocal place
            place += 4
            out: Tensor = block(x, modulation[place - 4 : place], matrices)
            return out

        for level, blocks in enumerate(self.down):
            if level:
                shrink = self.shrink[level - 1]
                x = shrink(x, matrices[shrink])
            for block in _listed(blocks):
                x = apply(block, x)
                skips.append(x)
        for level, blocks in enumerate(self.up):
            if level:
                grow = self.grow[level - 1]
                x = grow(x, matrices[grow])
            for block in _listed(blocks):
                x = apply(block, torch.cat([x, skips.pop()], 1))
        return x
