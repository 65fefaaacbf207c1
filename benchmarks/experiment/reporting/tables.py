"""The tables of the report: scores, other sizes."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.experiment.methods import BASELINES, REFERENCES, WITH_MEAN_FIELD
from benchmarks.experiment.protocol import TIERS_OF_DATA
from benchmarks.experiment.reporting.blocks import Table, as_csv
from benchmarks.experiment.reporting.references import group_title, reference_groups
from benchmarks.experiment.reporting.results import Experiment, Group
from benchmarks.experiment.reporting.statistics import (
    Draws,
    Estimate,
    mean_reward,
    robust_score,
    score,
)
from wirelessenvs.tasks import get_task

__all__ = [
    "baselines_in",
    "claimed_over",
    "draws_of",
    "score_csv",
    "score_table",
    "size_table",
]

_UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def draws_of(experiment: Experiment, task: str, size: str = "") -> Draws | None:
    """Bootstrap draws of a task's test worlds; None if nothing was played."""
    groups = experiment.find(task, size)
    return Draws(task + size, groups[0].rewards.shape[1]) if groups else None


def _ordered(experiment: Experiment, groups: list[Group]) -> list[Group]:
    methods = [*experiment.methods, *REFERENCES]

    def place(group: Group) -> tuple[Any, ...]:
        amount = experiment.trajectories(group.amount) if group.amount else 0.0
        tier = TIERS_OF_DATA.index(group.tier) if group.tier else 0
        return (not group.main, tier, methods.index(group.method), amount)

    return sorted(groups, key=place)


def _data(group: Group) -> str:
    return f"{group.amount} {group.tier}" if group.amount else "-"


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "-"


def _scores(experiment: Experiment, draws: Draws, group: Group) -> tuple[Estimate, Estimate]:
    """Score and its interquartile mean."""
    anchors = experiment.anchors(group.task, group.size)
    if anchors is None:
        return _UNKNOWN, _UNKNOWN
    name = group.method
    return (
        score(draws, name, group.rewards, anchors),
        robust_score(draws, name, group.rewards, anchors),
    )


def _above_rule(experiment: Experiment, draws: Draws, group: Group) -> Estimate:
    """Score of which 0 is the best local rule."""
    anchors = experiment.anchors(group.task, group.size, "local")
    return _UNKNOWN if anchors is None else score(draws, group.method, group.rewards, anchors)


def _metric(experiment: Experiment, task: str) -> str:
    env = next(entry["env"] for entry in experiment.tasks if entry["name"] == task)
    return get_task(env).score


def score_table(experiment: Experiment, task: str) -> Table | None:
    """All methods, references and amounts of one task; None if nothing is done."""
    draws = draws_of(experiment, task)
    if draws is None:
        return None
    metric = _metric(experiment, task)
    # Named, since it is another policy in every task.
    zero = [group_title(group) for group in experiment.find(task, method="local")]
    rows: list[tuple[str, ...]] = []
    strong: set[int] = set()
    for group in _ordered(experiment, experiment.find(task)):
        if group.method == "networld" and group.main:
            strong.add(len(rows))
        reward = mean_reward(draws, group.method, group.rewards)
        normalised, robust = _scores(experiment, draws, group)
        seeds = group.rewards.mean(1)
        spread = seeds.std(ddof=1) if group.num_seeds > 1 else math.nan
        values = group.metrics.get(metric)
        trained = group.method not in REFERENCES
        rows.append((
            group_title(group),
            group.information,
            _data(group),
            str(group.num_seeds) if trained else "-",
            *(_above_rule(experiment, draws, group).shown(".1f") for _ in zero),
            reward.shown(".4g"),
            _number(spread, ".2g"),
            normalised.shown(".1f"),
            _number(robust.value, ".1f"),
            "-" if values is None else f"{values.mean():.4g}",
            f"{100 * group.repeated.mean():.0f} %",
            _number(group.bytes_per_step, ".0f"),
            _number(group.ms, ".2f"),
            f"{group.parameters:,}" if trained else "-",
            _number(group.training_seconds, ",.0f"),
            _number(group.pretraining_seconds, ",.0f"),
            _number(group.peak_memory_mb, ",.0f"),
        ))  # fmt: skip
    columns = (
        "method", "knows", "target data", "n", *(f"score, 0 is {name} [95 %]" for name in zero),
        "reward [95 %]", "spread over n", "score, 0 is random [95 %]" if zero else "score [95 %]",
        "IQM", metric, "repeats", "bytes / step", "ms / decision", "parameters",
        "training, CPU s", "pre-training, CPU s", "peak MB",
    )  # fmt: skip
    return Table(f"scores-{task}", columns, tuple(rows), frozenset(strong))


