"""Folders that hold several data sets: one per deployment of a family, or any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.metadata import FAMILY_FILE, Description, Metadata
from networld_agent.documents import read_document
from networld_agent.errors import DatasetError, ModelError
from networld_agent.fields import Fields
from wirelessenvs.families import FAMILIES, deployments

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "check_training_split",
    "dataset_folders",
    "deployment_folder",
    "open_dataset",
    "open_datasets",
    "read_family",
    "summary",
    "total_line",
]

FORMAT: Final = "networld-family"
#: Raised with every change that an older reader would misread.
FORMAT_VERSION: Final = 1


def deployment_folder(folder: Path, index: int) -> Path:
    """The data set of a deployment in the folder of a family."""
    return folder / f"{index:06d}"


def read_family(folder: Path) -> dict[str, Any]:
    """The contents of `family.json`.

    Raises:
        DatasetError: naming the file and its fault.
    """
    path = folder / FAMILY_FILE
    try:
        document = read_document(path, "family of data sets")
    except ModelError as error:
        raise DatasetError(str(error)) from None
    fields = Fields(document, str(path))
    if fields.text("format") != FORMAT:
        raise fields.fault("format", f"must be {FORMAT!r}", document["format"])
    if (version := fields.integer("format_version", 1)) > FORMAT_VERSION:
        raise DatasetError(
            f"{path}: key 'format_version' is {version}; this package reads up to "
            f"{FORMAT_VERSION}: upgrade it."
        )
    for key in ("family", "split", "policy"):
        fields.text(key)
    for key in ("version", "episodes_per_deployment", "steps", "seed"):
        fields.integer(key)
    fields.real("epsilon", 0, 1)
    fields.sub("overrides")
    for place in fields.subs("deployments"):
        place.integer("index")
        place.text("fingerprint")
    return document


def dataset_folders(path: Path) -> list[Path]:
    """The data sets that a folder stands for: itself, all of a family, or all in it.

    Raises:
        DatasetError: if one of a family is missing.
    """
    if (path / "metadata.json").exists():
        return [path]
    if not (path / FAMILY_FILE).exists():
        return sorted(entry.parent for entry in path.glob("[!.]*/metadata.json")) or [path]
    places = read_family(path)["deployments"]
    folders = [deployment_folder(path, place["index"]) for place in places]
    missing = [folder for folder in folders if not folder.exists()]
    if missing:
        raise DatasetError(
            f"{path}: {len(missing)} of {len(folders)} deployments are missing, "
            f"{missing[0].name} first: repeat the command that collects them."
        )
    return folders


def open_datasets(paths: Iterable[Path], verify: str = "once") -> list[TrajectoryDataset]:
    """Data sets; a folder without metadata stands for all data sets in it.

    Raises:
        DatasetError: naming the first fault.
    """
    return [_open(folder, verify) for path in paths for folder in dataset_folders(path)]


def open_dataset(path: Path, verify: str = "once") -> TrajectoryDataset:
    """A data set, or the only one in a folder.

    Raises:
        DatasetError: if there are several, or for the first fault.
    """
    folders = dataset_folders(path)
    if len(folders) > 1:
        raise DatasetError(f"{path} holds {len(folders)} data sets: name one, say {folders[0]}.")
    return TrajectoryDataset.open(folders[0], verify)


def _open(folder: Path, verify: str) -> TrajectoryDataset:
    try:
        return TrajectoryDataset.open(folder, verify)
    except DatasetError as error:
        # Of several data sets, the name of an array does not say which one is damaged.
        named = str(folder) in str(error)
        raise DatasetError(str(error) if named else f"{folder}: {error}") from None


def check_training_split(dataset: TrajectoryDataset) -> None:
    """Nothing that a method is judged on, or chosen by, may be in what it learns from.

    Raises:
        ValueError: for data of a deployment that is not for training.
    """
    split = dataset.description.split
    if split not in (None, "train"):
        raise ValueError(
            f"{dataset.path} is of the deployments of {split!r}: pre-training, and training on "
            "several data sets, take those of 'train' alone."
        )


def total_line(found: Sequence[Metadata]) -> str:
    """Size, agents and mean reward of several data sets in one line."""
    agents = sorted({metadata.description.num_agents for metadata in found})
    count = f"{agents[0]}" + (f" to {agents[-1]}" if len(agents) > 1 else "")
    size = sum(info.layout.file_bytes for one in found for info in one.arrays.values())
    mean = np.mean([one.statistics["returns"]["mean"] for one in found])
    episodes = sum(one.description.num_episodes for one in found)
    return (
        f"{len(found)} data sets, {episodes} episodes, {count} agents, {size / 1e9:.3f} GB, mean "
        f"reward {mean:.4f}"
    )


def summary(path: Path, datasets: Sequence[TrajectoryDataset]) -> str:
    """What is in a folder of data sets: a row for each, with the quantities of its deployment."""
    lines = [f"{path}: {total_line([dataset.metadata for dataset in datasets])}"]
    if (path / FAMILY_FILE).exists():
        family = read_family(path)
        words = ("family", "version", "split", "policy", "epsilon", "seed")
        chosen = [f"{name} {family[name]}" for name in words]
        chosen += [f"{name}={value}" for name, value in family["overrides"].items()]
        lines.append(", ".join(chosen))
    quantities = [_quantities(dataset.description) for dataset in datasets]
    names = list(dict.fromkeys(name for row in quantities for name in row))
    header = ["data set", "task", "policy", "agents", "episodes", "steps", "reward", *names]
    lines += ["", f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for dataset, row in zip(datasets, quantities, strict=True):
        about = dataset.description
        mean = dataset.metadata.statistics["returns"]["mean"]
        cells = [dataset.path.name, about.task, about.policy, str(about.num_agents)]
        cells += [str(about.num_episodes), str(about.steps), f"{mean:.4f}"]
        cells += [f"{row[name]:.3g}" if name in row else "-" for name in names]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _quantities(about: Description) -> dict[str, float]:
    """By which a deployment is told from others; none of a family or version not known here."""
    place = about.environment.get("deployment", {})
    family = FAMILIES.get(place.get("family"))
    if family is None or family.version != place["version"] or place["split"] not in family.splits:
        return {}
    sites = deployments(family.name, place["split"])
    return sites[place["index"]].quantities if place["index"] < len(sites) else {}
