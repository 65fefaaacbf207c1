"""The job graph of a protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.experiment.jobs.job import Job
from benchmarks.experiment.methods import REFERENCES, Method
from benchmarks.experiment.protocol import Amount, Cell, Protocol, TaskSetup, cells, check_known
from networld_agent.collecting.tiers import data_policies, tier_policy
from wirelessenvs.tasks import get_task

__all__ = ["Entry", "build"]


@dataclass(frozen=True)
class Entry:
    """A job whose result the report shows, and what it shows of it.

    Args:
        job: of kind "evaluate" or "curve".
        task: held out.
        method: trained method or reference.
        tier: of its data; "" for references.
        amount: of its data; "" for references.
        seed: of its training.
        main: whether it belongs to the main comparison.
        size: label of another size of the task; "" for the task's own.
    """

    job: Job
    task: str
    method: str
    tier: str = ""
    amount: str = ""
    seed: int = 0
    main: bool = True
    size: str = ""


def build(
    protocol: Protocol,
    tasks: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    seeds: int | None = None,
    *,
    tiers: Sequence[str] | None = None,
    amounts: Sequence[str] | None = None,
) -> list[Entry]:
    """All results of a protocol, with the jobs behind them, what the claim needs first.

    Args:
        protocol: to run.
        tasks: to hold out; all by default.
        methods: to train, and references; all by default.
        seeds: the first of training; all by default.
        tiers: of the data that methods are trained on; all by default.
        amounts: of that data, by label; all by default.

    Raises:
        ValueError: for a task, method, tier or amount that is not there, or a tier that a task
            has no policy for.
    """
    known_tasks = tuple(task.name for task in protocol.tasks)
    known = (*protocol.methods, *REFERENCES)
    check_known("task", tasks or (), known_tasks)
    check_known("method", methods or (), known)
    all_cells = cells(protocol)
    check_known("tier", tiers or (), tuple(dict.fromkeys(cell.tier for cell in all_cells)))
    check_known("amount", amounts or (), tuple(dict.fromkeys(cell.amount for cell in all_cells)))
    chosen = [method for method in known if methods is None or method in methods]
    wanted = [
        cell
        for cell in all_cells
        if cell.method in chosen
        and (seeds is None or cell.seed < seeds)
        and (tiers is None or cell.tier in tiers)
        and (amounts is None or cell.amount in amounts)
    ]
    rules_only = methods is not None and set(methods) <= set(REFERENCES)
    if not wanted and not rules_only:
        there = [
            f"{cell.method} on {cell.tier} {cell.amount}"
            for cell in all_cells
            if cell.method in chosen and cell.seed == 0
        ]
        raise ValueError(f"nothing is trained on that: there is {', '.join(there)}.")
    graph = _Graph(protocol)
    found: list[Entry] = []
    trained_on = tuple(dict.fromkeys(cell.tier for cell in wanted))
    for task in protocol.tasks:
        if tasks is None or task.name in tasks:
            _check_tiers(task, trained_on)
            references = _references(task, chosen, trained_on)
            found += [graph.reference(task, name) for name in references]
            for cell in wanted:
                found += graph.trained(task, cell)
            found += graph.other_sizes(task, wanted)
    return sorted(found, key=lambda entry: _turn(entry, protocol))


def _references(task: TaskSetup, chosen: Sequence[str], tiers: Sequence[str]) -> list[str]:
    """Policies of a task to play: those asked for, and what scores are nothing without.

    These are the anchors of the scores, and what played the data.
    """
    played = {name for tier in tiers for name in data_policies(tier)}
    there = {*task.references, *(["local"] if task.local else []), *(played & {"rule"})}
    anchors = {"random", "expert", "local", *played}
    return [name for name in REFERENCES if name in there and (name in chosen or name in anchors)]


def _check_tiers(task: TaskSetup, tiers: Sequence[str]) -> None:
    """Raises for the first tier that a task has no policy for."""
    config = get_task(task.env).config.from_preset(task.preset, **task.overrides)
    for tier in tiers:
        tier_policy(get_task(task.env), tier, config, f"tier of task {task.name}")


def _turn(entry: Entry, protocol: Protocol) -> tuple[int, int]:
    """When its turn is: a night may be too short, and half of it should say something.

    The main comparison seed by seed, then other amounts of data, learning curves, ablations, and
    other sizes.
    """
    if entry.size:
        return 4, entry.seed
    if entry.method in protocol.ablations:
        return 3, entry.seed
    if entry.job.kind == "curve":
        return 2, entry.seed
    return (0 if entry.main else 1), entry.seed


class _Graph:
    """Makes jobs; equal settings give equal jobs."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._made: dict[tuple[Any, ...], Job] = {}

    # ------------------------------------------------------------------ training
    def data(self, task: TaskSetup, tier: str) -> Job:
        """The greatest data set of a tier that is needed; fewer trajectories are its first."""
        settings = {
            "env": task.env,
            "preset": task.preset,
            "overrides": task.overrides,
            "policy": tier,
            "episodes": self._protocol.greatest(tier),
            "steps": task.steps,
        }
        return self._once("collect", f"collect-{task.name}-{tier}", settings)

    def pretrained(self, held_out: TaskSetup, options: tuple[str, ...], label: str, s: int) -> Job:
        """NetWorld on the expert data of the other environments' tasks."""
        protocol = self._protocol
        settings = {
            "network": protocol.network,
            "options": [*protocol.network_options, *options],
            "steps": protocol.pretrain_steps,
            "trajectories": protocol.pretrain_trajectories,
            "seed": s,
        }
        others = protocol.pretrained_on(held_out)
        inputs = {f"data-{task.name}": self.data(task, "expert") for task in others}
        # One for all settings of an environment.
        first = next(task.name for task in protocol.tasks if task.env == held_out.env)
        return self._once("pretrain", f"pretrain-{first}-{label}-s{s}", settings, inputs)

    def fitted(self, task: TaskSetup, cell: Cell) -> Job:
        """The training run of a cell."""
        protocol, amount = self._protocol, Amount.parse(cell.amount).of(task.steps)
        settings: dict[str, Any] = {
            "trajectories": amount.trajectories,
            "first_steps": amount.steps,
            "seed": cell.seed,
            "snapshots": protocol.snapshots if cell.main else 0,
            "tuning": {
                **_played_in(task, task.overrides),
                "episodes": protocol.tune_episodes,
                "steps": task.validation_steps(protocol.tune_steps),
                "warm_up": protocol.warm_up,
            },
        }
        if protocol.own_draws:
            settings["draw"] = cell.seed
        name = f"{task.name}-{cell.method}-{cell.tier}-{amount.slug}-s{cell.seed}"
        inputs = {"data": self.data(task, cell.tier)}
        method = protocol.method(cell.method)
        if method.path is not None:
            options = protocol.options_of(method.trained_as, task.name, cell.tier)
            settings |= {**_code_of(method), "options": [*options, *method.options]}
            return self._once("fit", f"fit-{name}", settings, inputs)
        settings["network"] = protocol.network
        settings["steps"] = protocol.adapt_steps
        # The model's own options come with the pre-trained model.
        settings["options"] = [*protocol.network_options, *method.options]
        settings["from_scratch"] = method.from_scratch
        label = method.name if method.model else method.trained_as
        values = protocol.values_of(method, task.name, cell.tier)
        if values is not None:
            settings["values"] = list(values)
        if method.model and method.plan:
            # What is tuned is tuned as it is played.
            settings["plan"] = method.plan
        model = _replaced(method.model, protocol.model_options.get(method.name, ()))
        inputs["model"] = self.pretrained(task, model, label, cell.seed)
        return self._once("adapt", f"adapt-{name}", settings, inputs)

    # ---------------------------------------------------------------- evaluation
    def reference(self, task: TaskSetup, policy: str, size: str = "") -> Entry:
        """A policy of the task."""
        settings = self._test(task, size)
        name = f"evaluate-{task.name}-{policy}{_suffix(size)}"
        played = task.rules.get(policy, policy)
        job = self._once("evaluate", name, {**settings, "policy": played})
        return Entry(job, task.name, policy, size=size)

    def trained(self, task: TaskSetup, cell: Cell, size: str = "") -> list[Entry]:
        """A trained method's scores, and its learning curve in the main comparison."""
        fitted = self._fit_of(task, cell)
        protocol, method = self._protocol, self._protocol.method(cell.method)
        how = {**_code_of(method), "plan": method.plan}
        stem = fitted.name.split("-", 1)[1]
        if method.plan and not method.model:
            stem += f"-{cell.method.removeprefix(f'{method.of}-')}"
        about = (task.name, cell.method, cell.tier, cell.amount, cell.seed, cell.main)
        test = self._once(
            "evaluate",
            f"evaluate-{stem}{_suffix(size)}",
            {**self._test(task, size), **how},
            {"policy": fitted},
        )
        found = [Entry(test, *about, size)]
        if protocol.snapshots and cell.main and cell.method not in protocol.ablations and not size:
            settings = self._test(task, size) | how
            settings |= {
                "episodes": protocol.curve_episodes,
                "steps": task.curve_steps(protocol.curve_steps),
            }
            curve = self._once("curve", f"curve-{stem}", settings, {"policy": fitted})
            found.append(Entry(curve, *about))
        return found

    def other_sizes(self, task: TaskSetup, wanted: Sequence[Cell]) -> list[Entry]:
        """The main comparison's first seed, played in smaller and larger networks."""
        found: list[Entry] = []
        methods = self._protocol.size_methods
        played = [c for c in wanted if c.main and c.seed == 0 and c.method in methods]
        for size in task.sizes if played else ():
            rules = ("random", "heuristic", "expert")
            found += [self.reference(task, name, size) for name in rules]
            for cell in played:
                found += self.trained(task, cell, size)
        return found

    def _fit_of(self, task: TaskSetup, cell: Cell) -> Job:
        method = self._protocol.method(cell.method)
        if method.plan and not method.model:
            # Only the planner differs: the same weights.
            cell = dataclasses.replace(cell, method=method.trained_as)
        return self.fitted(task, cell)

    def _test(self, task: TaskSetup, size: str) -> dict[str, Any]:
        protocol = self._protocol
        block = {} if protocol.test_block is None else {"test_block": protocol.test_block}
        return {
            **_played_in(task, {**task.overrides, **(task.sizes[size] if size else {})}),
            "episodes": protocol.episodes,
            "steps": task.played_steps(protocol.eval_steps),
            "warm_up": protocol.warm_up,
            **block,
        }

    def _once(
        self, kind: str, name: str, settings: dict[str, Any], inputs: dict[str, Job] | None = None
    ) -> Job:
        job = Job(kind, name, settings, inputs or {})
        # The same object again: keys are computed once.
        return self._made.setdefault((kind, name, job.key), job)


def _replaced(pairs: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Pairs "option=value" of both; of equal options, the others' value."""
    return tuple({pair.partition("=")[0]: pair for pair in (*pairs, *others)}.values())


def _code_of(method: Method) -> dict[str, Any]:
    """What a job needs to find the code of a method: the class, if it is of another package."""
    found: dict[str, Any] = {"method": method.trained_as}
    return {**found, "class": method.path} if method.role == "own" else found


def _played_in(task: TaskSetup, overrides: dict[str, Any]) -> dict[str, Any]:
    return {"env": task.env, "preset": task.preset, "overrides": overrides}


def _suffix(size: str) -> str:
    return f"-{size.replace(' ', '-')}" if size else ""
