"""What baselines could gain by playing another snapshot of their training than the last.

NetWorld chooses its weights by a held-out trajectory, baselines play their last update. The best
snapshot here is chosen by the reward that it is reported with, in the worlds of the test, and for
each seed by itself: more than any rule for stopping early could reach.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmarks.experiment.methods import BASELINES, METHODS
from benchmarks.experiment.reporting.blocks import Table
from benchmarks.experiment.reporting.results import Experiment
from benchmarks.experiment.reporting.style import title_of

__all__ = ["early_stopping_table", "trials_table"]


def early_stopping_table(experiment: Experiment) -> Table | None:
    """Rewards of the last and the best snapshot of every baseline, and of NetWorld's last."""
    rows = []
    for task in (entry["name"] for entry in experiment.tasks):
        curves = {curve.method: curve for curve in experiment.curves if curve.task == task}
        if "networld" not in curves:
            continue
        ours = float(curves["networld"].rewards[:, -1].mean())
        for method in (name for name in BASELINES if name in curves):
            curve = curves[method]
            best = curve.rewards.argmax(1)
            reached = float(curve.rewards.max(1).mean())
            rows.append((
                task, title_of(method), f"{curve.rewards[:, -1].mean():.4g}", f"{reached:.4g}",
                ", ".join(f"{share:.0f}" for share in np.sort(curve.share[best])),
                f"{ours:.4g}", f"{ours - reached:+.3g}",
            ))  # fmt: skip
    columns = (
        "task", "method", "last snapshot", "best snapshot of each seed", "after % of training",
        "NetWorld's last", "NetWorld's last minus their best",
    )  # fmt: skip
    return Table("early-stopping", columns, tuple(rows)) if rows else None


def trials_table(experiment: Experiment) -> Table | None:
    """Settings that each method tried on validation worlds, and its looks at held-out data.

    Ranges over all training runs in all tasks; None if nobody chose anything. A row that plays the
    weights of another one is chosen by that one's trials.
    """
    protocol, rows = experiment.protocol, []
    for method in experiment.methods:
        groups = [g for g in experiment.groups if g.method == method and not g.size]
        trials = [count for group in groups for count in group.trials]
        played = [
            count * protocol["tune_episodes"] * experiment.setup(group.task).validation_steps(
                protocol["tune_steps"]
            )
            for group in groups for count in group.trials
        ]  # fmt: skip
        looks = [count for group in groups for count in group.looks]
        if not any((*trials, *looks)):
            continue
        row = METHODS.get(method)
        shares = row is not None and row.plan and not row.model
        rows.append((
            title_of(method), _range(trials), _range(played), _range(looks),
            f"those of {title_of(str(row.of))}" if row and shares else "its own",
        ))  # fmt: skip
    columns = (
        "method", "settings tried on validation worlds", "steps played for that",
        "looks at held-out data", "weights",
    )  # fmt: skip
    return Table("validation", columns, tuple(rows)) if rows else None


def _range(counts: Iterable[int]) -> str:
    known = sorted({*counts})
    return "-" if not known else f"{known[0]:,}" if len(known) == 1 else (
        f"{known[0]:,} to {known[-1]:,}"
    )  # fmt: skip
