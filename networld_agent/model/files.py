"""Models on disk: weights as safetensors, all else as JSON; nothing in them is ever executed.

The weights have a file name of their own content, and `model.json`, which names it, is replaced
last and at once: whatever moment a writer is killed at, the folder holds one whole model.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch

from networld_agent import __version__
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.errors import ModelError
from networld_agent.model.task_spec import TaskSpec
from networld_agent.model.world_model import WorldModel

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "checksum",
    "load_model",
    "read_document",
    "read_tensors",
    "save_model",
    "write_whole",
]

FORMAT: Final = "networld-model"
FORMAT_VERSION: Final = 1

_WEIGHTS = re.compile(r"model-[0-9a-f]{16}\.safetensors")


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that is there whole or not at all, even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def checksum(document: dict[str, Any]) -> str:
    """SHA-256 of a JSON object, whatever its spaces and order of keys."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


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


def read_document(path: Path, what: str) -> dict[str, Any]:
    """The checked JSON object of a file that ends in its own checksum.

    Raises:
        ModelError: naming the file and its fault.
    """
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ModelError(f"{path}: the file is missing: {path.parent} is no {what}.") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise ModelError(f"{path}: is not valid JSON: the file is damaged.") from None
    if not isinstance(document, dict) or "sha256" not in document:
        raise ModelError(f"{path}: is no description of a {what}.")
    stated = document.pop("sha256")
    try:
        fits = stated == checksum(document)
    except (ValueError, RecursionError):
        fits = False
    if not fits:
        raise ModelError(f"{path}: does not fit its checksum: the file was changed.")
    return document


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


def read_tensors(path: Path, size: int, digest: str) -> dict[str, torch.Tensor]:
    """Tensors of a file whose size and checksum are known.

    Raises:
        ModelError: naming the file and its fault.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: the file is missing.") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from None
    if len(data) != size:
        raise ModelError(f"{path}: has {len(data)} bytes instead of {size}: the file is cut.")
    if hashlib.sha256(data).hexdigest() != digest:
        raise ModelError(f"{path}: does not fit its checksum: the file was changed.")
    try:
        return dict(safetensors.torch.load(data))
    except Exception as error:
        raise ModelError(f"{path}: holds no tensors that can be read: {error}.") from None


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
