"""The actor that all agents of a team share: own observation in, a distribution of actions out."""

from __future__ import annotations

import math
from typing import Final, Self

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from benchmarks.baselines.mappo.config import PpoConfig
from benchmarks.baselines.shared.action_codec import ActionCodec

__all__ = ["TeamActor", "trunk"]

_DEPTH: Final = 3
_LEAST_LOG_STD: Final = -5.0
_GREATEST_LOG_STD: Final = 1.0


def trunk(inputs: int, hidden: int, normalise_inputs: bool) -> nn.Sequential:
    """Three layers of [Linear, ReLU, LayerNorm], after a LayerNorm of the inputs where asked for.

    Args:
        inputs: entries of a vector.
        hidden: width.
        normalise_inputs: every vector by its own mean and deviation. It takes the scale away:
            right where the entries are alike and many, wrong where few of different meaning are.
    """
    layers: list[nn.Module] = [nn.LayerNorm(inputs)] if normalise_inputs else []
    for index in range(_DEPTH):
        linear = nn.Linear(inputs if index == 0 else hidden, hidden)
        nn.init.orthogonal_(linear.weight, math.sqrt(2))
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU(), nn.LayerNorm(hidden)]
    return nn.Sequential(*layers)


class TeamActor(nn.Module):
    """Categorical for discrete actions, else Gaussian with a deviation that no input changes.

    Gaussian actions may leave [-1, 1]; whoever acts on them takes the nearest that is legal. Their
    densities stay those of the actions as they were drawn.

    Args:
        inputs: entries of a scaled observation.
        hidden: width of the layers.
        codec: of the actions.
        normalise_inputs: as in `trunk`.
        first_std: deviation that training starts from.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        codec: ActionCodec,
        normalise_inputs: bool = False,
        first_std: float = 0.5,
    ) -> None:
        super().__init__()
        self.discrete = codec.discrete
        self.trunk = trunk(inputs, hidden, normalise_inputs)
        self.head = nn.Linear(hidden, codec.outputs)
        # Nearly uniform at first: nothing is ruled out before it was tried.
        nn.init.orthogonal_(self.head.weight, 0.01)
        nn.init.zeros_(self.head.bias)
        if not self.discrete:
            self.log_std = nn.Parameter(torch.full((codec.size,), math.log(first_std)))

    @classmethod
    def of(cls, inputs: int, codec: ActionCodec, config: PpoConfig) -> Self:
        """An actor of the configuration's sizes."""
        return cls(inputs, config.hidden_size, codec, config.normalise_inputs, config.first_std)

    def forward(self, inputs: Tensor) -> Tensor:
        """`(..., k)` to logits `(..., K)` or means `(..., A)`."""
        out: Tensor = self.head(self.trunk(inputs))
        return out

    def sample(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Actions `(...)` or `(..., A)` for inputs `(..., k)`, and their log-densities `(...)`."""
        out = self(inputs)
        if self.discrete:
            # The greatest of logits plus Gumbel noise is distributed as they say.
            noise = torch.empty_like(out).exponential_().log()
            actions = (out - noise).argmax(-1)
        else:
            actions = out + self._log_std().exp() * torch.randn_like(out)
        return actions, self._log_prob(out, actions)

    def evaluate(self, inputs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Log-densities of actions and entropies, `(...)` each."""
        out = self(inputs)
        return self._log_prob(out, actions), self._entropy(out)

    def best(self, inputs: Tensor) -> Tensor:
        """The most probable choice, or the mean."""
        out = self(inputs)
        return out.argmax(-1) if self.discrete else out

    def _log_std(self) -> Tensor:
        return self.log_std.clamp(_LEAST_LOG_STD, _GREATEST_LOG_STD)

    def _log_prob(self, out: Tensor, actions: Tensor) -> Tensor:
        if self.discrete:
            chosen = torch.log_softmax(out, -1).gather(-1, actions[..., None])
            return chosen.squeeze(-1)
        log_std = self._log_std()
        error = (actions - out) * torch.exp(-log_std)
        return -(0.5 * error.square() + log_std + 0.5 * math.log(2 * math.pi)).sum(-1)

    def _entropy(self, out: Tensor) -> Tensor:
        if self.discrete:
            return Categorical(logits=out, validate_args=False).entropy()
        entropy = (self._log_std() + 0.5 * math.log(2 * math.pi * math.e)).sum()
        return entropy.expand(out.shape[:-1])
