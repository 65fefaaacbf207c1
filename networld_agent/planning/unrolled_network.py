"""The world model's network for few rows: every layer one matrix product, no autograd.

With few agents the time of a decision is that of calling its operations, not of what these compute.
Here a residual block is two matrix products and two compiled loops, conditions on noise level and
task are computed once, and the classifier's gradient is written out.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from networld_agent.model.temporal_unet import DownPath, ResidualBlock, TemporalUNet
from networld_agent.model.world_model import WorldModel
from networld_agent.planning.row_layers import RowNormMish
from networld_agent.planning.unrolled_maps import UnrolledMap

__all__ = ["UnrolledNetwork", "unrolled_size"]


def unrolled_size(model: WorldModel) -> int:
    """Numbers in all the matrices of an `UnrolledNetwork`, to one part in ten.

    Counted in squares of the widest segment: every level has half the steps of the last, and most
    often twice the channels.
    """
    config = model.config
    widest = max(
        config.horizon // 2**level * config.channels * multiplier
        for level, multiplier in enumerate(config.multipliers)
    )
    squares = (2.7 + 3.4 * len(config.multipliers)) * config.blocks_per_level
    return round(squares * (1.5 if config.classifier == "separate" else 1.0) * widest**2)


def _blocks(level: nn.Module) -> list[ResidualBlock]:
    """The residual blocks of a level."""
    return [block for block in level.children() if isinstance(block, ResidualBlock)]


class _Block:
    """A residual block over rows; the conditions of all noise levels are known."""

    def __init__(self, block: ResidualBlock, steps: int, levels: int) -> None:
        channels_in, channels = block.first.weight.shape[1:]
        device = block.first.weight.device
        self._shape = (-1, steps, channels)
        self._first = UnrolledMap(block.first, steps, channels_in, device)
        self._second = UnrolledMap(block.second, steps, channels, device)
        self.maps = (self._first, self._second)
        self._norms = tuple(
            RowNormMish(norm.gain, norm.bias, norm.groups)
            for norm in (block.first_norm, block.second_norm)
        )
        self._shortcut = block.shortcut if isinstance(block.shortcut, nn.Linear) else None
        self._condition = block.condition
        self._conditions = torch.empty(levels, channels, device=device)
        self._shifts = self._conditions.unbind()

    def refresh(self, condition: Tensor) -> None:
        """Reads the weights; `condition` is `(L, E)`, one per noise level."""
        self._conditions.copy_(self._condition(condition))

    def forward(
        self, x: Tensor, place: int, kept: list[Tensor] | None, context: Tensor | None
    ) -> Tensor:
        """`(R, T Cin)` to `(R, T C)` at the noise level in this place, under `(R, E)` contexts."""
        first = self._first(x).view(self._shape)
        shift = self._shifts[place]
        if context is not None:
            rows = torch.addmm(shift, context, self._condition.weight.t())
            shift = rows[:, None].expand_as(first).contiguous()
        h = self._norms[0].forward(first, shift)
        second = self._second(h.flatten(1)).view(self._shape)
        rest = x
        if self._shortcut is not None:
            rest = self._shortcut(x.view(-1, self._shortcut.in_features))
        if kept is not None:
            kept += [first, second]
        return self._norms[1].forward(second, rest.view(self._shape)).flatten(1)

    def backward(self, grad: Tensor, kept: list[Tensor]) -> Tensor:
        """The input's gradient `(R, T Cin)`; takes from `kept` what `forward` left there."""
        second, first = kept.pop(), kept.pop()
        inner = self._norms[1].backward(grad.view(self._shape), second)
        inner = self._second.backward(inner.flatten(1)).view(self._shape)
        inner = self._norms[0].backward(inner, first)
        around = grad
        if self._shortcut is not None:
            weight = self._shortcut.weight
            around = torch.mm(grad.view(-1, len(weight)), weight).view(len(grad), -1)
        return self._first.backward(inner.flatten(1), around)


