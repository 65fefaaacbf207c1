"""What a data set says about itself: the contents of `metadata.json`, typed and checked."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from networld_agent.data.layout import ArrayLayout
from networld_agent.errors import DatasetError
from networld_agent.fields import Fields, read_json
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.json_values import canonical_json, first_difference
from wirelessenvs.tasks import TASKS

__all__ = [
    "EXTRA_FORMS",
    "FAMILY_FILE",
    "FORMAT",
    "FORMAT_VERSION",
    "ActionInfo",
    "ArrayInfo",
    "Description",
    "Form",
    "Metadata",
    "ObservationInfo",
    "Quantity",
]

FORMAT: Final = "networld-trajectories"
#: Raised with every change that an older reader would misread.
FORMAT_VERSION: Final = 1
#: Further forms of the actions that a data set may hold, each a file of its own.
EXTRA_FORMS: Final = ("beams", "indices")

#: Of a folder that holds one data set per deployment of a family.
FAMILY_FILE: Final = "family.json"

_HEX64 = re.compile(r"[0-9a-f]{64}")
_LIMIT = 10**7


@dataclass(frozen=True)
class Quantity:
    """A named number with its unit ("" for none)."""

    name: str
    unit: str


@dataclass(frozen=True)
class ObservationInfo:
    """Entries of one agent's observation; bounds are None where there are none."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]

    @property
    def size(self) -> int:
        """Number of entries D."""
        return len(self.names)


