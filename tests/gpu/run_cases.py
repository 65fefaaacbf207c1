"""Small training runs on any device, and runs that die."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from dataset_cases import small_dataset
from torch import Tensor
from training_cases import TINY

from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import WindowSource
from networld_agent.model import WorldModelConfig
from networld_agent.training.checkpoints import load_checkpoint
from networld_agent.training.config import TrainingConfig
from networld_agent.training.log import RunLog
from networld_agent.training.pretraining import fresh_model
from networld_agent.training.run import train

__all__ = ["Killed", "checkpoint_of", "dies_after", "log_of", "run_of", "sources"]

# Two channels to a group: of a single one, gradients are sums of terms that cancel, and Adam makes
# steps of its size out of their rounding.
MODEL = WorldModelConfig(**{**vars(TINY), "channels": 16})


class Killed(BaseException):
    """Stands for `kill -9`: nothing is written any more."""


def sources() -> list[WindowSource]:
    """One task of discrete and one of real actions."""
    return [
        WindowSource(TrajectoryDataset.open(small_dataset(task))) for task in ("rb-v0", "cbf-v0")
    ]


def run_of(device: torch.device, folder: Path, steps: int = 20, **options: Any) -> Path:
    """Trains into a folder, from nothing or from what is there; returns it."""
    settings = {
        "steps": steps, "batch_size": 64, "warmup_steps": 5, "log_every": 1, "save_every": 5,
        "validate_every": 5, "ema_decay": 0.9, "precision": "fp32", **options,
    }  # fmt: skip
    data = sources()
    model = fresh_model(data, MODEL, seed=0)
    train(model, data, data[:1], TrainingConfig(**settings), folder, device, {"command": "test"})
    return folder


@contextmanager
def dies_after(step: int) -> Any:
    """The run inside is killed when it writes the log of a step."""
    real = RunLog.__call__

    def dying(self: RunLog, at: int, values: dict[str, float]) -> None:
        if at >= step:
            raise Killed
        real(self, at, values)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(RunLog, "__call__", dying)
        with pytest.raises(Killed):
            yield


def log_of(folder: Path) -> list[dict[str, float]]:
    """Lines of a run's log, without what depends on the clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "time"} for line in lines]


def checkpoint_of(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and state of a run's checkpoint."""
    found = load_checkpoint(folder)
    assert found is not None
    return found
