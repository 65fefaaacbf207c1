"""What the report's command prints: verdicts, the claim and the main table, as aligned text."""

from __future__ import annotations

import textwrap
from itertools import zip_longest
from typing import Final

from benchmarks.experiment.methods import ABLATIONS
from benchmarks.experiment.reporting.blocks import Table
from benchmarks.experiment.reporting.comparisons import claim_table, verdicts
from benchmarks.experiment.reporting.references import ALWAYS
from benchmarks.experiment.reporting.results import Experiment, Group
from benchmarks.experiment.reporting.statistics import score
from benchmarks.experiment.reporting.style import title_of
from benchmarks.experiment.reporting.tables import draws_of
from benchmarks.experiment.reporting.worth import worth_sentences

__all__ = ["as_text", "main_table", "terminal_text", "zero_rules"]

#: Columns of a sentence; tables take what they need, of three tasks less than 118.
_WIDTH: Final = 100
#: Narrower than this a heading becomes a tower of syllables.
_HEADING: Final = 12
_REFERENCES: Final = (*ALWAYS, "rule", "random")


def terminal_text(experiment: Experiment) -> str:
    """Verdicts, claim and main table; what is not there yet is left out."""
    few, many = experiment.protocol["few"], experiment.protocol["many"]
    parts = ["\n".join(_wrapped(sentence) for sentence in verdicts(experiment))]
    # On four tiers it has hundreds of rows: those are for the page.
    claim = None if experiment.above_rules else claim_table(experiment)
    if claim is not None:
        heading = f"NetWorld on {few} trajectories against baselines on {many}, and the references:"
        parts.append(f"{heading}\n\n{as_text(claim)}")
    for tier in experiment.tiers if experiment.above_rules else ():
        above = main_table(experiment, tier, "local")
        if above is not None:
            heading = f"On {tier} data, score [95 %] by task: {zero_rules(experiment)}"
            parts.append(f"{_wrapped(heading)}\n\n{as_text(above)}")
    table = main_table(experiment)
    if table is not None:
        heading = (
            "Score [95 %] by task: 0 is random, 100 the expert. Data are trajectories of that "
            "task, n training seeds (by task where they differ):"
        )
        parts.append(f"{_wrapped(heading)}\n\n{as_text(table)}")
        parts += _played_by(experiment)
    parts += ["\n".join(map(_wrapped, told))] if (told := worth_sentences(experiment)) else []
    return "\n\n".join(parts)


def zero_rules(experiment: Experiment) -> str:
    """Which policies the scores above rules have as their 0, in a clause."""
    named = [
        f"{group.policy} ({task['name']})"
        for task in experiment.tasks
        for group in experiment.find(task["name"], method="local")
    ]
    return f"100 is the expert, 0 the best local rule, {', '.join(named)}:"


def main_table(experiment: Experiment, tier: str = "expert", zero: str = "random") -> Table | None:
    """The comparison on a tier, a row per method and a column per task; None if nothing is done.

    NetWorld's ablations have a table of their own, unless 0 is a rule: then all rows stand here.

    Args:
        experiment: whose results they are.
        tier: of the data.
        zero: reference whose score is 0.
    """
    tasks = [task["name"] for task in experiment.tasks]
    rows = []
    shown = [name for name in experiment.methods if zero != "random" or name not in ABLATIONS]
    for method in (*shown, *_REFERENCES):
        groups = ((task, experiment.compared(task, method, tier)) for task in tasks)
        found = {task: group for task, group in groups if group is not None}
        if not found:
            continue
        amount = next(iter(found.values())).amount
        counts = [str(found[t].num_seeds) if t in found else "-" for t in tasks]
        # One number if it is the same in all tasks.
        count = "/".join(counts if len(set(counts)) > 1 else counts[:1])
        scores = (_score(experiment, found.get(task), zero) for task in tasks)
        rows.append((title_of(method), amount or "-", count if amount else "-", *scores))
    name = "main" if zero == "random" else f"above-rules-{tier}"
    return Table(name, ("method", "data", "n", *tasks), tuple(rows)) if rows else None


def as_text(table: Table) -> str:
    """A table in aligned columns, the first two to the left.

    Example:
        >>> print(as_text(Table("x", ("task", "method", "score"), (("rb", "MA-BC", "9.5"),))))
        task  method  score
        ----  ------  -----
        rb    MA-BC     9.5
    """
    widths = []
    headings = []
    for i, name in enumerate(table.columns):
        room = max([len(row[i]) for row in table.rows], default=0)
        headings.append(_heading(name, max(room, _HEADING)))
        widths.append(max([room, *map(len, headings[-1])]))
    lines = [*zip_longest(*headings, fillvalue=""), tuple("-" * w for w in widths), *table.rows]
    return "\n".join(_line(cells, widths) for cells in lines)


def _heading(name: str, width: int) -> list[str]:
    """Lines of a column's name; an interval's level stays in one piece."""
    held = textwrap.wrap(name.replace("95 %", "95\u00a0%"), width, break_on_hyphens=False)
    return [line.replace("\u00a0", " ") for line in held]


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    placed = [
        cell.ljust(width) if i < 2 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(placed).rstrip()


def _score(experiment: Experiment, group: Group | None, zero: str) -> str:
    if group is None:
        return "-"
    draws, anchors = draws_of(experiment, group.task), experiment.anchors(group.task, zero=zero)
    if draws is None or anchors is None:
        return "-"
    return score(draws, group.method, group.rewards, anchors).shown(".1f")


def _played_by(experiment: Experiment) -> list[str]:
    """The policies behind the row of the best heuristic: there is one for each task."""
    named = [
        f"{group.policy} ({task['name']})"
        for task in experiment.tasks
        for group in experiment.find(task["name"], method="heuristic")
    ]
    return [_wrapped(f"Best heuristic: {', '.join(named)}.")] if named else []


def _wrapped(sentence: str) -> str:
    return textwrap.fill(sentence, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
