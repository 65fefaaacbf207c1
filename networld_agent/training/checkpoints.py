"""Everything that a training run needs to go on as if it had never stopped.

Weights, their average, Adam's moments, counters. Random numbers need no entry: batches are a
function of the step. Files as those of a model: named by content, committed by one rename.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from networld_agent.storage import checksum, read_document, read_tensors, write_whole

__all__ = ["load_checkpoint", "optimizer_tensors", "restore_optimizer", "save_checkpoint"]

_FILE = re.compile(r"checkpoint-[0-9a-f]{16}\.safetensors")


def save_checkpoint(folder: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Replaces the checkpoint of a run."""
    data = safetensors.torch.save({k: v.detach().cpu().contiguous() for k, v in tensors.items()})
    digest = hashlib.sha256(data).hexdigest()
    file = f"checkpoint-{digest[:16]}.safetensors"
    document = {"state": state, "tensors": {"file": file, "bytes": len(data), "sha256": digest}}
    document = json.loads(json.dumps(document))
    document["sha256"] = checksum(document)
    write_whole(folder / file, data)
    write_whole(folder / "checkpoint.json", (json.dumps(document, indent=1) + "\n").encode())
    remove_others(folder, file)


def remove_others(folder: Path, keep: str | None = None) -> None:
    """Deletes tensors of older checkpoints."""
    for old in folder.glob("checkpoint-*.safetensors"):
        if _FILE.fullmatch(old.name) and old.name != keep:
            old.unlink()


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and state of a run's checkpoint; None if there is none yet.

    Raises:
        ModelError: if it is damaged.
    """
    if not (folder / "checkpoint.json").exists():
        return None
    document = read_document(folder / "checkpoint.json", "training run")
    listed = document["tensors"]
    if not _FILE.fullmatch(str(listed["file"])):
        raise ValueError(f"{folder / 'checkpoint.json'}: names a file that is no checkpoint.")
    tensors = read_tensors(folder / listed["file"], listed["bytes"], listed["sha256"])
    return tensors, document["state"]


def optimizer_tensors(
    optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str]
) -> dict[str, Tensor]:
    """Adam's moments and counters by parameter name."""
    return {
        f"adam.{key}.{names[parameter]}": value
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str], tensors: dict[str, Tensor]
) -> None:
    """Puts back what `optimizer_tensors` took."""
    by_name = {name: parameter for parameter, name in names.items()}
    # Adam counts its steps on the CPU unless a GPU must not wait for the count.
    counted_there = {
        parameter
        for group in optimizer.param_groups
        if group.get("fused") or group.get("capturable")
        for parameter in group["params"]
    }
    for key, value in tensors.items():
        if not key.startswith("adam."):
            continue
        _, moment, name = key.split(".", 2)
        parameter = by_name[name]
        there = moment != "step" or parameter in counted_there
        optimizer.state[parameter][moment] = value.to(parameter.device if there else "cpu")
