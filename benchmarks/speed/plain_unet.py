"""The U-Net as published planners write it: Conv1d and its like, (batch, channel, time) layout."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from networld_agent.model.temporal_unet import TemporalUNet

__all__ = ["PlainUNet"]


def _convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(channels_in, channels_out, 5, padding=2),
        nn.GroupNorm(8, channels_out),
        nn.Mish(),
    )


class _Block(nn.Module):
    """A residual block with the weights of one of ours."""

    def __init__(self, ours: Any) -> None:
        super().__init__()
        _, channels_in, channels_out = ours.first.weight.shape
        self.first = _convolution(channels_in, channels_out)
        self.second = _convolution(channels_out, channels_out)
        self.condition = nn.Linear(ours.condition.in_features, channels_out)
        self.shortcut: nn.Module = nn.Identity()
        _copy_convolution(ours.first, ours.first_norm, self.first)
        _copy_convolution(ours.second, ours.second_norm, self.second)
        self.condition.load_state_dict(ours.condition.state_dict())
        if isinstance(ours.shortcut, nn.Linear):
            self.shortcut = _pointwise(ours.shortcut)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """`(B, Cin, T)` to `(B, Cout, T)`."""
        h = self.first(x) + self.condition(condition)[:, :, None]
        out: Tensor = self.second(h) + self.shortcut(x)
        return out


class PlainUNet(nn.Module):
    """The same U-Net in (batch, channel, time) layout, with the weights of ours."""

    def __init__(self, ours: TemporalUNet) -> None:
        super().__init__()
        self.down: Any = _levels(ours.down.levels)
        self.middle: Any = nn.ModuleList(map(_Block, ours.middle))
        self.up: Any = _levels(ours.levels)
        self.downsample, self.upsample = nn.ModuleList(), nn.ModuleList()
        layer: Any
        for layer in ours.down.downs:
            weight = layer.linear.weight
            channels = weight.shape[0]
            strided: Any = nn.Conv1d(channels, channels, 3, 2, 1)
            strided.weight.data = weight.data.view(channels, 3, channels).permute(0, 2, 1).clone()
            strided.bias.data = layer.linear.bias.data.clone()
            self.downsample.append(strided)
        for layer in ours.ups:
            weight = layer.linear.weight
            channels = weight.shape[1] // 2
            transposed: Any = nn.ConvTranspose1d(channels, channels, 4, 2, 1)
            blocks = weight.data.view(2, channels, 2, channels)
            for tap, (parity, neighbour) in enumerate([(1, 1), (0, 1), (1, 0), (0, 0)]):
                transposed.weight.data[:, :, tap] = blocks[parity, :, neighbour].T
            transposed.bias.data = layer.bias.data.clone()
            self.upsample.append(transposed)
        width = ours.out.in_features
        self.last = nn.Sequential(*_convolution(width, width), _pointwise(ours.out))
        _copy_convolution(ours.last, ours.last_norm, self.last)

    def features(self, x: Tensor, condition: Tensor) -> list[Tensor]:
        """What every level passes on, fine first, `(B, C, T)`, of `(B, channels, H)`."""
        skips = []
        for level, blocks in enumerate(self.down):
            if level:
                x = self.downsample[level - 1](x)
            for block in blocks:
                x = block(x, condition)
            skips.append(x)
        return skips

    def output(self, skips: list[Tensor], condition: Tensor) -> Tensor:
        """The way up, `(B, channels, H)`, from `features`."""
        x = skips[-1]
        for block in self.middle:
            x = block(x, condition)
        for blocks, upsample, skip in zip(self.up, self.upsample, skips[:0:-1], strict=True):
            x = torch.cat([x, skip], 1)
            for block in blocks:
                x = block(x, condition)
            x = upsample(x)
        out: Tensor = self.last(x)
        return out

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """`(B, channels, H)` to the same shape."""
        return self.output(self.features(x, condition), condition)


def _levels(ours: Any) -> nn.ModuleList:
    return nn.ModuleList(nn.ModuleList(map(_Block, level)) for level in ours)


def _pointwise(ours: nn.Linear) -> Any:
    """A linear layer as a convolution of one tap."""
    plain: Any = nn.Conv1d(ours.in_features, ours.out_features, 1)
    plain.weight.data = ours.weight.data[:, :, None].clone()
    plain.bias.data = ours.bias.data.clone()
    return plain


def _copy_convolution(conv: Any, norm: Any, target: Any) -> None:
    """Copies our convolution and normalisation into a plain sequence of them."""
    target[0].weight.data = conv.weight.data.permute(2, 1, 0).clone()
    target[0].bias.data = conv.bias.data.clone()
    target[1].weight.data, target[1].bias.data = norm.gain.data.clone(), norm.bias.data.clone()
