"""What baselines could gain by playing another snapshot of their training than the last.

NetWorld chooses its weights by a held-out trajectory, baselines play their last update. The best
snapshot here is chosen by the reward that it is reported with, in the worlds of the test, and for
each seed by itself: more than any rule for stopping early could reach.
"""

from __future__ import annotations

import numpy as np

from benchmarks.experiment.methods import BASELINES
from benchmarks.experiment.reporting.blocks import Table
from benchmarks.experiment.reporting.results import Experiment
from benchmarks.experiment.reporting.style import title_of

__all__ = ["early_stopping_table"]


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
