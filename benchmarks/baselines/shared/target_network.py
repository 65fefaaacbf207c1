"""Copies of networks that follow them slowly, for targets that do not chase themselves."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

__all__ = ["follow", "frozen_copy"]

Module = TypeVar("Module", bound=nn.Module)


def frozen_copy(network: Module) -> Module:
    """The same network without gradients."""
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def follow(target: nn.Module, network: nn.Module, share: float) -> None:
    """Moves the target's weights by `share` of the way to the network's; 1 copies them."""
    ours: list[Tensor] = list(target.parameters())
    theirs: list[Tensor] = list(network.parameters())
    torch._foreach_lerp_(ours, theirs, share)
