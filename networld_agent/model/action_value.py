"""What an action is worth, from what an agent knows when it acts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

__all__ = ["ActionValue"]

#: Of choices that are never to be made.
_UNSEEN: Final = -1e4


class ActionValue(nn.Module):
    """Own observation and neighbours' mean to a value of every choice of an action's components.

    The observation, which an agent has in full, not its latent, which was made for other ends.

    The value of an action is the mean over its components of the values of its choices. Values are
    discounted sums of standardised rewards: differences between choices are what matters. Choices
    that the data never shows are worth nothing, since nothing is known of them.

    Args:
        sizes: choices per component, as of the task's `InverseDynamics`.
        observation_size: d.
        latent_size: D.
        width: of the two hidden layers.
    """

    #: `(A,)` where the choices of each component begin.
    starts: Tensor
    #: `(sum of sizes)` 1 for choices that the data shows, 0 for others.
    seen: Tensor
    #: `(d + D)` of what the network sees, in its data.
    mean: Tensor
    std: Tensor

    def __init__(
        self, sizes: Sequence[int], observation_size: int, latent_size: int, width: int
    ) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.layers = nn.Sequential(
            nn.Linear(observation_size + latent_size, width),
            nn.ELU(),
            nn.Linear(width, width),
            nn.ELU(),
            nn.Linear(width, sum(sizes)),
        )
        starts = torch.tensor([0, *self.sizes[:-1]]).cumsum(0)
        self.register_buffer("starts", starts, persistent=False)
        self.register_buffer("seen", torch.ones(sum(sizes)))
        self.register_buffer("mean", torch.zeros(observation_size + latent_size))
        self.register_buffer("std", torch.ones(observation_size + latent_size))

    def forward(self, observations: Tensor, heard: Tensor) -> Tensor:
        """Values `(..., sum of sizes)`.

        Args:
            observations: `(..., d)` as the task's encoder sees them.
            heard: `(..., D)` means of the neighbours' latents.
        """
        inputs = (torch.cat([observations, heard], -1) - self.mean) / self.std
        values: Tensor = self.layers(inputs).float()
        return torch.where(self.seen > 0, values, _UNSEEN)

    def of(self, values: Tensor, choices: Tensor) -> Tensor:
        """Values `(...)` of chosen actions.

        Args:
            values: `(..., sum of sizes)`.
            choices: `(..., A)` int64 index of the choice of each component.
        """
        return values.gather(-1, choices + self.starts).mean(-1)

    def best(self, ratings: Tensor) -> Tensor:
        """`(..., A)` choices of the greatest ratings `(..., sum of sizes)`."""
        return torch.stack([part.argmax(-1) for part in ratings.split(self.sizes, -1)], -1)