@dataclass(frozen=True)
class ActionInfo:
    """One agent's action as recorded.

    Args:
        kind: "discrete" (one integer of `start` .. `start + sizes[0] - 1`), "multidiscrete" (one
            integer 0 .. `sizes[k] - 1` per component) or "box" (reals within the bounds).
        dtype: of the recorded array.
        sizes: choices per component; empty for "box".
        start: first integer of a "discrete" space.
        low: of a "box", None where unbounded.
        high: of a "box", None where unbounded.
        names: of the components.
        units: of the components.
    """

    kind: str
    dtype: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    sizes: tuple[int, ...] = ()
    start: int = 0
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """`()` for one integer, else `(A,)`."""
        return () if self.kind == "discrete" else (len(self.names),)

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`(A,)` least and greatest legal values; infinite where there is no bound."""
        if self.kind == "box":
            low = [-math.inf if x is None else x for x in self.low]
            high = [math.inf if x is None else x for x in self.high]
            return np.array(low), np.array(high)
        first = np.full(len(self.sizes), float(self.start))
        return first, first + np.array(self.sizes) - 1


@dataclass(frozen=True)
class Form:
    """A further form of the recorded actions: `width` 0 is one number per agent and step."""

    dtype: str
    width: int
    unit: str


@dataclass(frozen=True)
class ArrayInfo:
    """One file: layout, size and checksums.

    Args:
        layout: type and shape.
        sha256: of the whole file.
        episode_crc32: of every episode's values; tells where a damaged file was changed.
    """

    layout: ArrayLayout
    sha256: str
    episode_crc32: tuple[int, ...]


@dataclass(frozen=True)
class Description:
    """All that is known of a data set before the first step: two equal ones hold equal bytes.

    Args:
        task: "rb-v0", or "module:factory" of any other environment.
        environment: what rebuilds it: preset and every field of the configuration, or arguments.
        versions: of the packages that can change the numbers.
        policy: tier or policy that was asked for.
        epsilon: probability of a random action per agent and step.
        seeds: `(E,)`, one per episode.
        episode_policies: `(E,)` policy that played each episode.
        steps: T of every episode.
        agents: names, in the order of every agent axis.
        observation: its entries.
        action: its components.
        metrics: per-agent quantities beside the reward.
        forms: further forms of the actions, by name.
        adjacency: `(N, N)` rows of 0 and 1, or None if it changes with the steps and is stored in
            `adjacency.npy`.
        graph_given: false where the environment has no graph and all agents hear all.
        terminations: whether `terminations.npy` says which steps ended a task for good. Without it
            episodes end because their time is up.
        state_size: entries S of the global state in `state.npy`; 0 where it was not recorded.
    """

    task: str
    environment: dict[str, Any]
    versions: dict[str, str]
    policy: str
    epsilon: float
    seeds: tuple[int, ...]
    episode_policies: tuple[str, ...]
    steps: int
    agents: tuple[str, ...]
    observation: ObservationInfo
    action: ActionInfo
    metrics: tuple[Quantity, ...]
    forms: dict[str, Form]
    adjacency: tuple[tuple[int, ...], ...] | None
    graph_given: bool
    terminations: bool = False
    state_size: int = 0

    @property
    def num_episodes(self) -> int:
        """Number of episodes E."""
        return len(self.seeds)

    @property
    def num_agents(self) -> int:
        """Number of agents N."""
        return len(self.agents)

    @property
    def split(self) -> str | None:
        """That the deployment was drawn from, "train"; None if it is of no family."""
        split: str | None = self.environment.get("deployment", {}).get("split")
        return split

    def graph(self) -> NeighborGraph | None:
        """The neighbour graph; None if it changes with the steps."""
        if self.adjacency is None:
            return None
        return NeighborGraph(self.agents, np.array(self.adjacency))

    def layouts(self) -> dict[str, ArrayLayout]:
        """Type and shape of every array of the data set."""
        e, n, t = self.num_episodes, self.num_agents, self.steps
        layouts = {
            "observations": ArrayLayout("<f4", (e, n, t + 1, self.observation.size)),
            "actions": ArrayLayout(self.action.dtype, (e, n, t, *self.action.shape)),
            "rewards": ArrayLayout("<f8", (e, n, t)),
        }
        if self.metrics:
            layouts["metrics"] = ArrayLayout("<f4", (e, n, t, len(self.metrics)))
        for name, form in self.forms.items():
            width = (form.width,) if form.width else ()
            layouts[name] = ArrayLayout(form.dtype, (e, n, t, *width))
        if self.adjacency is None:
            layouts["adjacency"] = ArrayLayout("|u1", (e, t + 1, n, n), lead=1)
        if self.terminations:
            layouts["terminations"] = ArrayLayout("|u1", (e, t), lead=1)
        if self.state_size:
            layouts["state"] = ArrayLayout("<f4", (e, t + 1, self.state_size), lead=1)
        return layouts

    def to_json(self) -> dict[str, Any]:
        """As JSON values only, in the order in which people read them."""
        document: dict[str, Any] = {"format": FORMAT, "format_version": FORMAT_VERSION}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if dataclasses.is_dataclass(value) and not isinstance(value, type):
                value = dataclasses.asdict(value)
            document[field.name] = value
        document["metrics"] = [dataclasses.asdict(metric) for metric in self.metrics]
        document["forms"] = {name: dataclasses.asdict(form) for name, form in self.forms.items()}
        for optional in ("terminations", "state_size"):
            if not document[optional]:
                del document[optional]  # as before there was any
        return _plain(document)

    def difference(self, other: Description) -> str | None:
        """A phrase on the first entry in which another description differs; None if they agree.

        The path of a bank of channels does not count: its checksum does.
        """
        documents = (self.to_json(), other.to_json())
        for document in documents:
            config = document["environment"].get("config")
            if isinstance(config, dict):
                config.pop("bank", None)
        return first_difference(*documents)

    @classmethod
    def from_json(cls, document: Any, file: str = "metadata.json") -> Description:
        """Reads what `to_json` wrote.

        Raises:
            DatasetError: naming the first key that is missing or wrong.
        """
        fields = Fields(document, file)
        if fields.text("format") != FORMAT:
            raise fields.fault("format", f"must be {FORMAT!r}", document["format"])
        version = fields.integer("format_version", 1)
        if version > FORMAT_VERSION:
            raise DatasetError(
                f"{file}: key 'format_version' is {version}; this package reads up to "
                f"{FORMAT_VERSION}: upgrade it."
            )
        seeds = fields.integers("seeds", high=2**63 - 1)
        agents = fields.texts("agents")
        for key, values in (("seeds", seeds), ("agents", agents)):
            if not 0 < len(values) <= _LIMIT or len(set(values)) != len(values):
                raise fields.fault(key, "must be a list of different entries", len(values))
        versions = fields.sub("versions")
        task = fields.text("task")
        _check_environment(fields.sub("environment"), task)
        dynamic = fields.raw("adjacency") is None
        return cls(
            task=task,
            environment=fields.raw("environment"),
            versions={name: versions.text(name) for name in versions},
            policy=fields.text("policy"),
            epsilon=fields.real("epsilon", 0, 1),
            seeds=seeds,
            episode_policies=fields.texts("episode_policies", len(seeds)),
            steps=fields.integer("steps", 1, _LIMIT),
            agents=agents,
            observation=_read_observation(fields.sub("observation")),
            action=_read_action(fields.sub("action")),
            metrics=_read_metrics(fields),
            forms=_read_forms(fields.sub("forms")),
            adjacency=None if dynamic else _read_adjacency(fields, len(agents)),
            graph_given=fields.flag("graph_given"),
            terminations="terminations" in document and fields.flag("terminations"),
            state_size=fields.integer("state_size", 1, _LIMIT) if "state_size" in document else 0,
        )


@dataclass(frozen=True)
class Metadata:
    """The contents of `metadata.json`.

    Args:
        description: known before collection.
        statistics: of the values; see `networld_agent.data.statistics`.
        arrays: files by name.
    """

    description: Description
    statistics: dict[str, Any]
    arrays: dict[str, ArrayInfo]

    def to_json(self) -> dict[str, Any]:
        """As JSON values, with the checksum of everything else as the last key."""
        document = self.description.to_json()
        document["statistics"] = self.statistics
        document["arrays"] = {
            name: {
                "file": f"{name}.npy",
                "dtype": info.layout.dtype,
                "shape": list(info.layout.shape),
                "bytes": info.layout.file_bytes,
                "sha256": info.sha256,
                "episode_crc32": list(info.episode_crc32),
            }
            for name, info in self.arrays.items()
        }
        document["metadata_sha256"] = _checksum(document)
        return document

    @classmethod
    def read(cls, folder: Path) -> Metadata:
        """Reads and checks `metadata.json` of a data set.

        Raises:
            DatasetError: naming the first key that is missing or wrong.
        """
        document = read_json(folder / "metadata.json")
        description = Description.from_json(document)
        fields = Fields(document)
        statistics = fields.raw("statistics")
        _check_statistics(fields.sub("statistics"), description)
        listed, arrays = fields.sub("arrays"), {}
        for name, layout in description.layouts().items():
            arrays[name] = _read_array(listed.sub(name), name, layout)
        for name in listed:
            if name not in arrays:
                raise fields.fault(f"arrays.{name}", "is no array of this data set", name)
        stated = fields.text("metadata_sha256")
        del document["metadata_sha256"]
        if stated != _checksum(document):
            raise DatasetError(
                "metadata.json: key 'metadata_sha256' does not fit the contents: "
                "the file was changed."
            )
        return cls(description, statistics, arrays)


def _plain(value: Any) -> Any:
    """Tuples as lists, deeply: what a JSON reader returns."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def _checksum(document: dict[str, Any]) -> str:
    try:
        return hashlib.sha256(canonical_json(document).encode()).hexdigest()
    except (ValueError, RecursionError):
        # 1e999 reads as infinity, which no writer of this format emits.
        raise DatasetError("metadata.json: holds a number that is not finite.") from None