class _Down:
    """The levels from fine to coarse, and back again for the gradient."""

    def __init__(self, path: DownPath, steps: int, levels: int) -> None:
        self._levels: list[tuple[UnrolledMap | None, list[_Block]]] = []
        for number, level in enumerate(path.levels):
            blocks, halve = _blocks(level), None
            if number:
                weight = blocks[0].first.weight
                layer = path.downs[number - 1]
                halve = UnrolledMap(layer, steps, weight.shape[1], weight.device)
                steps //= 2
            self._levels.append((halve, [_Block(block, steps, levels) for block in blocks]))
        self.steps = steps

    def parts(self) -> tuple[list[_Block], list[UnrolledMap]]:
        """Blocks and further maps."""
        blocks = [block for _, level in self._levels for block in level]
        return blocks, [halve for halve, _ in self._levels if halve is not None]

    def forward(
        self,
        x: Tensor,
        place: int,
        context: Tensor | None = None,
        kept: list[Tensor] | None = None,
    ) -> list[Tensor]:
        """Features `(R, T C)` of every level, fine first."""
        features = []
        for halve, blocks in self._levels:
            if halve is not None:
                x = halve(x)
            for block in blocks:
                x = block.forward(x, place, kept, context)
            features.append(x)
        return features

    def backward(self, grad: Tensor, kept: list[Tensor]) -> Tensor:
        """The segment's gradient from that of the coarsest features."""
        for halve, blocks in reversed(self._levels):
            for block in reversed(blocks):
                grad = block.backward(grad, kept)
            if halve is not None:
                grad = halve.backward(grad)
        return grad


class _Up:
    """The way back up to the segment."""

    def __init__(self, unet: TemporalUNet, steps: int, levels: int) -> None:
        self._middle = [_Block(block, steps, levels) for block in _blocks(unet.middle)]
        self._levels: list[tuple[int, list[_Block], UnrolledMap]] = []
        for level, layer in zip(unet.levels, unet.ups, strict=True):
            blocks = _blocks(level)
            weight = blocks[-1].second.weight
            double = UnrolledMap(layer, steps, weight.shape[2], weight.device)
            self._levels.append((steps, [_Block(block, steps, levels) for block in blocks], double))
            steps *= 2
        weight = unet.last.weight
        self._last = UnrolledMap(unet.last, steps, weight.shape[1], weight.device)
        self._shape = (-1, steps, weight.shape[2])
        self._norm = RowNormMish(unet.last_norm.gain, unet.last_norm.bias, unet.last_norm.groups)
        self._out = unet.out

    def parts(self) -> tuple[list[_Block], list[UnrolledMap]]:
        """Blocks and further maps."""
        blocks = [*self._middle, *(block for _, level, _ in self._levels for block in level)]
        return blocks, [self._last, *(double for _, _, double in self._levels)]

    def forward(
        self, features: Sequence[Tensor], place: int, context: Tensor | None = None
    ) -> Tensor:
        """`(R, H, C)` from the features of the way down."""
        x = features[-1]
        for block in self._middle:
            x = block.forward(x, place, None, context)
        for (steps, blocks, double), skip in zip(self._levels, features[:0:-1], strict=True):
            shape = (len(x), steps, -1)
            x = torch.cat([x.view(shape), skip.view(shape)], 2).flatten(1)
            for block in blocks:
                x = block.forward(x, place, None, context)
            x = double(x)
        out: Tensor = self._out(self._norm.forward(self._last(x).view(self._shape)))
        return out


