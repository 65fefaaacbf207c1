"""How many directions the latents use: the early sign of a collapse."""

from __future__ import annotations

import torch
from torch import Tensor

from networld_agent.model.batch import Batch
from networld_agent.model.world_model import WorldModel

__all__ = ["effective_rank", "latent_health"]


def effective_rank(latents: Tensor) -> float:
    """Number of directions that latents use: exp of the entropy of their covariance's spectrum.

    Between 1 and D; 0 for constant latents.

    Args:
        latents: `(M, D)`.

    Example:
        >>> round(effective_rank(torch.eye(4)), 2)
        3.0
    """
    centred = (latents - latents.mean(0)).double()
    spectrum = torch.linalg.eigvalsh(centred.T @ centred).clamp(min=0)
    total = spectrum.sum()
    # Rounding alone leaves a spectrum behind, of any rank.
    if total <= 1e-10 * latents.double().square().sum():
        return 0.0
    shares = spectrum / total
    return float(torch.exp(-(shares * torch.log(shares.clamp(min=1e-30))).sum()))


@torch.no_grad()
def latent_health(model: WorldModel, batch: Batch) -> dict[str, float]:
    """Effective rank, and least and mean variance per dimension, for each task of a batch."""
    values = {}
    for part in batch.parts:
        z = model.encode(part.task, part.observations).flatten(0, -2).float()
        variance = z.var(0)
        values[f"latent_rank/{part.task}"] = effective_rank(z)
        values[f"latent_variance_min/{part.task}"] = float(variance.min())
        values[f"latent_variance_mean/{part.task}"] = float(variance.mean())
    return values
