"""A run's folder: what was asked for, by which versions, and whether it is the same run again."""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from networld_agent import __version__
from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import WindowSource
from networld_agent.documents import read_document, write_document
from networld_agent.errors import ModelError
from networld_agent.storage import check_weights
from networld_agent.training.config import TrainingConfig
from wirelessenvs.json_values import first_difference
from wirelessenvs.locks import sole_user

__all__ = ["check_finished", "describe_source", "git_revision", "run_folder"]

#: Settings that say where an input lies; what it is stands beside them as SHA-256.
_PLACES: Final = frozenset({"path", "pretrained"})


def describe_source(source: WindowSource) -> dict[str, Any]:
    """What identifies the data of a run."""
    data: TrajectoryDataset = source.dataset
    # Said only where it was asked for: checksums that nobody looked at say little of the data.
    trust = {} if data.verified else {"verified": False}
    return {
        **trust,
        "path": str(data.path),
        "task": source.task,
        "policy": data.description.policy,
        "sha256": {name: info.sha256 for name, info in data.metadata.arrays.items()},
        "segments": source.segments.tolist(),
    }


def check_finished(folder: Path, described: Sequence[str], steps: Iterable[int] = ()) -> None:
    """Checks that what a finished run left is there and as it was written.

    Args:
        folder: of the run.
        described: files in it, each of which describes weights; snapshots have one like the first.
        steps: of snapshots that must be there; others are checked where there are some.

    Raises:
        ValueError: naming the file and its fault.
    """
    taken = {path.name for path in folder.glob("snapshots/*") if path.name.isdecimal()} | {
        str(step) for step in steps
    }
    file = Path(described[0]).name
    try:
        for name in (*described, *(f"snapshots/{step}/{file}" for step in sorted(taken))):
            check_weights(folder / name)
    except ValueError as error:
        raise ValueError(f"{error} Delete {folder} to train that run anew.") from None


@contextmanager
def run_folder(folder: Path, settings: dict[str, Any]) -> Iterator[None]:
    """Makes the folder and writes `config.json`, or checks that the folder is of the same run.

    While the body runs no other process works in it. What a killed writer left is deleted.

    Args:
        folder: of the run.
        settings: all that the weights depend on, as JSON values or configurations.

    Raises:
        ValueError: if the folder holds another run or something else, or another process works in
            it.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} exists already and is no training run: choose another --out.")
    with sole_user(folder):
        _prepare(folder, settings)
        # Only now: until then it may be anybody's folder.
        for left in folder.rglob(".partial-*"):
            left.unlink(missing_ok=True)
        yield


def _prepare(folder: Path, settings: dict[str, Any]) -> None:
    path = folder / "config.json"
    wanted = json.loads(json.dumps(settings, default=_plain))
    if path.exists():
        try:
            found = read_document(path, "training run").get("settings")
        except ModelError as error:
            raise ValueError(f"{error} Delete the folder to start anew.") from None
        if not isinstance(found, dict):
            raise ValueError(f"{path}: key 'settings' is no object: delete the folder.")
        if (difference := first_difference(_content(found), _content(wanted))) is not None:
            raise ValueError(
                f"{folder} holds a run with other settings: {difference}. Use the same command, "
                "another --out, or delete that folder."
            )
        return
    # A kill while `config.json` was written leaves nothing but the part of it.
    if any(not entry.name.startswith(".partial-") for entry in folder.iterdir()):
        raise ValueError(f"{folder} exists already and is no training run: choose another --out.")
    versions = {
        "networld_agent": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    document = {"settings": wanted, "versions": versions, "git_revision": git_revision()}
    write_document(path, document)


def _plain(value: Any) -> Any:
    if isinstance(value, (TrainingConfig,)) or dataclasses.is_dataclass(value):
        return dataclasses.asdict(value)  # type: ignore[arg-type]
    raise TypeError(f"{value!r} is no JSON value")


def _content(settings: Any) -> Any:
    """Settings without the places of inputs."""
    if isinstance(settings, dict):
        return {k: _content(value) for k, value in settings.items() if k not in _PLACES}
    return [_content(entry) for entry in settings] if isinstance(settings, list) else settings


def git_revision() -> str | None:
    """Revision of the checkout that this package runs from, if it does."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists():
        return None  # installed, perhaps inside of somebody else's repository
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            cwd=checkout,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
