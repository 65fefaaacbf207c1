"""The main experiment as data: tasks, methods, amounts of data, budgets.

For every task in turn: NetWorld is trained on expert data of the other two and adapted with a few
trajectories of this one; every baseline is trained on trajectories of this one alone. All play the
same test worlds. The protocol is that of K. Meng et al. (arXiv 2602.00558), with more rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.experiment.methods import (
    BASELINES,
    BESIDE,
    CENTRAL,
    METHODS,
    REFERENCES,
    Method,
)
from networld_agent.collecting.tiers import TIERS
from networld_agent.evaluation.seeds import TEST_BLOCKS
from wirelessenvs.checks import check_choice, check_fields

__all__ = [
    "TIERS_OF_DATA",
    "Amount",
    "Cell",
    "Protocol",
    "TaskSetup",
    "cells",
    "check_known",
]

#: What methods are trained on: the tiers that `collect` knows but for those that only play in the
#: mixed one, or are no more than a reference.
TIERS_OF_DATA: Final = tuple(tier for tier in TIERS if tier not in ("genie", "medium", "random"))


@dataclass(frozen=True)
class TaskSetup:
    """A task with the settings it is played in.

    Args:
        name: short, for folders and figures.
        env: its id.
        preset: of the environment; None for its first.
        steps: of a trajectory.
        overrides: of the environment's configuration.
        sizes: other sizes to play without any training on them: overrides by label.
        references: policies of the task to play beside what is trained.
        heuristic: the task's policy that plays as the reference of this name.
        local: the task's best rule without a controller, which plays as the reference of this name
            and is the 0 of the scores that stand first; None for no such row.
        test_steps: of a test episode; None for `eval_steps`, at most those of a trajectory.
        tune_steps: of a validation episode; None for the protocol's own number.
    """

    name: str
    env: str
    preset: str | None
    steps: int
    overrides: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, dict[str, Any]] = field(default_factory=dict)
    references: tuple[str, ...] = ("random", "medium", "heuristic", "expert", "genie")
    heuristic: str = "medium"
    local: str | None = None
    test_steps: int | None = None
    tune_steps: int | None = None

    def __post_init__(self) -> None:
        check_known("reference", self.references, tuple(REFERENCES))

    def played_steps(self, most: int) -> int:
        """Steps of a test episode of at most so many, or of as many as the task asks for."""
        return min(most, self.steps) if self.test_steps is None else self.test_steps

    def curve_steps(self, most: int) -> int:
        """Steps of a learning curve's episode: at most so many, and no more than a test has."""
        return min(most, self.test_steps or self.steps)

    def validation_steps(self, usual: int) -> int:
        """Steps of a validation episode: as many as the task asks for, or as usual."""
        return self.tune_steps or usual

    @property
    def rules(self) -> dict[str, str]:
        """Names of the task's policies that play as references of other names."""
        return {"heuristic": self.heuristic} | ({"local": self.local} if self.local else {})


@dataclass(frozen=True, order=True)
class Amount:
    """An amount of data of the target task.

    Args:
        trajectories: how many.
        steps: the first of each; None for all.

    Example:
        >>> Amount.parse("10"), Amount.parse("100 steps")
        (Amount(trajectories=10, steps=None), Amount(trajectories=1, steps=100))
    """

    trajectories: int
    steps: int | None = None

    @classmethod
    def parse(cls, label: str) -> Amount:
        """Reads "10" (trajectories) or "100 steps" (of one trajectory).

        Raises:
            ValueError: for anything else.
        """
        number, _, unit = label.partition(" ")
        if not number.isdecimal() or unit not in ("", "steps") or int(number) < 1:
            raise ValueError(f"an amount of data is like '10' or '100 steps', got {label!r}.")
        return cls(1, int(number)) if unit else cls(int(number))

    @property
    def label(self) -> str:
        """The text that `parse` reads."""
        return str(self.trajectories) if self.steps is None else f"{self.steps} steps"

    @property
    def slug(self) -> str:
        """The amount in the name of a folder."""
        return self.label.replace(" ", "-")

    def of(self, steps: int) -> Amount:
        """The same data, of trajectories of so many steps: all steps of one are a trajectory.

        Example:
            >>> Amount.parse("500 steps").of(500) == Amount.parse("1")
            True
        """
        return Amount(1) if self.steps == steps else self

    def in_trajectories(self, steps: int) -> float:
        """As a number of whole trajectories of so many steps."""
        return self.trajectories if self.steps is None else self.steps / steps


