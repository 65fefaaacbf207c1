"""World models on disk: weights as safetensors, all else as JSON; nothing in them is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from benchmarks.baselines.dima.config import DimaConfig
from benchmarks.baselines.dima.sequences import WorldSpec
from networld_agent.errors import ModelError
from networld_agent.storage import WeightsFormat, fitting, read_description, save_weights, versions

__all__ = ["FORM", "read_world_model", "save_world_model"]

FORM: Final = WeightsFormat(
    "world model of DIMA", "world_model.json", "world-model", "dima-world-model"
)


def save_world_model(
    state: Mapping[str, Tensor], spec: WorldSpec, config: DimaConfig, folder: Path
) -> Path:
    """Writes a model, whole or not at all; returns the folder."""
    document = {
        "versions": versions(),
        "environment": spec.to_json(),
        "config": config.to_json(),
    }
    return save_weights(FORM, folder, document, state)


def read_world_model(
    folder: Path, spec: WorldSpec | None = None
) -> tuple[WorldSpec, DimaConfig, dict[str, Any]]:
    """Environment, configuration and whole description of a stored model.

    Args:
        folder: that `save_world_model` wrote.
        spec: of the environment that the model must be of; any by default.

    Raises:
        ModelError: naming the file and its fault.
    """
    where, document = folder / FORM.file, read_description(FORM, folder)
    with fitting(where):
        found = WorldSpec(**document["environment"])
        config = DimaConfig.from_json(document["config"])
    if spec is not None and found != spec:
        raise ModelError(f"{where}: is a model of {_said(found)}, not of {_said(spec)}.")
    return found, config, document


def _said(spec: WorldSpec) -> str:
    action = (
        f"{spec.num_choices} choices" if spec.discrete else f"{spec.action_size} reals per action"
    )
    return (
        f"{spec.task} with {spec.num_agents} agents, {spec.state_size} entries of the state, "
        f"{spec.observation_size} per observation and {action}"
    )
