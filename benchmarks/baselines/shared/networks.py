"""The networks of BC, CQL and IQL: two hidden layers, ensembles of these, and actors."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Final

import torch
from torch import Tensor, nn

from benchmarks.baselines.shared.action_codec import ActionCodec

__all__ = [
    "Actor",
    "CategoricalActor",
    "Ensemble",
    "SquashedGaussianActor",
    "TanhMeanActor",
    "make_actor",
    "mlp",
]

_LEAST_LOG_STD: Final = -5.0
_GREATEST_LOG_STD: Final = 2.0


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two hidden ReLU layers."""
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(),
        nn.Linear(hidden, hidden), nn.ReLU(),
        nn.Linear(hidden, outputs),
    )  # fmt: skip


class Ensemble(nn.Module):
    """`count` independent networks with two hidden ReLU layers.

    Args:
        count: S, networks.
        inputs: entries of the input that all share.
        hidden: width of the hidden layers.
        outputs: of each network.
        extra: entries of a second input, such as an action, that has several values per input.
    """

    def __init__(self, count: int, inputs: int, hidden: int, outputs: int, extra: int = 0) -> None:
        super().__init__()
        self.nets = nn.ModuleList(mlp(inputs + extra, hidden, outputs) for _ in range(count))
        self._inputs = inputs

    def forward(self, inputs: Tensor, extra: Tensor | None = None) -> Tensor:
        """`(B, k)` to `(S, B, outputs)`; with `extra` `(B, M, e)` to `(S, B, M, outputs)`."""
        if extra is None:
            return torch.stack([net(inputs) for net in self.nets])
        return torch.stack([self._several(net, inputs, extra) for net in self.nets])

    def _several(self, net: Any, inputs: Tensor, extra: Tensor) -> Tensor:
        """The part of the first layer that sees only `inputs` is computed once for all M."""
        weight, size = net[0].weight, self._inputs
        own = nn.functional.linear(inputs, weight[:, :size], net[0].bias)
        added = nn.functional.linear(extra, weight[:, size:])
        # In place: at 8,000 rows these layers wait for memory as much as for arithmetic.
        h = torch.relu_(added.add_(own[:, None]))
        h = torch.relu_(net[2](h))
        out: Tensor = net[4](h)
        return out


class Actor(nn.Module, ABC):
    """A network that names its best action."""

    @abstractmethod
    def best(self, inputs: Tensor) -> Tensor:
        """Encoded actions `(...)` or `(..., A)` for inputs `(..., k)`."""


class CategoricalActor(Actor):
    """One number per choice, a logit or a value; the greatest is best."""

    def __init__(self, inputs: int, hidden: int, codec: ActionCodec) -> None:
        super().__init__()
        self.net = mlp(inputs, hidden, codec.num_choices)

    def forward(self, inputs: Tensor) -> Tensor:
        """`(..., k)` to `(..., choices)`."""
        out: Tensor = self.net(inputs)
        return out

    def best(self, inputs: Tensor) -> Tensor:
        """The choice with the greatest number."""
        return self(inputs).argmax(-1)


class TanhMeanActor(Actor):
    """A mean in (-1, 1) per component, and a deviation that is the same in every state."""

    def __init__(self, inputs: int, hidden: int, codec: ActionCodec) -> None:
        super().__init__()
        self.net = mlp(inputs, hidden, codec.size)
        self.log_std = nn.Parameter(torch.zeros(codec.size))

    def forward(self, inputs: Tensor) -> Tensor:
        """Means `(..., A)`."""
        return torch.tanh(self.net(inputs))

    def log_prob(self, inputs: Tensor, actions: Tensor) -> Tensor:
        """Log-density `(...)` of actions `(..., A)` in [-1, 1]."""
        log_std = self.log_std.clamp(_LEAST_LOG_STD, _GREATEST_LOG_STD)
        error = (actions - self(inputs)) * torch.exp(-log_std)
        return -(0.5 * error.square() + log_std + 0.5 * math.log(2 * math.pi)).sum(-1)

    def best(self, inputs: Tensor) -> Tensor:
        """The mean."""
        mean: Tensor = self(inputs)
        return mean


class SquashedGaussianActor(Actor):
    """tanh of a Gaussian whose mean and deviation depend on the state (soft actor-critic)."""

    def __init__(self, inputs: int, hidden: int, codec: ActionCodec) -> None:
        super().__init__()
        self.net = mlp(inputs, hidden, 2 * codec.size)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-deviation before the tanh, `(..., A)` each."""
        mean, log_std = self.net(inputs).chunk(2, -1)
        return mean, log_std.clamp(_LEAST_LOG_STD, _GREATEST_LOG_STD)

    def sample(self, inputs: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Actions `(B, count, A)` for inputs `(B, k)`, and their log-densities `(B, count)`."""
        mean, log_std = self(inputs)
        noise = torch.randn(inputs.shape[0], count, mean.shape[-1], device=inputs.device)
        raw = mean[:, None] + log_std.exp()[:, None] * noise
        gaussian = 0.5 * noise.square() + log_std[:, None] + 0.5 * math.log(2 * math.pi)
        # log(1 - tanh(x)^2) without its loss of digits at large |x|.
        squash = 2 * (math.log(2) - raw - nn.functional.softplus(-2 * raw))
        return torch.tanh(raw), -(gaussian + squash).sum(-1)

    def best(self, inputs: Tensor) -> Tensor:
        """The mean, squashed."""
        return torch.tanh(self(inputs)[0])


def make_actor(inputs: int, hidden: int, codec: ActionCodec) -> Actor:
    """A network of logits for discrete actions, of means for reals."""
    kind = CategoricalActor if codec.discrete else TanhMeanActor
    return kind(inputs, hidden, codec)