#: Labels of amounts by tier of data.
Amounts = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Protocol:
    """All numbers of one budget.

    Args:
        name: of the preset.
        tasks: to hold out in turn.
        seeds: training seeds, 0, 1, ...
        few: amount of target data for NetWorld in the main comparison.
        many: for the baselines.
        amounts: of data that each method is trained on, by tier, beside `few` and `many`; keys are
            methods, or "baselines" for those of the claim and those of other packages.
        pretrain_trajectories: of each of the other tasks, expert data.
        network: preset of `networld_agent.config`.
        network_options: "option=value" for pre-training and adaptation alike.
        pretrain_steps: optimiser steps.
        adapt_steps: optimiser steps at most; held-out data may end the adaptation earlier.
        baseline_options: "option=value" by baseline, or by "baseline@task", "baseline@tier" or
            "baseline@task@tier" where a task or a tier of data needs others.
        ablations: names in `ABLATIONS` or `CENTRAL`, or baselines with mean field: rows beside the
            main comparison, in its amounts and those that `amounts` has for them; names in
            `WEIGHTED`, in the latter alone.
        ablation_seeds: training seeds of those in `ABLATIONS`.
        model_options: "option=value" of NetWorld's network by ablation, beside the ablation's own:
            sizes that this budget allows.
        values: "option=value" of NetWorld's values of actions by task; none are learnt of others.
        value_tiers: of data that values are learnt from: on an expert's, nothing is left to choose.
        own_draws: whether every training seed draws its own trajectories among those collected,
            instead of the first ones; the shares of policies in them stay.
        episodes: test episodes of each trained policy.
        eval_steps: of each, at most the task's own number.
        test_block: of `TEST_BLOCKS`, whose worlds are played; None for the first test worlds.
        warm_up: random joint actions before them, the same for every method.
        snapshots: of a training run that learning curves are drawn from; 0 for no curves.
        curve_episodes: played for each of them.
        curve_steps: of each.
        tune_episodes: played on validation seeds for each value of what is tuned after training.
        tune_steps: of each.
        size_methods: that play the other sizes of the tasks, without training on them.
        own: methods of other packages, rows beside the claim: `module:Class` by name.
    """

    name: str
    tasks: tuple[TaskSetup, ...]
    seeds: int
    few: str
    many: str
    amounts: dict[str, Amounts]
    pretrain_trajectories: int
    network: str
    pretrain_steps: int
    adapt_steps: int
    baseline_options: dict[str, tuple[str, ...]]
    network_options: tuple[str, ...] = ()
    ablations: tuple[str, ...] = ()
    ablation_seeds: int = 1
    model_options: dict[str, tuple[str, ...]] = field(default_factory=dict)
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    value_tiers: tuple[str, ...] = ()
    own_draws: bool = False
    episodes: int = 10
    eval_steps: int = 1_000
    test_block: str | None = None
    warm_up: int = 5
    snapshots: int = 0
    curve_episodes: int = 4
    curve_steps: int = 200
    tune_episodes: int = 4
    tune_steps: int = 100
    size_methods: tuple[str, ...] = ()
    own: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self, zero=("snapshots", "warm_up"))
        if len(self.tasks) < 2:
            raise ValueError("a protocol needs two tasks: one is held out, the rest pre-trains.")
        if len({task.env for task in self.tasks}) < 2:
            raise ValueError(
                "a protocol needs tasks of two environments: NetWorld is pre-trained on the others."
            )
        if self.test_block is not None:
            check_choice("test_block", self.test_block, tuple(TEST_BLOCKS))
        check_known("ablation of model_options", self.model_options, self.ablations)
        check_known("task of values", self.values, tuple(task.name for task in self.tasks))
        check_known("tier of values", self.value_tiers, TIERS_OF_DATA)
        for group, tiers in self.amounts.items():
            check_known("method", (group,), ("baselines", *METHODS, *self.own))
            check_known("tier of data", tiers, TIERS_OF_DATA)
            for labels in tiers.values():
                for label in labels:
                    Amount.parse(label)
        check_known("ablation", self.ablations, BESIDE)
        known = (*BASELINES, *CENTRAL, *self.own)
        names = [task.name for task in self.tasks]
        places = [*names, *TIERS_OF_DATA, *(f"{n}@{tier}" for n in names for tier in TIERS_OF_DATA)]
        special = [f"{name}@{place}" for name in known for place in places]
        check_known("baseline", self.baseline_options, (*known, *special))

    @property
    def methods(self) -> tuple[str, ...]:
        """All that are trained."""
        return ("networld", "networld-scratch", *BASELINES, *self.ablations, *self.own)

    def method(self, name: str) -> Method:
        """The row of a method that is trained."""
        path = self.own.get(name)
        return METHODS[name] if path is None else Method(name, name, "own", path)

    def task(self, name: str) -> TaskSetup:
        """The task of that name."""
        return next(task for task in self.tasks if task.name == name)

    def options_of(self, baseline: str, task: str, tier: str = "expert") -> tuple[str, ...]:
        """Options that a baseline is trained with on a task's data; the task's own come first."""
        special = (f"{baseline}@{task}@{tier}", f"{baseline}@{task}", f"{baseline}@{tier}")
        for key in (*special, baseline):
            if key in self.baseline_options:
                return self.baseline_options[key]
        return ()

    def values_of(self, method: Method, task: str, tier: str) -> tuple[str, ...] | None:
        """Options of the values of actions that a row of NetWorld learns; None where it has none.

        Rows with another network are NetWorld as somebody else, or without a part, would have it.
        """
        if method.model or tier not in self.value_tiers:
            return None
        return self.values.get(task)

    def pretrained_on(self, held_out: TaskSetup) -> tuple[TaskSetup, ...]:
        """The first task of each of the other environments.

        Settings of one environment are no other tasks, and a model knows one of each.
        """
        first = {task.env: task for task in reversed(self.tasks)}
        return tuple(
            task for task in self.tasks if task.env != held_out.env and task is first[task.env]
        )

    def main_amount(self, method: str) -> str:
        """Amount of target data in the main comparison."""
        return self.few if self.method(method).path is None else self.many

    def greatest(self, tier: str) -> int:
        """Trajectories of a tier that some method is trained on."""
        wanted = [
            Amount.parse(label).trajectories
            for tiers in self.amounts.values()
            for label in tiers.get(tier, ())
        ]
        if tier == "expert":
            wanted += [Amount.parse(label).trajectories for label in (self.few, self.many)]
            wanted.append(self.pretrain_trajectories)
        return max(wanted, default=0)


