"""The claim: NetWorld on few trajectories against every baseline on many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.experiment.reporting.blocks import Table
from benchmarks.experiment.reporting.references import ALWAYS, group_title, reference_title
from benchmarks.experiment.reporting.results import Experiment, Group
from benchmarks.experiment.reporting.statistics import (
    Estimate,
    averaged_score,
    difference,
    probability_of_improvement,
    score,
    score_draws,
)
from benchmarks.experiment.reporting.style import TASK_TITLES, title_of
from benchmarks.experiment.reporting.tables import baselines_in, claimed_over, draws_of

__all__ = ["AmountScore", "amount_scores", "claim_table", "nearest_table", "verdicts"]

#: Points below the expert that count as close.
CLOSE = 5.0


@dataclass(frozen=True)
class AmountScore:
    """A method's score, averaged over tasks, on one amount of data.

    Args:
        method: that was trained.
        tier: of the data.
        amount: label.
        score: mean over the tasks.
        tasks: scores by task.
        complete: whether all tasks are there that have been played at all.
    """

    method: str
    tier: str
    amount: str
    score: Estimate
    tasks: dict[str, float]
    complete: bool


def _main(experiment: Experiment, task: str, method: str) -> Group | None:
    found = experiment.find(task, method=method, main=True)
    return found[0] if found else None


def _compared(
    experiment: Experiment, task: str, names: Sequence[str], tier: str = "expert"
) -> list[tuple[Group, Estimate, Estimate]]:
    """Baseline or reference, difference, and probability of improvement of NetWorld over it."""
    ours, draws = experiment.compared(task, "networld", tier), draws_of(experiment, task)
    if ours is None or draws is None:
        return []
    found = []
    for name in names:
        theirs = experiment.compared(task, name, tier)
        if theirs is not None:
            sides = ("networld", ours.rewards), (name, theirs.rewards)
            gain = difference(draws, *sides)
            found.append((theirs, gain, probability_of_improvement(draws, *sides)))
    return found


def claim_table(experiment: Experiment) -> Table | None:
    """NetWorld on few against each baseline on many, and against the references, by task.

    Where several tiers of data are compared, on each of them.
    """
    names = (*baselines_in(experiment), *ALWAYS)
    tiers, rows = _claimed_on(experiment), []
    for task in experiment.tasks:
        for tier in tiers:
            told = (tier,) if len(tiers) > 1 else ()
            for theirs, gain, probability in _compared(experiment, task["name"], names, tier):
                rows.append((
                    task["name"], *told, group_title(theirs), gain.shown("+.3g"),
                    probability.shown(".2f"), gain.verdict("above", "below"),
                ))  # fmt: skip
    columns = (
        "task", *(("data",) if len(tiers) > 1 else ()), "against",
        "NetWorld's reward minus its [95 %]", "probability of improvement [95 %]", "NetWorld is",
    )  # fmt: skip
    return Table("claim", columns, tuple(rows)) if rows else None


def verdicts(experiment: Experiment) -> list[str]:
    """One sentence per task: the claim holds, does not hold, or is undecided."""
    few, many = experiment.protocol["few"], experiment.protocol["many"]
    sentences = []
    for task in experiment.tasks:
        name, title = task["name"], TASK_TITLES.get(task["name"], task["name"])
        compared = _compared(experiment, name, baselines_in(experiment))
        others = [
            f"on {tier} data it {_outcome(found, len(claimed_over(experiment)))}"
            for tier in _claimed_on(experiment)[1:]
            if (found := _compared(experiment, name, baselines_in(experiment), tier))
        ]
        if not compared:
            told = "; ".join(["not known yet, results are missing", *others])
            sentences.append(f"{title}: {told}.")
            continue
        ours = _main(experiment, name, "networld")
        assert ours is not None
        worst, gain, _ = min(compared, key=lambda entry: entry[1].value)
        against = f"{title_of(worst.method)} on {many}: {gain.shown('+.3g')} reward"
        above = [entry for entry in compared if entry[1].low > 0]
        below = [entry for entry in compared if entry[1].high < 0]
        if below:
            names = ", ".join(title_of(entry[0].method) for entry in below)
            told = f"does not hold: NetWorld on {few} is below {names} on {many}"
        elif len(above) == len(compared):
            told = f"holds: NetWorld on {few} is above every baseline on {many}"
        else:
            told = (
                f"undecided: NetWorld on {few} is above {len(above)} of {len(compared)} baselines "
                f"on {many}, and no baseline is above it"
            )
        absent = len(claimed_over(experiment)) - len(compared)
        notes = [f"the hardest to beat is {against}"]
        if absent:
            notes.append(f"baselines missing: {absent}")
        if ours.num_seeds == 1:
            notes.append("one training seed: the interval covers test worlds only")
        told = f"{told} ({'; '.join(notes)})"
        sentences.append(f"{title}: {'; '.join([told, *others])}.")
    return sentences


def _claimed_on(experiment: Experiment) -> list[str]:
    """Tiers that the claim is judged on: expert data first, and others if their 0 is a rule.

    Where it is not, other tiers have other purposes and other amounts of data.
    """
    others = experiment.tiers if experiment.above_rules else ()
    return ["expert", *(tier for tier in others if tier != "expert")]


def _outcome(compared: list[tuple[Group, Estimate, Estimate]], claimed: int) -> str:
    """Whether the claim holds, in short, over whom it does not, and how many are missing."""
    missing = claimed - len(compared)
    return _short(compared) + (f" (baselines missing: {missing})" if missing else "")


def _short(compared: list[tuple[Group, Estimate, Estimate]]) -> str:
    below = [title_of(group.method) for group, gain, _ in compared if gain.high < 0]
    above = sum(gain.low > 0 for _, gain, _ in compared)
    if below:
        return f"does not hold (below {', '.join(below)})"
    if above == len(compared):
        return "holds"
    return f"is undecided (above {above} of {len(compared)})"


def amount_scores(experiment: Experiment) -> list[AmountScore]:
    """Scores averaged over tasks, by method, tier and amount."""
    names = [t["name"] for t in experiment.tasks if experiment.anchors(t["name"]) is not None]
    found = []
    for method in experiment.methods:
        groups = [g for g in experiment.groups if g.method == method and not g.size]
        kinds = sorted(
            {(g.tier, g.amount) for g in groups},
            key=lambda kind: (kind[0], experiment.trajectories(kind[1])),
        )
        for tier, amount in kinds:
            parts = {}
            for task in names:
                group = experiment.find(task, method=method, tier=tier, amount=amount)
                anchors, draws = experiment.anchors(task), draws_of(experiment, task)
                if group and anchors is not None and draws is not None:
                    parts[task] = score_draws(draws, method, group[0].rewards, anchors)
            if parts:
                found.append(
                    AmountScore(
                        method, tier, amount, averaged_score(list(parts.values())),
                        {task: float(values[0]) for task, values in parts.items()},
                        len(parts) == len(names),
                    )
                )  # fmt: skip
    return found


def nearest_table(experiment: Experiment, scores: list[AmountScore]) -> Table | None:
    """The smallest amount of expert data with which each method comes close to the expert.

    The references need none, if they come close at all.
    """
    names = [task["name"] for task in experiment.tasks]
    rows = []
    for method in experiment.methods:
        mine = [s for s in scores if s.method == method and s.tier == "expert"]
        if len(mine) < 2:
            continue
        cells = []
        for task in (None, *names):
            reached = [
                s.amount
                for s in mine
                if (s.score.value if task is None else s.tasks.get(task, math.nan)) >= 100 - CLOSE
                and (task is not None or s.complete)
            ]
            cells.append(reached[0] if reached else "not reached")
        rows.append((title_of(method), *cells, ", ".join(s.amount for s in mine)))
    for method in ALWAYS if rows else ():
        values = [_reference_score(experiment, name, method) for name in names]
        if any(math.isfinite(value) for value in values):
            # As for methods, the mean is that of the tasks that have an expert.
            known = [v for v, name in zip(values, names, strict=True) if experiment.anchors(name)]
            cells = [_need(value) for value in (float(np.mean(known)), *values)]
            rows.append((reference_title(experiment, method), *cells, "-"))
    columns = ("method", "mean of tasks", *names, "tried")
    return Table("nearest", columns, tuple(rows)) if rows else None


def _reference_score(experiment: Experiment, task: str, method: str) -> float:
    """Nan where it has not been played, or scores are not known."""
    group, anchors = _main(experiment, task, method), experiment.anchors(task)
    draws = draws_of(experiment, task)
    if group is None or anchors is None or draws is None:
        return math.nan
    return score(draws, method, group.rewards, anchors).value


def _need(score: float) -> str:
    """Whether a reference of that score is close without any data, or never is."""
    if not math.isfinite(score):
        return "-"
    return "none needed" if score >= 100 - CLOSE else "not reached"