class UnrolledNetwork:
    """Denoiser and classifier of one task at given noise levels, for rows `(R, H, 2D)`.

    Weights are read at construction and by `refresh`.

    Args:
        model: the world model.
        task: name of the task.
        levels: noise levels that will be asked for.
    """

    def __init__(self, model: WorldModel, task: str, levels: Sequence[int]) -> None:
        self._model, self._task = model, task
        self._places = {level: place for place, level in enumerate(levels)}
        horizon, count = model.config.horizon, len(self._places)
        self._down = _Down(model.unet.down, horizon, count)
        self._up = _Up(model.unet, self._down.steps, count)
        path = model.classifier_path
        self._rated = self._down if path is None else _Down(path, horizon, count)
        self._head = UnrolledMap(
            lambda x: model.classifier(x)[None],
            self._rated.steps, model.unet.down.channels_out, model.schedule.alpha_bar.device,
        )  # fmt: skip
        self._signal, self._spread = model.schedule.signal.tolist(), model.schedule.spread.tolist()
        self._weights = [
            weight
            for part in (
                model.conditioning, model.unet, model.classifier, model.classifier_conditioning,
                path,
            ) if part is not None
            for weight in part.parameters()
        ]  # fmt: skip
        self._seen = self._versions()
        self._read_conditions()

    def refresh(self) -> bool:
        """Reads weights that were written to since, and keeps its own tensors where they are.

        PyTorch counts what is written to a tensor; it does not see writes to `weight.data`.

        Returns:
            Whether weights have moved in memory, so that a captured graph would read the old ones.
        """
        versions = self._versions()
        if versions == self._seen:
            return False
        moved = [place for place, _ in versions] != [place for place, _ in self._seen]
        self._seen = versions
        if moved:
            self.__init__(self._model, self._task, tuple(self._places))  # type: ignore[misc]
            return True
        for path in self._paths():
            for block in path.parts()[0]:
                for unrolled in block.maps:
                    unrolled.refresh()
            for unrolled in path.parts()[1]:
                unrolled.refresh()
        self._head.refresh()
        self._read_conditions()
        return False

    def denoise(self, x: Tensor, level: int, context: Tensor | None = None) -> Tensor:
        """Estimate `(R, H, 2D)` of the clean plan."""
        place = self._places[level]
        features = self._down.forward(x.flatten(1), place, context)
        return self._to_x0(self._up.forward(features, place, context), x, level)

    def denoise_with_gradient(
        self, x: Tensor, level: int, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`denoise`, and the gradient `(R, H, 2D)` of `predicted_return`."""
        place, kept = self._places[level], list[Tensor]()
        rated = self._rated.forward(x.flatten(1), place, context, kept)
        probabilities = self._head(rated[-1]).softmax(1)
        bins = self._model.return_bins(self._task)
        # Of the mean of a softmax: each bin's probability times its distance from that mean.
        slope = probabilities * (bins.centers - bins.mean(probabilities)[:, None])
        slope = self._model.tasks[self._task].return_std * slope
        gradient = self._rated.backward(self._head.backward(slope), kept).view_as(x)
        shared = (
            rated if self._rated is self._down else self._down.forward(x.flatten(1), place, context)
        )
        return self._to_x0(self._up.forward(shared, place, context), x, level), gradient

    def predicted_return(self, x: Tensor, level: int, context: Tensor | None = None) -> Tensor:
        """Expected discounted return `(R,)` of noisy plans."""
        logits = self._head(self._rated.forward(x.flatten(1), self._places[level], context)[-1])
        spec = self._model.tasks[self._task]
        return spec.return_mean + spec.return_std * self._model.return_bins(self._task).decode(
            logits
        )

    def _to_x0(self, output: Tensor, x: Tensor, level: int) -> Tensor:
        signal, spread = self._signal[level], self._spread[level]
        if self._model.config.prediction == "noise":
            return (x - spread * output) / signal
        if self._model.config.prediction == "velocity":
            return signal * x - spread * output
        return output

    def _paths(self) -> list[_Down | _Up]:
        paths: list[_Down | _Up] = [self._down, self._up]
        return paths if self._rated is self._down else [*paths, self._rated]

    @torch.no_grad()
    def _read_conditions(self) -> None:
        device = self._model.schedule.alpha_bar.device
        tau = torch.tensor(tuple(self._places), device=device)
        task = torch.full_like(tau, self._model.tasks[self._task].index)
        for path in self._paths():
            own = self._model.classifier_conditioning
            separate = path is self._rated and own is not None
            condition = (own if separate else self._model.conditioning)(tau, task)  # type: ignore[misc]
            for block in path.parts()[0]:
                block.refresh(condition)

    def _versions(self) -> list[tuple[int, int]]:
        return [(weight.data_ptr(), weight._version) for weight in self._weights]
