"""Small data sets that several test files share, and tools to damage them."""

import functools
import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from networld_agent.collecting import CollectionSettings, collect
from wirelessenvs.json_values import canonical_json

#: Cheap settings of every task.
SMALL = {
    "rb-v0": {"overrides": {"num_nodes": 4}},
    "cbf-v0": {"overrides": {"num_cells": 7, "layout_seed": None}},
    "slicing-v0": {"preset": "small", "overrides": {"slots_per_window": 20, "num_users": 60}},
}


@functools.cache
def _shelf() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory()


@functools.cache
def small_dataset(task: str = "rb-v0", policy: str = "expert") -> Path:
    """A finished data set of 5 episodes x 40 steps, made once; do not change it."""
    settings = CollectionSettings(env=task, policy=policy, episodes=5, steps=40, **SMALL[task])
    return collect(settings, Path(_shelf().name) / f"{task}-{policy}", num_envs=3)


def copy_of(path: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(path, tmp_path / "copy"))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a data set with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*"))}


def sealed(document: dict) -> dict:
    """The metadata with the checksum that fits its contents."""
    document.pop("metadata_sha256", None)
    document["metadata_sha256"] = hashlib.sha256(canonical_json(document).encode()).hexdigest()
    return document


def change_metadata(folder: Path, change) -> None:
    """Changes `metadata.json` as a careful forger would: its checksum fits."""
    path = folder / "metadata.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(sealed(document)))


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
