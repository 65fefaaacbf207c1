"""Every baseline on data of mixed quality, beside behaviour cloning of the same data.

    python -m benchmarks.baselines.mixed --data data/rb-mixed data/cbf-mixed --trajectories 30 \
        --seeds 1 --out runs/baselines-mixed --json benchmarks/results/baselines-mixed.json

Budgets, options and the choice of what DT and DD ask for are those of the main experiment. Repeat
the command to go on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.baselines import BASELINES
from benchmarks.baselines.remembered import remembered
from benchmarks.figures_file import write_figures
from benchmarks.jobs.evaluating import evaluate
from benchmarks.jobs.fitting import fit
from benchmarks.presets import PRESETS
from benchmarks.protocol import TaskSetup
from networld_agent.data import TrajectoryDataset
from networld_agent.evaluation.scores import (
    bootstrap_interval,
    normalised,
    normalised_interval,
)
from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.command import check_targets, run
from wirelessenvs.machine import machine_lines

__all__ = ["main", "rows_of"]

#: Steps before those that count, as in the main experiment.
_WARM_UP: Final = 5
_ANCHORS: Final = ("random", "expert")


def _setup(preset: str, data: Path) -> TaskSetup:
    """The main experiment's setup of the task that the data is of."""
    task = TrajectoryDataset.open(data).description.task
    for setup in PRESETS[preset].tasks:
        if setup.env == task:
            return setup
    raise ValueError(f"{data} is of {task}, which preset {preset} has no budgets for.")


def _play_settings(setup: TaskSetup, episodes: int, steps: int) -> dict[str, Any]:
    return {
        "env": setup.env,
        "preset": setup.preset,
        "overrides": setup.overrides,
        "episodes": episodes,
        "steps": steps,
        "warm_up": _WARM_UP,
    }


def _played(
    path: Path, settings: dict[str, Any], inputs: dict[str, Path], folder: Path
) -> dict[str, Any]:
    """What the evaluation found, from the file of an earlier run if its settings were the same."""
    return remembered(path, {"settings": settings}, lambda: evaluate(settings, inputs, folder))


def _one(
    options: argparse.Namespace, setup: TaskSetup, link: Path, method: str, seed: int
) -> dict[str, Any]:
    """Trains, tunes and plays one policy."""
    folder = options.out / f"{setup.name}-{method}-s{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    training = {
        "method": method,
        "options": list(PRESETS[options.preset].options_of(method, setup.name)),
        "seed": seed,
        "snapshots": 0,
        "trajectories": options.trajectories,
        "first_steps": None,
        "tuning": _play_settings(setup, options.tune_episodes, options.tune_steps),
    }
    settings = {**_play_settings(setup, options.episodes, options.steps), "method": method}

    def make() -> dict[str, Any]:
        tuning = fit(training, {"data": link}, folder)["tuning"]
        return {"tuning": tuning, **evaluate(settings, {"policy": folder}, folder)}

    return remembered(folder / "played.json", {"training": training, "settings": settings}, make)


def _linked(data: Path, link: Path) -> Path:
    """The data as a training job finds it: in the folder of the job that collected it.

    Raises:
        ValueError: if the runs there are on other data.
    """
    link.mkdir(parents=True, exist_ok=True)
    place = link / "data"
    # Not `exists`: what runs on data that is gone found must not be shown for other data.
    if not place.is_symlink():
        place.symlink_to(data.absolute())
    elif place.resolve() != data.resolve():
        raise ValueError(f"{link.parent} holds runs on {place.resolve()}: choose another --out.")
    return link


def rows_of(
    played: dict[str, list[dict[str, Any]]], random: Sequence[float], expert: Sequence[float]
) -> list[dict[str, Any]]:
    """One row per method, with its lift over "bc".

    Args:
        played: by method, one result per seed of training, each with "rewards" of the same worlds.
        random: `(E,)` rewards of the random policy in these worlds.
        expert: `(E,)` of the expert.

    Returns:
        Per row: the score of every seed (0 random, 100 expert), the mean and its 95 % interval over
        worlds, the difference of rewards to "bc" with that of pairs of equal worlds.
    """
    anchors = np.array(random), np.array(expert)
    means = {
        method: np.mean([one["rewards"] for one in ones], 0) for method, ones in played.items()
    }
    rows = []
    for method, ones in played.items():
        ends = float(anchors[0].mean()), float(anchors[1].mean())
        row = {
            "method": method,
            "seeds": len(ones),
            "reward": float(means[method].mean()),
            "scores": [normalised(float(np.mean(one["rewards"])), *ends) for one in ones],
            "score": normalised(float(means[method].mean()), *ends),
            "score_interval": list(normalised_interval(means[method], *anchors)),
            "repeated": float(np.mean([one["repeated"] for one in ones])),
            "asked": [_asked(one) for one in ones],
        }
        if method != "bc" and "bc" in means:
            lift = means[method] - means["bc"]
            row["lift"] = float(lift.mean())
            row["lift_interval"] = list(bootstrap_interval(lift))
        rows.append(row)
    return rows


