"""Batches of all three kinds of action, and gradients, for the parity of the world model."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn
from training_cases import BOX, DISCRETE, PAIRS, TINY

from networld_agent.model import TaskSpec, WorldModel, WorldModelConfig
from networld_agent.model.batch import Batch, TaskBatch

__all__ = ["CONFIGS", "batch_for", "gradients_of", "random_actions", "random_model", "scaled"]

#: Every branch of the joint loss.
CONFIGS: dict[str, dict[str, Any]] = {
    "default": {},
    "separate classifier": {"classifier": "separate"},
    "velocity": {"prediction": "velocity"},
    "noise": {"prediction": "noise"},
    "stop all": {"stop_gradient": "all"},
    "stop none": {"stop_gradient": "none"},
    "no communication": {"communication": "none"},
    "attention": {"communication": "attention"},
    "bins": {"discrete_head": "bins", "targets": "one-hot", "action_scaling": "raw"},
    "two blocks": {"blocks_per_level": 2, "multipliers": (1, 2, 4), "latent_norm": "none"},
    "no symlog": {"symlog": False, "observation_limit": 0.0, "return_scaling": "raw"},
    "losses off": {
        "planned_action_weight": 0.0, "behaviour_weight": 0.0, "reconstruction_weight": 0.0,
    },
}  # fmt: skip


def scaled(task: TaskSpec) -> TaskSpec:
    """The task with statistics of its observations and returns, as data gives them."""
    size = task.observation_size
    return dataclasses.replace(
        task,
        return_mean=3.0,
        return_std=2.0,
        observation_mean=tuple(0.1 * k for k in range(size)),
        observation_std=tuple(0.5 + 0.1 * k for k in range(size)),
    )


def random_model(device: torch.device, **options: Any) -> WorldModel:
    """All three tasks; heads that would start at zero are random, so that all gradients flow."""
    # Two channels to a group: of a single one, gradients are sums of terms that cancel.
    config = WorldModelConfig(**{**vars(TINY), "channels": 16, **options})
    model = WorldModel(config, [scaled(task) for task in (DISCRETE, BOX, PAIRS)])
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.3)
    return model.to(device)


def random_actions(task: TaskSpec, *shape: int) -> Tensor:
    """Recorded actions `(*shape[, A])`."""
    action = task.action
    if action.kind == "box":
        low, high = torch.tensor(action.low), torch.tensor(action.high)
        return low + (high - low) * torch.rand(*shape, len(action.low))
    columns = torch.stack([torch.randint(n, shape) for n in action.sizes], -1) + action.start
    return columns[..., 0] if action.kind == "discrete" else columns


def batch_for(
    model: WorldModel,
    device: torch.device,
    windows: int = 3,
    agents: int = 4,
    dynamic: bool = False,
) -> Batch:
    """A random batch of every task."""
    config, parts = model.config, []
    for name, task in model.tasks.items():
        shape = (windows, config.horizon) if dynamic else ()
        heard = (torch.rand(*shape, agents, agents) < 0.5).float() * (1 - torch.eye(agents))
        parts.append(
            TaskBatch(
                name,
                3 * torch.randn(windows, agents, config.horizon, task.observation_size),
                random_actions(task, windows, agents, config.horizon - 1),
                (3 + 2 * torch.randn(windows, agents)).double(),
                heard / heard.sum(-1, keepdim=True).clamp(min=1),
                1 / (len(model.tasks) * windows * agents),
            )
        )
    count = len(parts) * windows * agents
    tau = torch.randint(config.diffusion_steps, (count,))
    noise = torch.randn(count, config.horizon, 2 * config.latent_size)
    return Batch(tuple(parts), tau, noise).to(device)


def gradients_of(module: nn.Module) -> dict[str, Tensor]:
    """By parameter; those that nothing reached are left out."""
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
