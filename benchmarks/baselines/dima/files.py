"""World models on disk: weights as safetensors, all else as JSON; nothing in them is executed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
from torch import Tensor

from benchmarks.baselines.dima.config import DimaConfig
from benchmarks.baselines.dima.sequences import WorldSpec
from networld_agent import __version__
from networld_agent.errors import ModelError
from networld_agent.storage import checksum, read_document, read_tensors, write_whole

__all__ = ["load_world_model", "save_world_model"]

FORMAT: Final = "dima-world-model"
FORMAT_VERSION: Final = 1
_FILE: Final = "world_model.json"
_WEIGHTS = re.compile(r"world-model-[0-9a-f]{16}\.safetensors")


def save_world_model(
    state: Mapping[str, Tensor], spec: WorldSpec, config: DimaConfig, folder: Path
) -> Path:
    """Writes a model, whole or not at all; returns the folder."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    data = safetensors.torch.save(tensors)
    digest = hashlib.sha256(data).hexdigest()
    file = f"world-model-{digest[:16]}.safetensors"
    document: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "versions": {"networld_agent": __version__, "torch": torch.__version__},
        "environment": spec.to_json(),
        "config": config.to_json(),
        "weights": {"file": file, "bytes": len(data), "sha256": digest},
    }
    document = json.loads(json.dumps(document, allow_nan=False))
    document["sha256"] = checksum(document)
    write_whole(folder / file, data)
    write_whole(folder / _FILE, (json.dumps(document, indent=1) + "\n").encode())
    for old in folder.glob("world-model-*.safetensors"):
        if _WEIGHTS.fullmatch(old.name) and old.name != file:
            old.unlink()
    return folder


def load_world_model(
    folder: Path, spec: WorldSpec | None = None
) -> tuple[WorldSpec, DimaConfig, dict[str, Tensor]]:
    """Environment, configuration and tensors of a stored model.

    Args:
        folder: that `save_world_model` wrote.
        spec: of the environment that the model must be of; any by default.

    Raises:
        ModelError: naming the file and its fault.
    """
    where = folder / _FILE
    document = read_document(where, "world model")
    if document.get("format") != FORMAT:
        raise ModelError(f"{where}: is no description of a world model of DIMA.")
    version = document.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ModelError(
            f"{where}: has format version {version}; this package reads up to {FORMAT_VERSION}: "
            "upgrade it."
        )
    try:
        found = WorldSpec(**document["environment"])
        config = DimaConfig.from_json(document["config"])
        listed = document["weights"]
        if not _WEIGHTS.fullmatch(listed["file"]):
            raise ValueError(f"names a weights file {listed['file']!r} that is none")
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{where}: cannot be used: {error}.") from None
    if spec is not None and found != spec:
        raise ModelError(f"{where}: is a model of {_said(found)}, not of {_said(spec)}.")
    tensors = read_tensors(folder / listed["file"], listed["bytes"], listed["sha256"])
    return found, config, tensors


def _said(spec: WorldSpec) -> str:
    action = (
        f"{spec.num_choices} choices" if spec.discrete else f"{spec.action_size} reals per action"
    )
    return (
        f"{spec.task} with {spec.num_agents} agents, {spec.state_size} entries of the state, "
        f"{spec.observation_size} per observation and {action}"
    )