def _check_environment(fields: Fields, task: str) -> None:
    """What rebuilds an environment of this project, or one from a factory, is there."""
    if task in TASKS:
        fields.text("preset")
        fields.sub("config")
    elif ":" in task:
        fields.text("factory")
        fields.sub("arguments")
    if "deployment" in fields:
        place = fields.sub("deployment")
        for key in ("family", "split"):
            place.text(key)
        for key in ("version", "index"):
            place.integer(key)


def _check_statistics(fields: Fields, description: Description) -> None:
    """Statistics are as `networld_agent.data.statistics` leaves them."""
    returns, policies = fields.sub("returns"), set(description.episode_policies)
    for key in ("mean", "std", "min", "lower_quartile", "median", "upper_quartile", "max"):
        returns.real(key)
    per_policy = returns.sub("per_policy")
    if {*per_policy} != policies:
        raise returns.fault("per_policy", f"must have keys {sorted(policies)}", sorted(per_policy))
    for policy in policies:
        per_policy.real(policy)
    fields.reals("episode_mean_rewards", description.num_episodes)
    for key in ("negative_rewards", "repeated_actions"):
        fields.real(key, 0, 1)
    columns = {
        "rewards": 1,
        "observations": description.observation.size,
        "actions": len(description.action.names),
        "metrics": len(description.metrics),
        "state": description.state_size,
    }
    for name, size in columns.items():
        for key in ("min", "max", "mean", "std") if size else ():
            # Null stands for a metric that was never said.
            fields.sub(name).bounds(key, size, null=name == "metrics")
    if "action_histogram" in fields:
        action = description.action
        fields.integers("action_histogram", action.sizes[0] if action.kind == "discrete" else 0)


