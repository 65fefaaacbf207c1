"""The critic: one value, of what it is shown."""

from __future__ import annotations

from torch import Tensor, nn

from benchmarks.baselines.mappo.actor import trunk

__all__ = ["Critic"]


class Critic(nn.Module):
    """Three layers and a value on the normalised scale.

    MAPPO shows it the state, IPPO an agent's own observation, DIMA the state and the last joint
    action.

    Args:
        inputs: entries of a scaled vector.
        hidden: width of the layers.
        normalise_inputs: as in `trunk`.
    """

    def __init__(self, inputs: int, hidden: int, normalise_inputs: bool = False) -> None:
        super().__init__()
        self.trunk = trunk(inputs, hidden, normalise_inputs)
        self.head = nn.Linear(hidden, 1)
        nn.init.orthogonal_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """`(..., k)` to `(...)`."""
        out: Tensor = self.head(self.trunk(inputs)).squeeze(-1)
        return out
