"""Observations of one task to latents that all tasks share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from networld_agent.model.symlog import symlog

__all__ = ["ScenarioEncoder"]


class ScenarioEncoder(nn.Module):
    """Three layers from symlog(o) to z.

    Args:
        observation_size: d.
        latent_size: D.
        hidden_size: of both hidden layers.
        compress: symlog of the input.
        mean: `(d,)` subtracted after symlog; empty for none.
        std: `(d,)` divided by afterwards.
        limit: of the magnitude of what comes out of this; 0 for none.
        tail: of what lies beyond the limit: "flat", or "log", by which it goes on growing.
        normalise: the latent to mean 0 and variance 1, without learnt scale: a latent that is
            free to shrink makes denoising trivial.
    """

    def __init__(
        self,
        observation_size: int,
        latent_size: int,
        hidden_size: int,
        compress: bool = True,
        normalise: bool = True,
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
        limit: float = 0.0,
        tail: str = "flat",
    ) -> None:
        super().__init__()
        shape = (observation_size,)
        self.register_buffer(
            "mean", torch.tensor(mean) if mean else torch.zeros(shape), persistent=False
        )
        self.register_buffer(
            "std", torch.tensor(std) if std else torch.ones(shape), persistent=False
        )
        self.layers = nn.Sequential(
            nn.Linear(observation_size, hidden_size),
            nn.SiLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.SiLU(),
            nn.Linear(hidden_size, latent_size),
        )
        self.observation_size, self.latent_size = observation_size, latent_size
        self.compress, self.normalise = compress, normalise
        self.limit, self.tail = limit, tail

    mean: Tensor
    std: Tensor

    def scaled(self, observations: Tensor) -> Tensor:
        """Observations `(..., d)` after symlog and standardisation."""
        compressed = symlog(observations) if self.compress else observations
        scaled = (compressed - self.mean) / self.std
        if not self.limit:
            return scaled
        held = scaled.clamp(-self.limit, self.limit)
        # Of slope 1 at the limit.
        return held + symlog(scaled - held) if self.tail == "log" else held

    def forward(self, observations: Tensor) -> Tensor:
        """Latents `(..., D)` of observations `(..., d)`."""
        z: Tensor = self.layers(self.scaled(observations))
        return nn.functional.layer_norm(z, z.shape[-1:]) if self.normalise else z
