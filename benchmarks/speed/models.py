"""World models of random weights for the tasks' shapes."""

from __future__ import annotations

from typing import Final

import torch
from torch import nn

from benchmarks.speed.data import SHAPES
from networld_agent.config import PRESETS
from networld_agent.model import TaskSpec, WorldModel, WorldModelConfig

__all__ = ["PUBLISHED", "fresh_model"]

#: The published planner's network: four levels of two blocks, 64 channels, 4 M weights.
PUBLISHED: Final = WorldModelConfig(horizon=32, latent_size=32, blocks_per_level=2)


def fresh_model(preset: str | WorldModelConfig, device: str = "cpu") -> WorldModel:
    """The network of a preset, or of a config, for all tasks of `SHAPES`, equal at every call.

    Heads are not zero: otherwise there would be no gradient behind them to compare.
    """
    torch.manual_seed(0)
    tasks = [
        TaskSpec(name, index, shape.observation_size, shape.action, guidance_scale=0.1)
        for index, (name, shape) in enumerate(SHAPES.items())
    ]
    config = PRESETS[preset].model if isinstance(preset, str) else preset
    model = WorldModel(config, tasks)
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.01)
    return model.to(device)