@dataclass(frozen=True)
class Cell:
    """One training run of one method.

    Args:
        method: in `METHODS`.
        tier: of the data.
        amount: label.
        seed: of the training.
        main: whether it belongs to the main comparison.
    """

    method: str
    tier: str
    amount: str
    seed: int
    main: bool


def cells(protocol: Protocol, methods: Sequence[str] | None = None) -> list[Cell]:
    """The training runs of every held-out task, in the order of tables.

    Example:
        >>> from benchmarks.experiment.presets import PRESETS
        >>> cells(PRESETS["smoke"], ["bc"])[0]
        Cell(method='bc', tier='expert', amount='4', seed=0, main=True)
    """
    found: list[Cell] = []
    for method in protocol.methods if methods is None else methods:
        main, role = ("expert", protocol.main_amount(method)), protocol.method(method).role
        pairs = [] if role == "weighted" else [main]
        group = "baselines" if role in ("baseline", "own") else method
        group = method if method in protocol.amounts else group
        for tier, labels in protocol.amounts.get(group, {}).items():
            pairs += [(tier, label) for label in labels]
        seeds = protocol.ablation_seeds if role == "ablation" else protocol.seeds
        pairs = sorted(set(pairs), key=lambda pair: (pair[0], _size(pair[1])))
        found += [
            Cell(method, *pair, seed, pair == main) for pair in pairs for seed in range(seeds)
        ]
    return found


def _size(label: str) -> tuple[float, float]:
    amount = Amount.parse(label)
    return (amount.trajectories, math.inf if amount.steps is None else amount.steps)


def check_known(what: str, given: Sequence[str] | dict[str, Any], known: Sequence[str]) -> None:
    """Raises for the first name that does not exist, listing what does.

    Raises:
        ValueError: naming it.
    """
    for name in given:
        if name not in known:
            raise ValueError(f"unknown {what} {name!r}; there are {', '.join(known)}.")
