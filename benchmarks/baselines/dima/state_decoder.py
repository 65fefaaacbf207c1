"""From the global state to every agent's observation, through a discrete code.

Finite scalar quantisation (Mentzer et al., arXiv 2309.15505), as in vector-quantize-pytorch.
"""

from __future__ import annotations

from torch import Tensor, nn

from benchmarks.baselines.dima.config import StateConfig
from benchmarks.baselines.dima.sequences import WorldSpec

__all__ = ["StateDecoder"]

#: Entries of a code that is not quantised.
_FREE_SIZE = 3


def _quantiser(levels: tuple[int, ...]) -> nn.Module:
    try:
        from vector_quantize_pytorch import FSQ
    except ImportError:
        raise ImportError(
            "DIMA's state decoder needs vector-quantize-pytorch: pip install 'wirelessenvs[dima]'."
        ) from None
    made: nn.Module = FSQ(list(levels))
    return made


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.GELU(),
        nn.Linear(hidden, hidden), nn.GELU(),
        nn.Linear(hidden, outputs),
    )  # fmt: skip


class StateDecoder(nn.Module):
    """A state becomes a few codes, and these become observations.

    Args:
        spec: of the environment.
        config: of this model.
    """

    def __init__(self, spec: WorldSpec, config: StateConfig) -> None:
        super().__init__()
        self._absolute = config.loss == "l1"
        self._shape = (spec.num_agents, spec.observation_size)
        self._code = (config.codes, len(config.levels) or _FREE_SIZE)
        code_size = self._code[0] * self._code[1]
        self.encoder = _mlp(spec.state_size, config.hidden, code_size)
        self.quantiser = _quantiser(config.levels) if config.levels else None
        self.decoder = _mlp(code_size, config.hidden, self._shape[0] * self._shape[1])

    def codes(self, states: Tensor) -> Tensor:
        """`(B, codes, entries)`; quantised to [-1, 1], with gradients passed straight through."""
        raw: Tensor = self.encoder(states).unflatten(-1, self._code)
        return raw if self.quantiser is None else self.quantiser(raw)[0]

    def forward(self, states: Tensor) -> Tensor:
        """Normalised observations `(B, n, O)` of scaled states `(B, S)`."""
        out: Tensor = self.decoder(self.codes(states).flatten(1)).unflatten(-1, self._shape)
        return out

    def loss(self, states: Tensor, observations: Tensor, valid: Tensor) -> Tensor:
        """Mean absolute or square error over real states `(B,)`."""
        apart = self(states) - observations
        errors = (apart.abs() if self._absolute else apart.square()).mean((1, 2))
        real = valid.to(errors.dtype)
        return (errors * real).sum() / real.sum().clamp(min=1)
