"""Observations of one task to latents that all tasks share."""

from __future__ import annotations

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
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(observation_size, hidden_size),
            nn.SiLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.SiLU(),
            nn.Linear(hidden_size, latent_size),
        )
        self.observation_size, self.latent_size = observation_size, latent_size
        self.compress, self.normalise = compress, normalise

    def forward(self, observations: Tensor) -> Tensor:
        """Latents `(..., D)` of observations `(..., d)`."""
        z: Tensor = self.layers(symlog(observations) if self.compress else observations)
        return nn.functional.layer_norm(z, z.shape[-1:]) if self.normalise else z
