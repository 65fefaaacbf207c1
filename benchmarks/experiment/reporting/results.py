"""Results of an experiment's folder, as arrays."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.experiment.jobs.experiment import read_experiment
from benchmarks.experiment.jobs.store import RESULT_FILE, ResultError, read_result
from benchmarks.experiment.methods import METHODS, REFERENCES
from benchmarks.experiment.protocol import TIERS_OF_DATA, Amount, TaskSetup
from networld_agent.errors import ModelError
from networld_agent.storage import fields_of

__all__ = ["Curve", "Experiment", "Group", "read", "seeds_in_common"]

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """One row of a table: a method on an amount of data, over its training seeds.

    Args:
        task: held out.
        method: trained method or reference.
        tier: of the data; "" for references.
        amount: label; "" for references.
        size: label of another size of the task; "" for its own.
        main: whether it belongs to the main comparison.
        rewards: `(S, E)` of S training seeds in the same E test worlds.
        metrics: by name, `(S, E)`.
        repeated: `(S, E)` share of actions equal to the agent's last one.
        bytes_per_step: that an agent sends; nan where nobody counts.
        ms: per joint decision of one network.
        parameters: that act; 0 for rules.
        training_seconds: CPU time on the target task, mean over seeds; nan for rules.
        pretraining_seconds: CPU time on the other tasks; nan where there is none.
        peak_memory_mb: of the training.
        information: what it may know.
        policy: that played, by its name in the task; of what is trained, the method's.
        seeds: `(S,)` of the training, in the order of the rewards.
        trials: settings that were tried on validation worlds after training, `(S,)`.
        looks: at held-out data during the training, `(S,)`; 0 where none was held out.
    """

    task: str
    method: str
    tier: str
    amount: str
    size: str
    main: bool
    rewards: Reals
    metrics: dict[str, Reals]
    repeated: Reals
    bytes_per_step: float
    ms: float
    parameters: int
    training_seconds: float
    pretraining_seconds: float
    peak_memory_mb: float
    information: str
    policy: str
    seeds: tuple[int, ...]
    trials: tuple[int, ...] = ()
    looks: tuple[int, ...] = ()

    @property
    def num_seeds(self) -> int:
        """Number of training seeds S."""
        return len(self.rewards)

    def of_seeds(self, seeds: Sequence[int]) -> Reals:
        """`(len(seeds), E)` rewards of some of the training seeds, in their order."""
        return self.rewards[[self.seeds.index(seed) for seed in seeds]]


def seeds_in_common(ours: Group, theirs: Group) -> tuple[int, ...]:
    """Training seeds that both have, in order: results of one side may be missing."""
    return tuple(sorted(set(ours.seeds) & set(theirs.seeds)))


@dataclass(frozen=True)
class Curve:
    """A learning curve.

    Args:
        task: held out.
        method: that was trained.
        amount: of its data.
        share: `(P,)` of the training done, in percent.
        rewards: `(S, P)` means over episodes.
    """

    task: str
    method: str
    amount: str
    share: Reals
    rewards: Reals


@dataclass
class Experiment:
    """All results that a folder holds.

    Args:
        protocol: its numbers, by name.
        groups: of scores.
        curves: of learning.
        missing: names of jobs without a result.
        total: number of jobs whose result is shown.
        machines: that results come from.
    """

    protocol: dict[str, Any]
    groups: list[Group] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    total: int = 0
    machines: list[str] = field(default_factory=list)

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """Setups of the tasks, in order."""
        return list(self.protocol["tasks"])

    @property
    def methods(self) -> list[str]:
        """Those that were trained, in the order of `METHODS`, then any others."""
        seen = {group.method for group in self.groups} | {curve.method for curve in self.curves}
        seen -= set(REFERENCES)
        return [*(name for name in METHODS if name in seen), *sorted(seen - set(METHODS))]

    def setup(self, task: str) -> TaskSetup:
        """The settings that a task is played in."""
        return TaskSetup(**next(entry for entry in self.tasks if entry["name"] == task))

    def find(self, task: str, size: str = "", **wanted: Any) -> list[Group]:
        """Groups of a task with these attributes."""
        return [
            group
            for group in self.groups
            if (group.task, group.size) == (task, size)
            and all(getattr(group, name) == value for name, value in wanted.items())
        ]

    def anchors(
        self, task: str, size: str = "", zero: str = "random"
    ) -> tuple[Reals, Reals] | None:
        """`(E,)` rewards of a score's 0 and of the expert in the test worlds.

        None if one is missing. `zero` is the reference whose score is 0: "random", or "local".
        """
        found = [self.find(task, size, method=name) for name in (zero, "expert")]
        if not all(found):
            return None
        low, expert = (groups[0].rewards[0] for groups in found)
        return low, expert

    @property
    def above_rules(self) -> bool:
        """Whether scores above the best local rule are known in some task."""
        return any(self.anchors(task["name"], zero="local") for task in self.tasks)

    @property
    def tiers(self) -> list[str]:
        """Of the data that something was trained on, in their order."""
        seen = {group.tier for group in self.groups}
        return [tier for tier in TIERS_OF_DATA if tier in seen]

    def compared(self, task: str, method: str, tier: str) -> Group | None:
        """What stands for a method in the comparison on a tier; a reference is the same on all."""
        if method in REFERENCES:
            found = self.find(task, method=method)
        else:
            own = method in METHODS and METHODS[method].path is None
            amount = self.protocol["few" if own else "many"]
            found = self.find(task, method=method, tier=tier, amount=amount)
        return found[0] if found else None

    def trajectories(self, label: str) -> float:
        """An amount of data as a number of whole trajectories, for the order of an axis."""
        steps = max(int(task["steps"]) for task in self.tasks)
        return Amount.parse(label).in_trajectories(steps)


def read(out: Path) -> Experiment:
    """Reads a folder; what is damaged is named on standard error and counts as missing.

    Raises:
        ValueError: if it is no experiment.
    """
    document = read_experiment(out)
    experiment = Experiment(document["protocol"])
    jobs, cache = document["jobs"], dict[str, dict[str, Any] | None]()

    def result(folder: str) -> dict[str, Any] | None:
        if folder not in cache:
            try:
                cache[folder] = _read(out / "jobs" / folder, jobs[folder]["key"])
            except (ResultError, ModelError) as error:
                print(f"warning: {error}", file=sys.stderr)
                cache[folder] = None
        return cache[folder]

    scores: dict[tuple[Any, ...], list[_Part]] = {}
    curves: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for entry in document["entries"]:
        experiment.total += 1
        found = result(entry["job"])
        if found is None:
            experiment.missing.append(jobs[entry["job"]]["name"])
            continue
        machine = "; ".join(found["machine"])
        if machine not in experiment.machines:
            experiment.machines.append(machine)
        if found["kind"] == "curve":
            about = (entry["task"], entry["method"], entry["amount"])
            curves.setdefault(about, []).append(found["result"])
            continue
        row = tuple(entry[name] for name in ("task", "method", "tier", "amount", "size", "main"))
        scores.setdefault(row, []).append(
            _Part(found["result"], _cost(result, jobs, entry["job"]), entry["seed"])
        )
    for row, parts in scores.items():
        experiment.groups.append(_group(row, parts))
    for about, results in curves.items():
        experiment.curves.append(_curve(about, results))
    return experiment


def _read(folder: Path, key: str) -> dict[str, Any] | None:
    """The result of a job, as far as reports read it.

    Raises:
        ResultError: if it is damaged or of another job.
        ModelError: naming what in it is not as jobs leave it.
    """
    document = read_result(folder, key)
    if document is None:
        return None
    about = fields_of(document, folder / RESULT_FILE)
    found, kind = about.sub("result"), about.text("kind")
    if kind == "curve":
        for point in found.subs("points"):
            point.integer("step", 1)
            point.reals("rewards")
        if not document["result"]["points"]:
            raise found.fault("points", "must have at least one entry", 0)
    elif kind == "evaluate":
        for name in ("policy", "information"):
            found.text(name)
        count = len(found.reals("rewards"))
        metrics = found.sub("metrics")
        for name in metrics:
            metrics.reals(name, count)
        found.reals("repeated", count, 0, 1)
        for name in ("bytes_per_step", "ms_per_decision"):
            if found.raw(name) is not None:
                found.real(name, 0)
    elif kind in ("adapt", "fit"):
        found.integer("parameters")
        if "tuning_cpu_seconds" in found:
            found.real("tuning_cpu_seconds", 0)
        if "tuning" in found:
            found.sub("tuning")
        if "held_out" in found and found.raw("held_out") is not None:
            found.sub("held_out").integer("looks", 0)
    return document


def _cost(result: Any, jobs: dict[str, Any], folder: str) -> dict[str, Any]:
    """Cost of the training behind an evaluation."""
    fitted = jobs[folder]["inputs"].get("policy")
    found = result(fitted) if fitted else None
    if found is None:
        return {}
    before = jobs[fitted]["inputs"].get("model")
    earlier = result(before) if before else None
    # From scratch takes nothing from the pre-trained model but its sizes.
    scratch = found["settings"].get("from_scratch", False)
    tuning = found["result"].get("tuning_cpu_seconds", 0.0)
    return {
        "parameters": found["result"]["parameters"],
        "training": found["usage"]["cpu_seconds"] - tuning,
        "memory": found["usage"]["peak_memory_mb"],
        "pretraining": earlier["usage"]["cpu_seconds"] if earlier and not scratch else None,
        "trials": len(found["result"].get("tuning", {})),
        "looks": (found["result"].get("held_out") or {}).get("looks", 0),
    }


@dataclass(frozen=True)
class _Part:
    """One training seed of a group: what it played, what that cost, and the seed."""

    result: dict[str, Any]
    cost: dict[str, Any]
    seed: int


def _group(row: tuple[Any, ...], parts: list[_Part]) -> Group:
    # Sides are compared seed by seed, in whichever order jobs have ended.
    parts = sorted(parts, key=lambda part: part.seed)
    results = [part.result for part in parts]
    costs = [part.cost for part in parts]

    def mean(values: list[Any]) -> float:
        known = [float(value) for value in values if value is not None]
        return float(np.mean(known)) if known else float("nan")

    task, method, tier, amount, size, main = row
    return Group(
        task,
        method,
        tier,
        amount,
        size,
        main,
        rewards=np.array([found["rewards"] for found in results]),
        metrics={
            name: np.array([found["metrics"][name] for found in results])
            for name in results[0]["metrics"]
        },
        repeated=np.array([found["repeated"] for found in results]),
        bytes_per_step=mean([found["bytes_per_step"] for found in results]),
        ms=mean([found["ms_per_decision"] for found in results]),
        parameters=max([int(cost.get("parameters", 0)) for cost in costs], default=0),
        training_seconds=mean([cost.get("training") for cost in costs]),
        pretraining_seconds=mean([cost.get("pretraining") for cost in costs]),
        peak_memory_mb=mean([cost.get("memory") for cost in costs]),
        information=results[0]["information"],
        policy=results[0]["policy"],
        seeds=tuple(part.seed for part in parts),
        trials=tuple(int(cost.get("trials", 0)) for cost in costs),
        looks=tuple(int(cost.get("looks", 0)) for cost in costs),
    )


def _curve(about: tuple[str, str, str], results: list[dict[str, Any]]) -> Curve:
    # Adaptation may end early: seeds are compared by the share of their own training.
    points = min(len(result["points"]) for result in results)
    kept = [result["points"][-points:] for result in results]
    steps = np.array([[point["step"] for point in row] for row in kept], np.float64)
    rewards = [[float(np.mean(point["rewards"])) for point in row] for row in kept]
    return Curve(*about, (100 * steps / steps[:, -1:]).mean(0), np.array(rewards))
