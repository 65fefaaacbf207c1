"""Temporal U-Net: residual blocks over a segment, each told the noise level and the task."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from networld_agent.model.config import WorldModelConfig
from networld_agent.model.temporal_layers import Downsample, NormMish, TemporalConv, Upsample

__all__ = ["Conditioning", "ContextEmbedding", "DownPath", "ResidualBlock", "TemporalUNet"]


class Conditioning(nn.Module):
    """Noise level and task as one vector.

    Args:
        size: of each of the two embeddings.
        num_tasks: rows of the task embedding.
    """

    def __init__(self, size: int, num_tasks: int) -> None:
        super().__init__()
        self.level = nn.Sequential(nn.Linear(size, 4 * size), nn.Mish(), nn.Linear(4 * size, size))
        self.task = nn.Embedding(num_tasks, size)
        frequencies = torch.exp(torch.arange(size // 2) * (-math.log(10_000) / max(size // 2, 1)))
        self.register_buffer("frequencies", frequencies, persistent=False)

    frequencies: Tensor

    def forward(self, tau: Tensor, task: Tensor) -> Tensor:
        """`(B, 2 size)` of noise levels `(B,)` and task indices `(B,)`."""
        angles = tau.float()[:, None] * self.frequencies
        level = self.level(torch.cat([angles.sin(), angles.cos()], -1))
        return nn.functional.mish(torch.cat([level, self.task(task)], -1))


class ContextEmbedding(nn.Module):
    """What the context of a network adds to the conditions; nothing before it is trained.

    Args:
        context_size: C.
        size: of each of the two embeddings that `Conditioning` joins.
    """

    def __init__(self, context_size: int, size: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(context_size, size)
        self.out = nn.Linear(size, 2 * size)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, context: Tensor) -> Tensor:
        """`(..., 2 size)` of scaled contexts `(..., C)`."""
        found: Tensor = self.out(nn.functional.silu(self.hidden(context)))
        return found


class ResidualBlock(nn.Module):
    """Two convolutions with normalisation and Mish; the condition is added between them.

    Args:
        channels_in: of the input.
        channels_out: of the output.
        condition_size: of the conditioning vector.
    """

    def __init__(self, channels_in: int, channels_out: int, condition_size: int) -> None:
        super().__init__()
        self.first = TemporalConv(channels_in, channels_out)
        self.first_norm = NormMish(channels_out)
        self.condition = nn.Linear(condition_size, channels_out)
        self.second = TemporalConv(channels_out, channels_out)
        self.second_norm = NormMish(channels_out)
        self.shortcut = (
            nn.Linear(channels_in, channels_out) if channels_in != channels_out else nn.Identity()
        )

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """`(T, B, Cin)` to `(T, B, Cout)`, under conditions `(B, E)`."""
        h = self.first_norm(self.first(x), self.condition(condition))
        out: Tensor = self.second_norm(self.second(h), self.shortcut(x))
        return out


class DownPath(nn.Module):
    """The levels from fine to coarse, `blocks_per_level` blocks each.

    Args:
        channels: of the segment.
        config: of the model.
    """

    def __init__(self, channels: int, config: WorldModelConfig) -> None:
        super().__init__()
        condition_size = 2 * config.embedding_size
        self.levels = nn.ModuleList()
        self.downs = nn.ModuleList()
        for level, multiplier in enumerate(config.multipliers):
            width = config.channels * multiplier
            blocks = nn.ModuleList()
            for _ in range(config.blocks_per_level):
                blocks.append(ResidualBlock(channels, width, condition_size))
                channels = width
            self.levels.append(blocks)
            if level < len(config.multipliers) - 1:
                self.downs.append(Downsample(width))
        self.channels_out = channels

    def forward(self, x: Tensor, condition: Tensor) -> list[Tensor]:
        """Features of every level, fine first, the last one `(T / stride, B, C)`."""
        features = []
        for level, blocks in enumerate(self.levels):
            if level:
                x = self.downs[level - 1](x)
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, condition)
            features.append(x)
        return features


class TemporalUNet(nn.Module):
    """Down path, as many blocks back up, and a 1x1 output.

    The way up starts with blocks at the coarsest level and takes the features of each level on the
    way down beside its own, except those of the finest one, as the published planner does.

    Args:
        channels: of the segment, in and out.
        config: of the model.
    """

    def __init__(self, channels: int, config: WorldModelConfig) -> None:
        super().__init__()
        condition_size = 2 * config.embedding_size
        self.down = DownPath(channels, config)
        widths = [config.channels * multiplier for multiplier in config.multipliers]
        self.middle = nn.ModuleList(
            ResidualBlock(widths[-1], widths[-1], condition_size)
            for _ in range(config.blocks_per_level)
        )
        self.levels = nn.ModuleList()
        self.ups = nn.ModuleList()
        for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True):
            blocks = [ResidualBlock(2 * wide, narrow, condition_size)]
            while len(blocks) < config.blocks_per_level:
                blocks.append(ResidualBlock(narrow, narrow, condition_size))
            self.levels.append(nn.ModuleList(blocks))
            self.ups.append(Upsample(narrow))
        self.last = TemporalConv(widths[0], widths[0])
        self.last_norm = NormMish(widths[0])
        self.out = nn.Linear(widths[0], channels)

    def up(self, features: list[Tensor], condition: Tensor) -> Tensor:
        """The way up `(H, B, channels)` from the features of the down path."""
        x = features[-1]
        for block in self.middle:
            x = block(x, condition)
        for blocks, up, skip in zip(self.levels, self.ups, features[:0:-1], strict=True):
            x = torch.cat([x, skip], -1)
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, condition)
            x = up(x)
        out: Tensor = self.out(self.last_norm(self.last(x)))
        return out

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """`(H, B, channels)` to the same shape, under conditions `(B, E)`."""
        return self.up(self.down(x, condition), condition)