def _asked(one: dict[str, Any]) -> str | None:
    """The return that did best on validation worlds; None for methods that ask for none."""
    tuning = one.get("tuning") or {}
    return max(tuning, key=lambda name: tuning[name]) if tuning else None


def _printed(task: str, rows: Sequence[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        low, high = row["score_interval"]
        lift = "-"
        if "lift" in row:
            least, most = row["lift_interval"]
            lift = f"{row['lift']:+.3f} [{least:+.3f}, {most:+.3f}]"
        scores = ", ".join(f"{score:.1f}" for score in row["scores"])
        lines.append(
            f"| {task} | `{row['method']}` | {row['reward']:.3f} | {scores} "
            f"| {row['score']:.1f} [{low:.1f}, {high:.1f}] | {lift} "
            f"| {100 * row['repeated']:.0f} % |"
        )
    return "\n".join(lines)


def _mixed(options: argparse.Namespace) -> None:
    for name in ("trajectories", "seeds", "episodes", "steps", "tune_episodes", "tune_steps"):
        check_int(f"--{name.replace('_', '-')}", getattr(options, name), 1)
    check_choice("--preset", options.preset, tuple(PRESETS))
    check_targets(options.json)
    setups = {data: _setup(options.preset, data) for data in options.data}
    machine = machine_lines(("wirelessenvs", "torch", "numpy"))
    print("\n".join(machine))
    print(
        f"\nfirst {options.trajectories} trajectories, budgets of preset {options.preset}, "
        f"{options.seeds} seeds, {options.episodes} test episodes of {options.steps} steps\n\n"
        "| task | method | reward | score by seed | score [95 %] | lift over `bc` [95 %] "
        "| repeats its action |\n|---|---|---|---|---|---|---|"
    )
    tasks = []
    for data, setup in setups.items():
        link = _linked(data, options.out / f"data-{setup.name}")
        settings = _play_settings(setup, options.episodes, options.steps)
        anchors = {
            policy: _played(
                options.out / f"{setup.name}-{policy}.json",
                {**settings, "method": None, "policy": policy},
                {},
                options.out,
            )["rewards"]
            for policy in _ANCHORS
        }
        played = {
            method: [_one(options, setup, link, method, seed) for seed in range(options.seeds)]
            for method in options.methods
        }
        rows = rows_of(played, anchors["random"], anchors["expert"])
        print(_printed(setup.name, rows), flush=True)
        tasks.append({"task": setup.name, "anchors": anchors, "rows": rows, "played": played})
    if options.json is not None:
        print()
        command = ["python -m benchmarks.baselines.mixed", *options.arguments]
        write_figures(options.json, command, machine, {"tasks": tasks})


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.baselines.mixed",
        description="All baselines beside behaviour cloning of the same data of mixed quality.",
    )
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of data sets")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--trajectories", type=int, default=30, help="first ones (default: 30)")
    parser.add_argument("--preset", default="cpu", help="whose budgets (default: cpu)")
    parser.add_argument("--seeds", type=int, default=2, help="of training (default: 2)")
    parser.add_argument("--episodes", type=int, default=8, help="test worlds (default: 8)")
    parser.add_argument("--steps", type=int, default=100, help="of each (default: 100)")
    parser.add_argument("--tune-episodes", type=int, default=2, help="to choose on (default: 2)")
    parser.add_argument("--tune-steps", type=int, default=50, help="of each (default: 50)")
    parser.add_argument(
        "--methods", nargs="+", choices=tuple(BASELINES), default=tuple(BASELINES),
        help="default: all",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write all figures")
    options = parser.parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    return run(_mixed, options)


if __name__ == "__main__":
    sys.exit(main())
