"""What pre-training is worth: NetWorld against the same network from scratch on equal data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

from benchmarks.experiment.reporting.blocks import Table
from benchmarks.experiment.reporting.figures import RC, amount_tick, error_bars
from benchmarks.experiment.reporting.references import ALWAYS, group_title, reference_groups
from benchmarks.experiment.reporting.results import Experiment, seeds_in_common
from benchmarks.experiment.reporting.statistics import Estimate, difference, paired, score
from benchmarks.experiment.reporting.style import TASK_TITLES, colour_of, marker_of, title_of
from benchmarks.experiment.reporting.tables import draws_of

__all__ = ["FewShot", "draw_few_shot", "few_shot", "few_shot_table"]

_METHODS = ("networld", "networld-scratch")


@dataclass(frozen=True)
class FewShot:
    """Both on one amount of expert data of a task.

    Args:
        task: held out of the pre-training.
        amount: label.
        num_seeds: that both were trained with.
        scores: by method.
        gain: reward of the pre-trained one minus that of the other, by training seed and world.
    """

    task: str
    amount: str
    num_seeds: int
    scores: dict[str, Estimate]
    gain: Estimate


def few_shot(experiment: Experiment) -> list[FewShot]:
    """All amounts of all tasks that both were trained on, small ones first."""
    found = []
    for task in (entry["name"] for entry in experiment.tasks):
        draws, anchors = draws_of(experiment, task), experiment.anchors(task)
        if draws is None or anchors is None:
            continue
        groups = {
            name: {g.amount: g for g in experiment.find(task, method=name, tier="expert")}
            for name in _METHODS
        }
        common = groups[_METHODS[0]].keys() & groups[_METHODS[1]].keys()
        for amount in sorted(common, key=experiment.trajectories):
            ours, theirs = (groups[name][amount] for name in _METHODS)
            seeds = seeds_in_common(ours, theirs)
            if not seeds:
                continue
            sides = paired(ours.of_seeds(seeds), theirs.of_seeds(seeds))
            found.append(
                FewShot(
                    task,
                    amount,
                    len(seeds),
                    {
                        name: score(draws, *side, anchors)
                        for name, side in zip(_METHODS, sides, strict=True)
                    },
                    difference(draws, *sides),
                )
            )
    return found


def few_shot_table(experiment: Experiment, found: list[FewShot]) -> Table | None:
    """A row per task and amount, with what the references score there; None if there are none."""
    scores = {task: _reference_scores(experiment, task) for task in {e.task for e in found}}
    references = [name for name in ALWAYS if any(name in told for told in scores.values())]
    columns = (
        "task", "target data", "n", *(f"{title_of(name)}: score [95 %]" for name in _METHODS),
        "reward gained by pre-training [95 %]", "pre-training is",
        *(f"{title_of(name)}: score [95 %]" for name in references),
    )  # fmt: skip
    rows = [
        (
            entry.task, entry.amount, str(entry.num_seeds),
            *(entry.scores[name].shown(".1f") for name in _METHODS),
            entry.gain.shown("+.3g"),
            entry.gain.verdict("ahead", "behind"),
            *(scores[entry.task].get(name, "-") for name in references),
        )
        for entry in found
    ]  # fmt: skip
    return Table("pretraining", columns, tuple(rows)) if rows else None


def _reference_scores(experiment: Experiment, task: str) -> dict[str, str]:
    """Scores by reference, with its policy where the column's heading does not name it."""
    draws, anchors = draws_of(experiment, task), experiment.anchors(task)
    assert draws is not None
    assert anchors is not None
    told = {}
    for group in reference_groups(experiment, task):
        shown = score(draws, group.method, group.rewards, anchors).shown(".1f")
        told[group.method] = shown + group_title(group).removeprefix(title_of(group.method))
    return told


def draw_few_shot(experiment: Experiment, found: list[FewShot], path: Path) -> None:
    """Score against amount of data, one panel per task.

    Args:
        experiment: whose results they are.
        found: at least one.
        path: of the PNG file.
    """
    import matplotlib.pyplot as plt

    tasks = list(dict.fromkeys(entry.task for entry in found))
    labels = sorted({entry.amount for entry in found}, key=experiment.trajectories)
    with matplotlib.rc_context(RC):
        figure, axes = plt.subplots(
            1, len(tasks), figsize=(4.1 * len(tasks), 3.8), layout="constrained", squeeze=False
        )
        for axis, task in zip(axes[0], tasks, strict=True):
            mine = [entry for entry in found if entry.task == task]
            for shift, name in zip((-0.06, 0.06), _METHODS, strict=True):
                _line(axis, mine, labels, name, shift)
            axis.axhline(100, color=colour_of("expert"), linestyle="--", linewidth=1.3, zorder=1)
            # No closer than seven points: hundredths of one are no difference.
            lowest = min(score.low for entry in mine for score in entry.scores.values())
            axis.set_ylim(min(95.0, lowest - 2), 102)
            axis.set_title(TASK_TITLES.get(task, task))
            axis.set_xticks(range(len(labels)), [amount_tick(label) for label in labels])
            axis.set_xlabel("trajectories of the held-out task")
        axes[0][0].set_ylabel("score: 0 random, 100 expert (95 %)")
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        figure.savefig(path)
        plt.close(figure)


def _line(axis: Any, mine: list[FewShot], labels: list[str], name: str, shift: float) -> None:
    error_bars(
        axis,
        [labels.index(entry.amount) + shift for entry in mine],
        [entry.scores[name] for entry in mine],
        color=colour_of(name),
        marker=marker_of(name),
        markersize=6,
        label=title_of(name),
    )
