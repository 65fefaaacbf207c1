"""Scores by method and amount of data, a table for each tier of data."""

from __future__ import annotations

from benchmarks.protocol import METHODS
from benchmarks.reporting.blocks import Table
from benchmarks.reporting.results import Experiment, Group
from benchmarks.reporting.statistics import Draws, Reals, score
from benchmarks.reporting.style import title_of
from benchmarks.reporting.tables import draws_of

__all__ = ["amount_tables"]


def amount_tables(experiment: Experiment) -> dict[str, Table]:
    """By tier: a row per task and method, a column per amount, all that has been played.

    A tier on which every method has one amount alone has no table.
    """
    tables = {}
    for tier in sorted({group.tier for group in experiment.groups if group.tier}):
        groups = [g for g in experiment.groups if g.tier == tier and not g.size]
        amounts = sorted({g.amount for g in groups}, key=experiment.trajectories)
        found = {(g.task, g.method, g.amount): g for g in groups}
        rows = []
        for task in (entry["name"] for entry in experiment.tasks):
            draws, anchors = draws_of(experiment, task), experiment.anchors(task)
            if draws is None or anchors is None:
                continue
            for method in METHODS:
                cells = [_cell(draws, anchors, found.get((task, method, a))) for a in amounts]
                if any(cell != "-" for cell in cells):
                    rows.append((task, title_of(method), *cells))
        if max((sum(cell != "-" for cell in row[2:]) for row in rows), default=0) > 1:
            columns = ("task", "method", *(f"{amount}: score [95 %]" for amount in amounts))
            tables[tier] = Table(f"amounts-{tier}", columns, tuple(rows))
    return tables


def _cell(draws: Draws, anchors: tuple[Reals, Reals], group: Group | None) -> str:
    if group is None:
        return "-"
    shown = score(draws, group.method, group.rewards, anchors).shown(".1f")
    return f"{shown}, n = {group.num_seeds}"
