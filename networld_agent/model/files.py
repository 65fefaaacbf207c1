"""Models on disk: weights as safetensors, all else as JSON; nothing in them is ever executed.

The weights have a file name of their own content, and `model.json`, which names it, is replaced
last and at once: whatever moment a writer is killed at, the folder holds one whole model.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch

from networld_agent import __version__
from networld_agent.errors import ModelError
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.task_spec import TaskSpec
from networld_agent.model.world_model import WorldModel
from networld_agent.storage import checksum, read_document, read_tensors, write_whole

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "load_model",
    "save_model",
]

FORMAT: Final = "networld-model"
FORMAT_VERSION: Final = 1

_WEIGHTS = re.compile(r"model-[0-9a-f]{16}\.safetensors")


def save_model(model: WorldModel, folder: Path) -> Path:
    """Writes a model; returns the folder."""
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    data = safetensors.torch.save(tensors)
    digest = hashlib.sha256(data).hexdigest()
    file = f"model-{digest[:16]}.safetensors"
    document: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "versions": {"networld_agent": __version__, "torch": torch.__version__},
        "config": dataclasses.asdict(model.config),
        "tasks": [task.to_json() for task in model.tasks.values()],
        "weights": {"file": file, "bytes": len(data), "sha256": digest},
    }
    # As a JSON reader returns it: lists, not tuples, so that the checksum is the reader's.
    document = json.loads(json.dumps(document, allow_nan=False))
    document["sha256"] = checksum(document)
    write_whole(folder / file, data)
    write_whole(folder / "model.json", (json.dumps(document, indent=1) + "\n").encode())
    for old in folder.glob("model-*.safetensors"):
        if _WEIGHTS.fullmatch(old.name) and old.name != file:
            old.unlink()
    return folder


def load_model(folder: Path, device: str | torch.device = "cpu") -> WorldModel:
    """Reads what `save_model` wrote.

    Raises:
        ModelError: naming the file and its fault.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: there is no such folder.")
    description = folder / "model.json"
    document = read_document(description, "model")
    if document.get("format") != FORMAT:
        raise ModelError(f"{description}: is no description of a model.")
    version = document.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ModelError(
            f"{description}: has format version {version}; this package reads up to "
            f"{FORMAT_VERSION}: upgrade it."
        )
    try:
        listed = document["weights"]
        file, size, digest = listed["file"], listed["bytes"], listed["sha256"]
        config = WorldModelConfig.from_json(document["config"])
        tasks = [TaskSpec.from_json(task) for task in document["tasks"]]
        model = WorldModel(config, tasks)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{description}: cannot be used: {error}.") from None
    if not isinstance(file, str) or not _WEIGHTS.fullmatch(file):
        raise ModelError(f"{description}: names a weights file {file!r} that is none.")
    state = read_tensors(folder / file, size, digest)
    _fill(model, state, folder / file)
    return model.to(device).requires_grad_(False).eval()


def _fill(model: WorldModel, state: dict[str, torch.Tensor], path: Path) -> None:
    own = model.state_dict()
    for name in own.keys() | state.keys():
        if name not in state or name not in own:
            where = "lacks" if name not in state else "has an unknown"
            raise ModelError(f"{path}: {where} tensor {name!r}.")
        if state[name].shape != own[name].shape or state[name].dtype != own[name].dtype:
            raise ModelError(
                f"{path}: tensor {name!r} is {state[name].dtype} of shape "
                f"{tuple(state[name].shape)} instead of {own[name].dtype} "
                f"{tuple(own[name].shape)}."
            )
        if not torch.isfinite(state[name]).all():
            raise ModelError(f"{path}: tensor {name!r} holds a number that is not finite.")
    model.load_state_dict(state)
