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
    "check_alike",
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
    places = fields.subs("deployments")
    for place in places:
        place.integer("index")
        place.text("fingerprint")
    indices = [place["index"] for place in document["deployments"]]
    if not indices or len(set(indices)) < len(indices):
        raise DatasetError(f"{path}: key 'deployments' must name at least one, each once.")
    return document


def dataset_folders(path: Path) -> list[Path]:
    """The data sets that a folder stands for: itself, all of a family, or all in it.

    Raises:
        DatasetError: if one of a family is missing.
    """
    if (path / "metadata.json").exists():
        return [path]
    if not (path / FAMILY_FILE).exists():
        found = sorted(entry.parent for entry in path.glob("[!.]*/metadata.json"))
        for folder in found[:1] if len(found) > 1 else ():
            if "deployment" in Metadata.read(folder).description.environment:
                raise DatasetError(
                    f"{path} holds data of deployments, and {FAMILY_FILE}, which says of which, is "
                    "missing: name the data sets one by one."
                )
        return found or [path]
    places = read_family(path)["deployments"]
    folders = [deployment_folder(path, place["index"]) for place in places]
    missing = [folder for folder in folders if not folder.exists()]
    if missing:
        raise DatasetError(
            f"{path}: {len(missing)} of {len(folders)} deployments are missing, "
            f"{missing[0].name} first: repeat the command that collects them."
        )
    return folders


def _check_members(path: Path, datasets: Sequence[TrajectoryDataset]) -> None:
    """Checks that data sets are of the deployments that the family's file says, in its order.

    Raises:
        DatasetError: saying what the first other one is of.
    """
    document = read_family(path)
    family = FAMILIES.get(document["family"])
    known = family is not None and family.version == document["version"]
    for dataset, place in zip(datasets, document["deployments"], strict=True):
        wanted = {key: document[key] for key in ("family", "version", "split")}
        wanted["index"] = place["index"]
        found = dataset.description.environment.get("deployment")
        if found != wanted:
            raise DatasetError(
                f"{dataset.path} is of {_name(found)}, and {FAMILY_FILE} says that it is of "
                f"{_name(wanted)}."
            )
        if known:
            site = deployments(document["family"], document["split"])[place["index"]]
            if site.fingerprint != place["fingerprint"]:
                raise DatasetError(f"{path / FAMILY_FILE}: {site.name} is another deployment.")


def _name(deployment: dict[str, Any] | None) -> str:
    if deployment is None:
        return "no deployment"
    return "/".join(str(deployment[key]) for key in ("family", "split", "index"))


def open_datasets(paths: Iterable[Path], verify: str = "once") -> list[TrajectoryDataset]:
    """Data sets; a folder without metadata stands for all data sets in it.

    Raises:
        DatasetError: naming the first fault.
    """
    found: list[TrajectoryDataset] = []
    seen: set[Path] = set()
    for path in paths:
        folders = dataset_folders(path)
        for folder in folders:
            if (place := folder.resolve()) in seen:
                raise DatasetError(f"{folder} is named twice: it would count twice.")
            seen.add(place)
        opened = [_open(folder, verify) for folder in folders]
        if (path / FAMILY_FILE).exists() and folders != [path]:
            _check_members(path, opened)
        found += opened
    return found


def open_dataset(path: Path, verify: str = "once") -> TrajectoryDataset:
    """A data set, or the only one in a folder.

    Raises:
        DatasetError: if there are several, or for the first fault.
    """
    folders = dataset_folders(path)
    if len(folders) > 1:
        raise DatasetError(f"{path} holds {len(folders)} data sets: name one, say {folders[0]}.")
    if folders == [path]:
        return TrajectoryDataset.open(path, verify)
    return open_datasets([path], verify)[0]


def _open(folder: Path, verify: str) -> TrajectoryDataset:
    try:
        return TrajectoryDataset.open(folder, verify)
    except DatasetError as error:
        # Of several data sets, the name of an array does not say which one is damaged.
        named = str(folder) in str(error)
        raise DatasetError(str(error) if named else f"{folder}: {error}") from None


def check_alike(dataset: TrajectoryDataset, first: TrajectoryDataset) -> None:
    """One network learns from both: entries, units, actions and rewards must mean the same.

    Raises:
        ValueError: naming the data set and what differs.
    """
    ours, theirs = dataset.description, first.description
    for what, here, there in (
        ("task", ours.task, theirs.task),
        ("number of observation entries", ours.observation.size, theirs.observation.size),
        ("meaning of the observation entries", ours.observation.names, theirs.observation.names),
        ("unit of observation entries", ours.observation.units, theirs.observation.units),
        ("actions", ours.action, theirs.action),
        ("reward", _reward(ours), _reward(theirs)),
    ):
        if here != there:
            raise ValueError(f"{dataset.path} does not fit {first.path}: it has another {what}.")


def _reward(about: Description) -> Any:
    """The name of the reward of a task's configuration, None for the built-in one."""
    return (about.environment.get("config") or {}).get("reward")


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
