"""Training of world models: `pretrain` and `adapt`; batches, loop, checkpoints, logs.

The two functions are loaded when they are first asked for: who only reads the options of training
imports no trainer.

Example:
    >>> from networld_agent.config import get_preset
    >>> from networld_agent.training import adapt, pretrain
    >>> smoke = get_preset("smoke")
    >>> run = pretrain(["data/rb", "data/cbf"], "runs/pretrained", smoke)  # doctest: +SKIP
    >>> adapt(run, "data/slicing", "runs/slicing", smoke, trajectories=10)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from networld_agent.training.adaptation import adapt
    from networld_agent.training.pretraining import pretrain

__all__ = ["adapt", "pretrain"]

_PLACES = {
    "adapt": "networld_agent.training.adaptation",
    "pretrain": "networld_agent.training.pretraining",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
