"""Weights and optimisers of a learner as the tensors of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from networld_agent.training.checkpoints import (
    optimizer_tensors,
    prefixed,
    restore_optimizer,
    with_prefix,
)

__all__ = ["learner_tensors", "restore_learner"]

_MODULE = "module."


class HasState(Protocol):
    """A learner, as far as its checkpoint goes."""

    module: nn.Module
    optimizers: Sequence[torch.optim.Optimizer]


def learner_tensors(learner: HasState) -> dict[str, Tensor]:
    """The module's state, and every optimiser's moments by the names of their parameters."""
    names = _names(learner)
    tensors = prefixed(_MODULE, learner.module.state_dict())
    for optimizer in learner.optimizers:
        tensors |= optimizer_tensors(optimizer, names)
    return tensors


def restore_learner(learner: HasState, tensors: Mapping[str, Tensor]) -> None:
    """Puts back what `learner_tensors` returned."""
    names = _names(learner)
    learner.module.load_state_dict(with_prefix(tensors, _MODULE))
    for optimizer in learner.optimizers:
        own = {p: names[p] for group in optimizer.param_groups for p in group["params"]}
        chosen = {
            key: value
            for key, value in tensors.items()
            if key.startswith("adam.") and key.split(".", 2)[2] in own.values()
        }
        restore_optimizer(optimizer, own, chosen)


def _names(learner: HasState) -> dict[Tensor, str]:
    return {parameter: name for name, parameter in learner.module.named_parameters()}
