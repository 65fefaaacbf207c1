"""Everything that a training run needs to go on as if it had never stopped.

Weights, their average, Adam's moments, counters. Random numbers need no entry: batches are a
function of the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from networld_agent.fields import Fields
from networld_agent.storage import (
    WeightsFormat,
    fields_of,
    fitting,
    read_description,
    read_weights,
    save_weights,
)

__all__ = [
    "load_checkpoint",
    "optimizer_tensors",
    "prefixed",
    "read_sums",
    "restore_optimizer",
    "restoring",
    "save_checkpoint",
    "state_fields",
    "with_prefix",
]

_FORM: Final = WeightsFormat("training run", "checkpoint.json", "checkpoint", key="tensors")


def save_checkpoint(folder: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Replaces the checkpoint of a run."""
    save_weights(_FORM, folder, {"state": state}, tensors)


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and state of a run's checkpoint; None if there is none yet.

    Raises:
        ModelError: if it is damaged.
    """
    path = folder / _FORM.file
    if not path.exists():
        return None
    document = read_description(_FORM, folder)
    fields_of(document, path).sub("state")
    return read_weights(_FORM, folder, document), document["state"]


def state_fields(folder: Path, state: dict[str, Any]) -> Fields:
    """A checkpoint's state, checked as it is taken."""
    return fields_of({"state": state}, folder / _FORM.file).sub("state")


def read_sums(state: Fields) -> dict[str, float]:
    """Sums for the next line of the log, as a checkpoint's state has them."""
    sums = state.sub("sums")
    return {name: sums.real(name) for name in sums}


@contextmanager
def restoring(folder: Path) -> Iterator[None]:
    """Says of a run's checkpoint that it cannot be gone on from, where doing so fails.

    Raises:
        ModelError: in one sentence.
    """
    with fitting(folder / _FORM.file):
        yield


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under longer names."""
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors whose name begins so, by the rest of the name."""
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}


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
