"""Models on disk: weights as safetensors, all else as JSON; nothing in them is ever executed."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Final

import torch

from networld_agent.errors import ModelError
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.task_spec import TaskSpec
from networld_agent.model.world_model import WorldModel, task_key
from networld_agent.storage import (
    WeightsFormat,
    fields_of,
    load_weights,
    read_description,
    save_weights,
    versions,
)

__all__ = ["load_model", "save_model", "weights_sha256"]

_FORM: Final = WeightsFormat("model", "model.json", "model", "networld-model")


def save_model(model: WorldModel, folder: Path) -> Path:
    """Writes a model; returns the folder."""
    document = {
        "versions": versions(),
        "config": dataclasses.asdict(model.config),
        "tasks": [task.to_json() for task in model.tasks.values()],
    }
    return save_weights(_FORM, folder, document, model.state_dict())


def load_model(folder: Path, device: str | torch.device = "cpu") -> WorldModel:
    """Reads what `save_model` wrote.

    Raises:
        ModelError: naming the file and its fault.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: there is no such folder.")
    document = read_description(_FORM, folder)
    outdated: list[TaskSpec] = []

    def make() -> WorldModel:
        config = WorldModelConfig.from_json(document["config"])
        specs = []
        for task in document["tasks"]:
            fields = dict(task)
            # Values of single components, from before whole actions were rated.
            old = fields.get("value_scale") is not None and "value_sizes" not in fields
            specs.append(TaskSpec.from_json({**fields, "value_scale": None} if old else fields))
            if old:
                outdated.append(specs[-1])
        return WorldModel(config, specs)

    def left_out(tensor: str) -> bool:
        return tensor.startswith(tuple(f"values.{task_key(spec)}." for spec in outdated))

    model = load_weights(_FORM, folder, document, make, lambda made: made, left_out)
    if outdated:
        names = ", ".join(spec.name for spec in outdated)
        warnings.warn(
            f"{folder}: the values of actions of {names} are of an earlier kind and are left out: "
            "learn them again with python -m networld_agent.value.",
            stacklevel=2,
        )
    return model.to(device).requires_grad_(False).eval()


def weights_sha256(folder: Path) -> str:
    """SHA-256 of the weights of a model that can be loaded: the same wherever it lies."""
    return (
        fields_of(read_description(_FORM, folder), folder / _FORM.file)
        .sub("weights")
        .text("sha256")
    )
