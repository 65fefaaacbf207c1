"""The figures: learning curves, and scores against the amount of data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib
import numpy as np

from benchmarks.experiment.methods import METHODS
from benchmarks.experiment.protocol import TIERS_OF_DATA
from benchmarks.experiment.reporting.comparisons import AmountScore
from benchmarks.experiment.reporting.references import ALWAYS, group_title
from benchmarks.experiment.reporting.results import Curve, Experiment
from benchmarks.experiment.reporting.statistics import Estimate, score
from benchmarks.experiment.reporting.style import (
    COLOURS,
    TASK_TITLES,
    colour_of,
    marker_of,
    title_of,
)
from benchmarks.experiment.reporting.tables import draws_of

__all__ = [
    "RC",
    "amount_tick",
    "draw_amounts",
    "draw_curves",
    "draw_tiers",
    "error_bars",
    "is_drawn",
]

#: How all figures look.
RC: Any = {
    "font.size": 11, "axes.titlesize": 12, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#E6E6E6", "grid.linewidth": 0.8, "lines.linewidth": 2.0,
    "legend.frameon": False, "figure.dpi": 110, "savefig.dpi": 160, "axes.axisbelow": True,
}  # fmt: skip


#: Points below the best local rule from which on an axis is a logarithm.
_FAR: Final = 200.0
#: Of NetWorld's variants beside its own marker, so that they are told apart.
MARKERS_OF_PARTS: Final = {
    "networld-published": "s", "networld-behaviour-head": "^", "networld-random-direction": "X",
    "networld-no-values": "D",
}  # fmt: skip
#: Lines by tier of data.
TIER_STYLES: Any = dict(zip(TIERS_OF_DATA, ("-", "--", ":", "-."), strict=True))


def draw_curves(experiment: Experiment, path: Path) -> None:
    """Reward over training, one panel per task."""
    import matplotlib.pyplot as plt

    tasks = [task["name"] for task in experiment.tasks]
    with matplotlib.rc_context(RC):
        figure, axes = plt.subplots(
            1, len(tasks), figsize=(4.1 * len(tasks), 4.2), layout="constrained", squeeze=False
        )
        handles: dict[str, Any] = {}
        for axis, task in zip(axes[0], tasks, strict=True):
            _curve_panel(experiment, axis, task, handles)
        axes[0][0].set_ylabel("mean reward per agent and step")
        figure.legend(
            handles.values(), handles, loc="outside lower center", ncols=min(len(handles), 5)
        )
        figure.savefig(path)
        plt.close(figure)


def _curve_panel(experiment: Experiment, axis: Any, task: str, handles: dict[str, Any]) -> None:
    curves = {curve.method: curve for curve in experiment.curves if curve.task == task}
    for method in experiment.methods:
        if method in curves:
            label, line = _curve_line(axis, curves[method])
            handles.setdefault(label, line)
    references = {}
    # Folders of old experiments have no heuristic: medium is then the best rule that was played.
    rule = "heuristic" if experiment.find(task, method="heuristic") else "medium"
    for name, dashes in (("expert", "--"), (rule, "-."), ("random", ":")):
        groups = experiment.find(task, method=name)
        if groups:
            value = references[title_of(name)] = float(groups[0].rewards.mean())
            line = axis.axhline(
                value, color=colour_of(name), linestyle=dashes, linewidth=1.3, zorder=1
            )
            handles.setdefault(title_of(name), line)
    if curves:
        seen = [float(value) for curve in curves.values() for value in curve.rewards.flat]
        _show_closely(axis, seen, references)
    axis.set_title(TASK_TITLES.get(task, task))
    axis.set_xlabel("training done (%)")
    axis.set_xlim(0, 102)


def _show_closely(axis: Any, seen: list[float], references: dict[str, float]) -> None:
    """Cuts off references so far below all curves that these would lie on one another.

    Args:
        axis: of the panel.
        seen: values of its curves.
        references: value by name; of those that are cut off, name and value are written below.
    """
    low, high = min(seen), max([*seen, *references.values()])
    bottom = low - (high - low)
    below = {name: value for name, value in references.items() if value < bottom}
    if not below or high == low:
        return
    low = min([low, *(value for value in references.values() if value >= bottom)])
    margin = 0.08 * (high - low)
    # Room for the note under the lowest curve.
    axis.set_ylim(low - 2 * margin, high + margin)
    note = ", ".join(f"{name} {value:.3g}" for name, value in below.items())
    axis.text(0.03, 0.03, f"below: {note}", transform=axis.transAxes, fontsize=9, color="0.35")


def _curve_line(axis: Any, curve: Curve) -> tuple[str, Any]:
    colour = colour_of(curve.method)
    mean = curve.rewards.mean(0)
    (line,) = axis.plot(
        curve.share, mean, color=colour, marker=marker_of(curve.method), markersize=5,
        zorder=4 if curve.method == "networld" else 3,
    )  # fmt: skip
    if len(curve.rewards) > 1:
        axis.fill_between(
            curve.share, curve.rewards.min(0), curve.rewards.max(0), color=colour, alpha=0.15,
            linewidth=0,
        )  # fmt: skip
    return f"{title_of(curve.method)} ({curve.amount})", line


def is_drawn(method: str) -> bool:
    """Whether a method has lines of its own; variants of methods are for tables alone."""
    row = METHODS.get(method)
    return row is None or row.role not in ("ablation", "mean-field", "weighted")


def draw_amounts(experiment: Experiment, scores: list[AmountScore], path: Path) -> None:
    """Score against amount of target data, and what the data consists of.

    Args:
        experiment: whose data it is.
        scores: at least one, each of all tasks.
        path: of the PNG file.
    """
    shown = [s for s in scores if is_drawn(s.method)]
    import matplotlib.pyplot as plt

    labels = sorted({s.amount for s in shown}, key=experiment.trajectories)
    place = {label: i for i, label in enumerate(labels)}
    with matplotlib.rc_context(RC):
        figure, (top, bottom) = plt.subplots(
            2, 1, figsize=(7.6, 6.6), height_ratios=(3.2, 1), sharex=True, layout="constrained"
        )
        _amount_panel(top, shown, place)
        _composition_panel(bottom, experiment, labels)
        bottom.set_xticks(range(len(labels)), [amount_tick(label) for label in labels])
        bottom.set_xlim(-0.5, len(labels) - 0.5)
        figure.savefig(path)
        plt.close(figure)


def _amount_panel(axis: Any, shown: list[AmountScore], place: dict[str, int]) -> None:
    methods = list(dict.fromkeys(s.method for s in shown))
    for index, method in enumerate(methods):
        # Side by side, so that intervals do not hide each other.
        shift = 0.06 * (index - (len(methods) - 1) / 2)
        labelled = False
        for tier, style in TIER_STYLES.items():
            face = colour_of(method) if tier == "expert" else "white"
            mine = [s for s in shown if (s.method, s.tier) == (method, tier)]
            if not mine:
                continue
            error_bars(
                axis,
                [place[s.amount] + shift for s in mine],
                [s.score for s in mine],
                color=colour_of(method),
                linestyle=style,
                marker=marker_of(method),
                markerfacecolor=face,
                markersize=7,
                label=None if labelled else title_of(method),
                zorder=4 if method == "networld" else 3,
            )
            labelled = True
    for value, name in ((100, "expert"), (0, "random")):
        axis.axhline(value, color=colour_of(name), linestyle="--" if value else ":", linewidth=1.3)
    axis.set_ylabel("score: 0 random, 100 expert\n(mean of tasks, 95 % interval)")
    low = min(s.score.value for s in shown)
    # A method that collapses must not squeeze the others into a line.
    axis.set_ylim(max(-60.0, min(-5.0, low - 8)), 112)
    tiers = [tier for tier in TIER_STYLES if any(s.tier == tier for s in shown)]
    for tier in tiers if len(tiers) > 1 else ():
        look = {"color": "#555555", "marker": "o", "markersize": 7, "linestyle": TIER_STYLES[tier]}
        face = look["color"] if tier == "expert" else "white"
        axis.plot([], [], **look, markerfacecolor=face, label=f"{tier} data")
    axis.legend(fontsize=9, ncols=1, loc="center left", bbox_to_anchor=(1.01, 0.5))


def _composition_panel(axis: Any, experiment: Experiment, labels: list[str]) -> None:
    """Bars: NetWorld's trajectories of the held-out task, and of the others."""
    others = experiment.protocol["pretrain_trajectories"] * (len(experiment.tasks) - 1)
    own = np.array([experiment.trajectories(label) for label in labels])
    share = 100 * own / (own + others)
    where = np.arange(len(labels))
    axis.bar(where, share, 0.55, color="#0072B2", label="held-out task")
    axis.bar(where, 100 - share, 0.55, bottom=share, color="#D9D9D9", label="other tasks")
    for x, percent in zip(where, share, strict=True):
        axis.text(x, 103, f"{percent:.2g} %", ha="center", va="bottom", fontsize=9)
    axis.set_ylim(0, 125)
    axis.set_yticks((0, 50, 100))
    axis.grid(axis="x", visible=False)
    axis.set_ylabel("NetWorld's\ndata (%)")
    axis.set_xlabel("trajectories of the held-out task (baselines see nothing else)")
    axis.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.01, 0.5))


