"""Exponential moving average of the weights: what planning uses."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from networld_agent.model.world_model import WorldModel

__all__ = ["AveragedModel"]


class AveragedModel:
    """A copy of a model whose weights follow it.

    The decay rises as (1 + n) / (10 + n) up to its final value, so that a short run is not stuck at
    its random start.

    Args:
        model: to follow.
        decay: final share of the old average that stays per update.
    """

    def __init__(self, model: WorldModel, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self._decay = decay
        self._averages: list[Tensor] = list(self.model.parameters())
        self._weights: list[Tensor] = list(model.parameters())

    @torch.no_grad()
    def update(self, updates: int | Tensor) -> None:
        """Moves the average towards the weights, in calls for all tensors at once.

        Args:
            updates: how many there were before; a tensor on the device is not read by the host.
        """
        if isinstance(updates, int):
            decay = min(self._decay, (1 + updates) / (10 + updates))
            torch._foreach_lerp_(self._averages, self._weights, 1 - decay)
            return
        share = 1 - ((1 + updates) / (10 + updates)).clamp_max(self._decay)
        change = torch._foreach_sub(self._weights, self._averages)
        torch._foreach_mul_(change, share)
        torch._foreach_add_(self._averages, change)
