"""World models of random weights for the tasks' shapes."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.speed.gpu.data import SHAPES
from networld_agent.config import PRESETS
from networld_agent.model import TaskSpec, WorldModel

__all__ = ["fresh_model"]


def fresh_model(preset: str, device: str = "cpu") -> WorldModel:
    """The network of a preset for all tasks of `SHAPES`, equal at every call.

    Heads are not zero: otherwise there would be no gradient behind them to compare.
    """
    torch.manual_seed(0)
    tasks = [
        TaskSpec(name, index, shape.observation_size, shape.action, guidance_scale=0.1)
        for index, (name, shape) in enumerate(SHAPES.items())
    ]
    model = WorldModel(PRESETS[preset].model, tasks)
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.01)
    return model.to(device)
