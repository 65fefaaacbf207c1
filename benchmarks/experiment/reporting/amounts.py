"""Scores by method and amount of data, and beside cloning on equal data; tables by tier."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from benchmarks.experiment.methods import REFERENCES, WEIGHTED
from benchmarks.experiment.reporting.blocks import Table
from benchmarks.experiment.reporting.references import group_title, reference_groups
from benchmarks.experiment.reporting.results import Experiment, Group
from benchmarks.experiment.reporting.statistics import Draws, Reals, score, score_difference
from benchmarks.experiment.reporting.style import title_of
from benchmarks.experiment.reporting.tables import draws_of

__all__ = ["amount_tables", "cloning_tables"]

_CLONING: Final = "bc"
#: The row of cloning that prefers good trajectories.
_PREFERRING: Final = next(name for name, row in WEIGHTED.items() if row.of == _CLONING)
Anchors = tuple[Reals, Reals]
#: From a group, by task, method and amount, to what a table says of it.
Cell = Callable[[Draws, Anchors, Group, dict[tuple[str, str, str], Group]], str]


def amount_tables(experiment: Experiment) -> dict[str, Table]:
    """Tables by tier of all that was played: a row per task and method, a column per amount.

    References need no data: theirs is the same score in every column, to be read down it. A tier on
    which every method has one amount alone has no table.
    """
    return _by_tier(experiment, "amounts", "score [95 %]", _score)


def cloning_tables(experiment: Experiment) -> dict[str, Table]:
    """Tables by tier of the score minus that of behaviour cloning on the same data.

    Methods that prefer good trajectories stand beside cloning that prefers them too, and this one
    beside the plain one. A tier on which every method has one amount alone has no table.
    """
    return _by_tier(experiment, "beside-cloning", "score above cloning [95 %]", _above_cloning)


def _by_tier(experiment: Experiment, name: str, column: str, cell: Cell) -> dict[str, Table]:
    tables = {}
    for tier in sorted({group.tier for group in experiment.groups if group.tier}):
        groups = [g for g in experiment.groups if g.tier == tier and not g.size]
        amounts = sorted({g.amount for g in groups}, key=experiment.trajectories)
        found = {(g.task, g.method, g.amount): g for g in groups}
        rows: list[tuple[str, ...]] = []
        most = 0
        for task in (entry["name"] for entry in experiment.tasks):
            draws, anchors = draws_of(experiment, task), experiment.anchors(task)
            if draws is None or anchors is None:
                continue
            before = len(rows)
            for method in experiment.methods:
                mine = (found.get((task, method, amount)) for amount in amounts)
                cells = ["-" if g is None else cell(draws, anchors, g, found) for g in mine]
                if any(text != "-" for text in cells):
                    rows.append((task, title_of(method), *cells))
                    most = max(most, sum(text != "-" for text in cells))
            for reference in reference_groups(experiment, task) if len(rows) > before else ():
                # Cloning to stand beside is found by the amount.
                everywhere = (dataclasses.replace(reference, amount=amount) for amount in amounts)
                cells = [cell(draws, anchors, g, found) for g in everywhere]
                if any(text != "-" for text in cells):
                    rows.append((task, group_title(reference), *cells))
        if most > 1:
            columns = ("task", "method", *(f"{amount}: {column}" for amount in amounts))
            tables[tier] = Table(f"{name}-{tier}", columns, tuple(rows))
    return tables


def _score(draws: Draws, anchors: Anchors, group: Group, _: object) -> str:
    shown = score(draws, group.method, group.rewards, anchors).shown(".1f")
    return shown if group.method in REFERENCES else f"{shown}, n = {group.num_seeds}"


def _above_cloning(
    draws: Draws, anchors: Anchors, group: Group, found: dict[tuple[str, str, str], Group]
) -> str:
    if group.method == _CLONING:
        return "-"
    prefers = group.method in WEIGHTED and WEIGHTED[group.method].of != _CLONING
    clone = _PREFERRING if prefers else _CLONING
    theirs = found.get((group.task, clone, group.amount))
    if theirs is None:
        return "-"
    difference = score_difference(
        draws, (group.method, group.rewards), (clone, theirs.rewards), anchors
    )
    ours = "-" if group.method in REFERENCES else group.num_seeds
    return f"{difference.shown('+.1f')}, n = {ours} and {theirs.num_seeds}"
