"""Training of a world model on recorded play, to look at what it learns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.baselines.dima.world_model import WorldModel
from benchmarks.studies.dima_diagnosis.recording import Recording
from wirelessenvs.command import Progress

__all__ = ["train_on"]


def train_on(
    data: Recording,
    model: WorldModel,
    updates: int,
    seed: int,
    label: str,
    parts: Sequence[str] | None = None,
) -> None:
    """Updates of a model on recorded play, whose scales it observes first.

    Args:
        data: to learn from.
        model: to train.
        updates: of every part.
        seed: of batches and noise.
        label: of the line on the terminal.
        parts: to train; all by default.

    Raises:
        ValueError: if the last loss of a part is not finite.
    """
    model.observe(data.states[:, :-1], data.observations[:, :-1], data.rewards)
    rng, line = np.random.default_rng([seed, 3]), Progress("updates", every_s=10)
    torch.manual_seed(seed)
    shapes = {part: s for part, s in model.batches().items() if parts is None or part in parts}
    padding = {"denoiser": model.config.denoiser.context - 1}
    losses = {}
    for update in range(updates):
        losses = model.update(
            {part: data.sequences(s, rng, padding.get(part, 0)) for part, s in shapes.items()}
        )
        line(label, update + 1, updates)
    line.close()
    lost = [loss for name, loss in losses.items() if name.endswith("_loss")]
    if not all(torch.isfinite(loss) for loss in lost):
        raise ValueError(f"{label} diverged.")
