"""Gymnasium's spaces of one agent as TorchRL's specs of a group of agents."""

from __future__ import annotations

from collections.abc import Mapping

import gymnasium
import numpy as np
import torch
from torchrl.data import Bounded, Categorical, Composite, OneHot, TensorSpec, Unbounded

__all__ = ["action_spec", "box_spec", "done_spec", "real_spec"]


def box_spec(space: gymnasium.spaces.Box, agents: int, device: torch.device | None) -> TensorSpec:
    """`(N, D)` of N agents' boxes, bounded if every entry is."""
    shape = torch.Size((agents, *space.shape))
    if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
        return real_spec(shape, device)
    low, high = (
        torch.as_tensor(np.broadcast_to(side, shape).copy(), device=device)
        for side in (space.low, space.high)
    )
    return Bounded(low, high, shape, device, torch.float32)


def real_spec(shape: torch.Size | tuple[int, ...], device: torch.device | None) -> TensorSpec:
    """Real numbers without bounds."""
    return Unbounded(torch.Size(shape), device=device, dtype=torch.float32)


def action_spec(
    space: gymnasium.spaces.Discrete | gymnasium.spaces.Box,
    agents: int,
    categorical: bool,
    device: torch.device | None,
) -> TensorSpec:
    """Of N agents: `(N,)` categories, `(N, n)` one-hot vectors, or an `(N, A)` box."""
    if isinstance(space, gymnasium.spaces.Box):
        return box_spec(space, agents, device)
    n = int(space.n)
    if categorical:
        return Categorical(n, torch.Size((agents,)), device, torch.int64)
    return OneHot(n, torch.Size((agents, n)), device, torch.bool)


def done_spec(device: torch.device | None) -> Composite:
    """`(1,)` flags of one environment: agents begin and end together."""
    flags: Mapping[str, TensorSpec] = {
        name: Categorical(2, torch.Size((1,)), device, torch.bool)
        for name in ("done", "terminated", "truncated")
    }
    return Composite(flags, device=device)