def _read_observation(fields: Fields) -> ObservationInfo:
    names = fields.texts("names")
    if not 0 < len(names) <= _LIMIT:
        raise fields.fault("names", "must have at least one entry", names)
    size = len(names)
    return ObservationInfo(
        names, fields.texts("units", size, True), fields.bounds("low", size),
        fields.bounds("high", size),
    )  # fmt: skip


def _read_action(fields: Fields) -> ActionInfo:
    kind = fields.text("kind")
    if kind not in ("discrete", "multidiscrete", "box"):
        raise fields.fault("kind", "must be discrete, multidiscrete or box", kind)
    dtypes = ("<f4", "<f8") if kind == "box" else ("<i4",)
    if (dtype := fields.text("dtype")) not in dtypes:
        raise fields.fault("dtype", f"must be one of {dtypes}", dtype)
    names = fields.texts("names")
    size = len(names)
    if not 0 < size <= _LIMIT or (kind == "discrete" and size != 1):
        raise fields.fault("names", "must name every component", names)
    box = size if kind == "box" else 0
    return ActionInfo(
        kind, dtype, names, fields.texts("units", size, True),
        fields.integers("sizes", size - box, 1, 2**31 - 1),
        fields.integer("start", -(2**31), 2**31 - 1),
        fields.bounds("low", box), fields.bounds("high", box),
    )  # fmt: skip


def _read_metrics(fields: Fields) -> tuple[Quantity, ...]:
    raw = fields.raw("metrics")
    if not isinstance(raw, list):
        raise fields.fault("metrics", "must be a list", raw)
    entries = [Fields(entry, prefix=f"metrics[{i}].") for i, entry in enumerate(raw)]
    metrics = tuple(Quantity(entry.text("name"), entry.text("unit", True)) for entry in entries)
    if len({metric.name for metric in metrics}) != len(metrics):
        raise fields.fault("metrics", "must have different names", raw)
    return metrics


def _read_forms(fields: Fields) -> dict[str, Form]:
    forms = {}
    for name in fields:
        if name not in EXTRA_FORMS:
            raise fields.fault(name, f"must be one of {EXTRA_FORMS}", name)
        entry = fields.sub(name)
        if (dtype := entry.text("dtype")) not in ("<f4", "<i4"):
            raise entry.fault("dtype", "must be '<f4' or '<i4'", dtype)
        forms[name] = Form(dtype, entry.integer("width", 0, _LIMIT), entry.text("unit", True))
    return forms


def _read_adjacency(fields: Fields, size: int) -> tuple[tuple[int, ...], ...]:
    raw = fields.raw("adjacency")
    if not isinstance(raw, list) or len(raw) != size:
        raise fields.fault("adjacency", f"must be null or {size} rows", raw)
    holder = Fields({f"[{i}]": row for i, row in enumerate(raw)}, prefix="adjacency")
    rows = tuple(holder.integers(f"[{i}]", size, 0, 1) for i in range(size))
    for i, row in enumerate(rows):
        if row[i]:
            raise fields.fault(f"adjacency[{i}][{i}]", "must be 0", 1)
    return rows


def _read_array(fields: Fields, name: str, layout: ArrayLayout) -> ArrayInfo:
    if (file := fields.text("file")) != f"{name}.npy":
        raise fields.fault("file", f"must be '{name}.npy'", file)
    if (dtype := fields.text("dtype")) != layout.dtype:
        raise fields.fault("dtype", f"must be {layout.dtype!r}", dtype)
    if (shape := fields.integers("shape")) != layout.shape:
        raise fields.fault("shape", f"must be {list(layout.shape)}", list(shape))
    if (size := fields.integer("bytes")) != layout.file_bytes:
        raise fields.fault("bytes", f"must be {layout.file_bytes}", size)
    sha256 = fields.text("sha256")
    if not _HEX64.fullmatch(sha256):
        raise fields.fault("sha256", "must be 64 hexadecimal digits", sha256)
    crcs = fields.integers("episode_crc32", layout.shape[0], 0, 2**32 - 1)
    return ArrayInfo(layout, sha256, crcs)