def draw_tiers(experiment: Experiment, task: str, path: Path) -> None:
    """Score above the best local rule by tier of data, of all methods of a task's comparison.

    Args:
        experiment: that has been played on some tier, with its anchors.
        task: name.
        path: of the PNG file.
    """
    import matplotlib.pyplot as plt

    draws, anchors = draws_of(experiment, task), experiment.anchors(task, zero="local")
    assert draws is not None
    assert anchors is not None
    tiers = experiment.tiers
    with matplotlib.rc_context(RC):
        figure, axis = plt.subplots(figsize=(10.5, 5.4), layout="constrained")
        methods = [
            method for method in experiment.methods
            if any(experiment.compared(task, method, tier) for tier in tiers)
        ]  # fmt: skip
        lows = [0.0]
        for index, method in enumerate(methods):
            shift = 0.8 * ((index + 0.5) / len(methods) - 0.5)
            groups = {t: g for t in tiers if (g := experiment.compared(task, method, t))}
            scores = [score(draws, method, g.rewards, anchors) for g in groups.values()]
            lows += [entry.value for entry in scores]
            # A variant is its method, hollow.
            row = METHODS.get(method)
            like = method if row is None or row.of is None else row.of
            hollow = like != method and method != "networld-scratch"
            look = method if method in COLOURS else like
            error_bars(
                axis,
                [tiers.index(tier) + shift for tier in groups],
                scores,
                color=colour_of(look),
                linestyle="none",
                marker=MARKERS_OF_PARTS.get(method, marker_of(look)),
                markerfacecolor="white" if hollow else colour_of(look),
                markersize=6,
                label=title_of(method),
            )
        for name in (*ALWAYS, "rule", "random"):
            for group in experiment.find(task, method=name):
                value = score(draws, name, group.rewards, anchors).value
                axis.axhline(
                    value, color=colour_of(name), linestyle="--", linewidth=1.2, zorder=1,
                    label=group_title(group),
                )  # fmt: skip
        axis.set_ylim(min(lows) - 15, 112)
        if min(lows) < -_FAR:
            # What is far below the rules must be seen, and not press all others together.
            axis.set_yscale("symlog", linthresh=100, linscale=2)
            axis.set_ylim(1.4 * min(lows), 140)
            ticks = [-10_000, -3_000, -1_000, -300, -100, -50, 0, 50, 100]
            shown = [tick for tick in ticks if tick > 1.4 * min(lows)]
            axis.set_yticks(shown, [f"{tick:,}" for tick in shown])
        axis.set_xticks(range(len(tiers)), [f"{tier} data" for tier in tiers])
        axis.set_xlim(-0.5, len(tiers) - 0.5)
        axis.set_title(TASK_TITLES.get(task, task))
        zero = group_title(experiment.find(task, method="local")[0])
        axis.set_ylabel(f"score: 0 is {zero},\n100 the expert (95 %)")
        axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
        figure.savefig(path)
        plt.close(figure)


def error_bars(axis: Any, x: Sequence[float], scores: Sequence[Estimate], **look: Any) -> None:
    """A line of estimates with their intervals; `look` goes to matplotlib."""
    values = np.array([[s.value, s.low, s.high] for s in scores])
    reach = np.abs(values[:, 1:] - values[:, :1]).T
    axis.errorbar(x, values[:, 0], reach, elinewidth=1, **look)


def amount_tick(label: str) -> str:
    """An amount of data below an axis."""
    return label.replace(" steps", "\nsteps")
