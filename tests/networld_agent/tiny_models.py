"""Untrained models of a few thousand weights: enough for every interface."""

from typing import Any

import torch

from networld_agent.model import ActionSpec, TaskSpec, WorldModel, WorldModelConfig

TINY: dict[str, Any] = {
    "horizon": 8, "latent_size": 8, "channels": 8, "multipliers": (1, 2), "embedding_size": 8,
    "encoder_size": 16, "inverse_size": 16, "diffusion_steps": 6, "action_bins": 11,
    "return_bins": 11,
}  # fmt: skip

RB = TaskSpec("rb-v0", 0, 4, ActionSpec("discrete", sizes=(11,)))


def tiny_model(*tasks: TaskSpec, seed: int = 0, **options: Any) -> WorldModel:
    """A model with random heads: fresh ones are zero, and would act alike everywhere."""
    torch.manual_seed(seed)
    model = WorldModel(WorldModelConfig(**{**TINY, **options}), tasks or (RB,))
    for module in (*model.inverses.values(), model.classifier):
        torch.nn.init.normal_(module.head.weight)
    if model.attention is not None:
        torch.nn.init.normal_(model.attention.query.weight)
    return model.requires_grad_(False).eval()