def score_csv(experiment: Experiment) -> str:
    """All groups of all tasks and sizes, as numbers."""
    columns = (
        "task", "size", "method", "tier", "amount", "main", "seeds", "episodes", "reward",
        "reward_low", "reward_high", "reward_spread", "score", "score_low", "score_high",
        "iqm_score", "iqm_low", "iqm_high", "repeated", "bytes_per_step", "ms_per_decision",
        "parameters", "training_cpu_seconds", "pretraining_cpu_seconds", "peak_memory_mb",
        "score_above_rule", "score_above_rule_low", "score_above_rule_high",
    )  # fmt: skip
    rows = []
    for task in experiment.tasks:
        for size in ("", *task["sizes"]):
            draws = draws_of(experiment, task["name"], size)
            if draws is None:
                continue
            for group in _ordered(experiment, experiment.find(task["name"], size)):
                reward = mean_reward(draws, group.method, group.rewards)
                normalised, robust = _scores(experiment, draws, group)
                above = _above_rule(experiment, draws, group)
                seeds = group.rewards.mean(1)
                rows.append((
                    group.task, size, group.method, group.tier, group.amount, int(group.main),
                    group.num_seeds, group.rewards.shape[1], reward.value, reward.low, reward.high,
                    float(seeds.std(ddof=1)) if group.num_seeds > 1 else math.nan,
                    normalised.value, normalised.low, normalised.high,
                    robust.value, robust.low, robust.high,
                    float(group.repeated.mean()), group.bytes_per_step, group.ms, group.parameters,
                    group.training_seconds, group.pretraining_seconds, group.peak_memory_mb,
                    above.value, above.low, above.high,
                ))  # fmt: skip
    return as_csv(columns, rows)


def size_table(experiment: Experiment) -> Table | None:
    """Networks of other sizes, played without training on them."""
    rows = []
    for task in experiment.tasks:
        for size in ("", *task["sizes"]):
            methods = experiment.protocol["size_methods"]
            trained = [
                group
                for group in _ordered(experiment, experiment.find(task["name"], size))
                if group.method in methods and group.main
            ]
            draws = draws_of(experiment, task["name"], size)
            if not task["sizes"] or draws is None or not trained:
                continue
            for group in (*trained, *reference_groups(experiment, task["name"], size)):
                normalised, _ = _scores(experiment, draws, group)
                reward = mean_reward(draws, group.method, group.rewards)
                rows.append((
                    task["name"], size or "as trained", group_title(group), _data(group),
                    str(group.num_seeds) if group.amount else "-", reward.shown(".4g"),
                    normalised.shown(".1f"), _number(group.bytes_per_step, ".0f"),
                ))  # fmt: skip
    columns = (
        "task", "size", "method", "target data", "n", "reward [95 %]", "score [95 %]",
        "bytes / step",
    )  # fmt: skip
    other = any(row[1] != "as trained" for row in rows)
    return Table("sizes", columns, tuple(rows)) if other else None


def claimed_over(experiment: Experiment) -> tuple[str, ...]:
    """The claim's baselines: those that hear what NetWorld hears, too, where all of them do."""
    all_hear = {*WITH_MEAN_FIELD} <= {*experiment.protocol["ablations"]}
    return (*BASELINES, *(WITH_MEAN_FIELD if all_hear else ()))


def baselines_in(experiment: Experiment) -> list[str]:
    """The claim's baselines that have been played, in the order of tables."""
    seen = {group.method for group in experiment.groups}
    return [name for name in claimed_over(experiment) if name in seen]
