"""Learning curves of runs, finished or not: their snapshots, all played on the same episodes.

python -m benchmarks.studies.online_curves --run runs/cheetah-mappo --run runs/cheetah-dima \
        --env halfcheetah-2x3 --json curves.json --png curves.png
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.command import run_command
from wirelessenvs.command import check_targets, imports_of, program, whole_file
from wirelessenvs.faults import check_installed
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    from benchmarks.baselines.online.evaluation import (
        Evaluation,
        Setting,
        play_references,
        snapshot_curve,
    )
    from benchmarks.baselines.online.options import (
        add_environment,
        add_evaluation,
        evaluation_of,
        setting_of,
    )
    from benchmarks.baselines.online.run import last_metrics
    from benchmarks.baselines.online.teams import is_wireless
    from benchmarks.baselines.shared.policy import read_method
    from benchmarks.records import write_figures

__all__ = ["main"]


def _row(folder: Path, setting: Setting, evaluation: Evaluation) -> dict[str, Any]:
    """Curve of one run, and what it has cost per environment step."""
    curve = snapshot_curve(folder, setting, evaluation)
    if not curve:
        raise ValueError(f"{folder} holds no snapshots: train with --set snapshots=10.")
    last = last_metrics(folder)
    return {
        "run": folder.name,
        "method": read_method(folder / "snapshots" / str(curve[-1]["step"])),
        "steps": last["step"],
        "model_updates_per_step": last.get("model_updates_per_step", 0.0),
        "curve": curve,
    }


def _draw(rows: list[dict[str, Any]], random: float, value: str, path: Path) -> None:
    # Only who wants a picture needs matplotlib.
    import matplotlib
    import matplotlib.pyplot as plt

    from benchmarks.experiment.reporting.figures import RC

    with matplotlib.rc_context(RC):
        figure, axis = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
        for row in rows:
            axis.plot(
                [point["step"] for point in row["curve"]],
                [point["value"] for point in row["curve"]],
                marker="o",
                label=f"{row['run']} ({row['method']})",
            )
        axis.axhline(random, color="#BBBBBB", linestyle=":", label="random")
        axis.set_xlabel("environment steps")
        axis.set_ylabel(value)
        axis.legend()
        figure.savefig(path, format="png")
        plt.close(figure)


def _curves(options: argparse.Namespace) -> None:
    check_targets(options.json, options.png)
    if options.png is not None:
        check_installed("matplotlib")
    os.environ.setdefault("MPLBACKEND", "agg")
    setting, evaluation = setting_of(options), evaluation_of(options)
    value = "mean reward per agent and step" if is_wireless(setting.env) else "return"
    rows = [_row(folder, setting, evaluation) for folder in options.run]
    values = play_references(setting, evaluation)["random"]
    random = sum(values) / len(values)
    for row in rows:
        print(f"{row['run']} ({row['method']}), {value} by environment steps; random {random:.4g}")
        for point in row["curve"]:
            print(f"  {point['step']:>9,}  {point['value']:.4g}")
    if options.json is not None:
        write_figures(
            options.json,
            [options.command],
            machine_lines(("wirelessenvs", "torch", "numpy")),
            {
                "setting": vars(setting),
                "evaluation": vars(evaluation),
                "random": random,
                "rows": rows,
            },
        )
    if options.png is not None:
        with whole_file(options.png) as partial:
            _draw(rows, random, value, partial)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.studies.online_curves"),
        description="Play the snapshots of runs on the same episodes: learning curves.",
    )
    parser.add_argument(
        "--run", type=Path, action="append", required=True,
        help="folder of a run with snapshots; repeatable, one curve each",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write the curves here")
    parser.add_argument("--png", type=Path, help="draw them here")
    add_environment(parser)
    add_evaluation(parser)
    return run_command(_curves, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
