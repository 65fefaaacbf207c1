"""Options of training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from wirelessenvs.checks import check_fields, check_real

__all__ = ["TrainingConfig", "learning_rate"]

#: May be 0.
_FROM_ZERO: Final = ("seed", "patience", "warmup_steps", "snapshots")
_CHOICES: Final = {
    "decay": ("cosine", "none"),
    "precision": ("auto", "fp32", "bf16"),
    "data": ("auto", "device", "host"),
}


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained.

    Args:
        steps: optimiser steps.
        batch_size: sequences per step over all processes, rounded to whole joint windows.
        learning_rate: of Adam, at its peak.
        body_factor: of the learning rate for weights that are shared between tasks, when a model
            is adapted to a new one.
        warmup_steps: of linear growth.
        decay: afterwards "cosine" to a tenth, or "none".
        clip: greatest norm of the gradient; 0 for no limit.
        ema_decay: of the averaged weights that are saved for planning.
        seed: of initial weights, batches and noise.
        log_every: steps between two lines of the log.
        save_every: steps between two checkpoints.
        validate_every: steps between two looks at held-out data.
        patience: looks without improvement after which training stops; 0 never stops early.
        trajectory_temperature: of preferring trajectories of high reward, for data of several
            policies: 0.1 is usual (see `networld_agent.data.trajectory_weights`); 0 draws from all
            alike.
        snapshots: evenly spaced saves of the averaged model in the run's `snapshots/STEP`, the last
            one at the end, to draw learning curves from; 0 for none.
        precision: "fp32", "bf16" (CUDA only), or "auto": bf16 on CUDA.
        compile: whether the loss is compiled (torch.compile); a minute or two of warm-up.
        graph: whether a GPU records a step once and repeats it (CUDA graphs); not with several
            processes.
        data: "device" holds the data sets in the memory of the device, "host" streams windows to
            it; "auto" holds them on a GPU that has the room. Batches are the same.
    """

    steps: int = 10_000
    batch_size: int = 256
    learning_rate: float = 1e-3
    body_factor: float = 1.0
    warmup_steps: int = 100
    decay: str = "cosine"
    clip: float = 1.0
    ema_decay: float = 0.999
    seed: int = 0
    log_every: int = 50
    save_every: int = 500
    validate_every: int = 100
    patience: int = 10
    trajectory_temperature: float = 0.0
    snapshots: int = 0
    precision: str = "auto"
    compile: bool = False
    graph: bool = True
    data: str = "auto"

    def __post_init__(self) -> None:
        check_fields(self, zero=_FROM_ZERO, choices=_CHOICES)
        check_real("ema_decay", self.ema_decay, 0, 1)


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Learning rate of a step, counted from 0."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    if config.decay == "none":
        return config.learning_rate
    share = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))
