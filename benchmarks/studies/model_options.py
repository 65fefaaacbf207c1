"""What each choice of the world model is worth: the same short training with one option changed.

    python -m benchmarks.studies.model_options --data data/cbf \
        --json benchmarks/results/options-cbf.json

Every row trains from the same weights on the same batches, unless the option itself changes them,
and is judged on held-out trajectories and in test worlds of the task.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.command import run_command
from wirelessenvs.checks import check_int
from wirelessenvs.command import imports_of, program
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    import torch

    from benchmarks.markdown import table_lines
    from benchmarks.records import write_figures
    from benchmarks.studies.judging import (
        UNGUIDED,
        Judge,
        add_judging,
        check_judging,
        with_progress,
    )
    from networld_agent.config import get_preset, parse_options
    from networld_agent.data import TrajectoryDataset
    from networld_agent.data.windows import WindowSource
    from networld_agent.diagnostics.measurements import measure
    from networld_agent.evaluation.scores import normalised, normalised_interval
    from networld_agent.planning import Planner
    from networld_agent.training.batches import BatchSampler
    from networld_agent.training.pretraining import fresh_model
    from networld_agent.training.trainer import Trainer

__all__ = ["OPTIONS", "Outcome", "changes", "main", "outcome"]

#: One row each; several changes of one row are joined by a comma, as those of a tuple.
OPTIONS: Final = (
    "standardise=False", "observation_limit=0.0", "symlog=False", "communication=none",
    "communication=attention", "stop_gradient=none", "stop_gradient=all", "latent_norm=none",
    "prediction=velocity", "prediction=noise", "classifier=separate", "return_scaling=raw",
    "discrete_head=bins", "decode=mean", "action_scaling=raw", "targets=one-hot",
    "diffusion_weight=1.0", "classifier_weight=1.0", "planned_action_weight=0.0",
    "planned_action_weight=1.0", "behaviour_weight=0.0", "reconstruction_weight=0.0",
    "first_step_weight=1.0", "blocks_per_level=2", "latent_size=8",
    "latent_size=32,channels=64",
)  # fmt: skip
#: Trajectories at the end of the data that no row is trained on.
_HELD_OUT: Final = 5
_COLUMNS: Final = (
    "option", "score [95 %]", "plan takes the data's action", "next latent, of linear",
    "last latent, of linear", "rank", "correlation of returns", "CPU s",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """The measurements of one row of the table.

    Args:
        option: what was changed.
        score: 0 random, 100 expert, of unguided plans.
        interval: 95 % over test worlds.
        planned_actions: share of held-out actions that a plan takes too.
        first_error: squared error of the next own latent, of the linear model's.
        last_error: the same at the end of the horizon.
        rank: effective rank of the latents.
        correlation: of predicted and true returns, at half the noise levels.
        cpu_seconds: of training.
    """

    option: str
    score: float
    interval: tuple[float, float]
    planned_actions: float
    first_error: float
    last_error: float
    rank: float
    correlation: float
    cpu_seconds: float


def changes(option: str) -> dict[str, Any]:
    """The options of one row: split at commas, but not at those of a tuple.

    Example:
        >>> changes("multipliers=(1,2),channels=16")
        {'multipliers': (1, 2), 'channels': 16}
        >>> changes("default")
        {}
    """
    if option == "default":
        return {}
    parts, depth = [""], 0
    for letter in option:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parse_options([part.strip() for part in parts])


def outcome(
    option: str, dataset: TrajectoryDataset, preset: str, steps: int, judge: Judge
) -> Outcome:
    """Trains and judges one row.

    Args:
        option: "name=value,..." or "default".
        dataset: its last trajectories are held out.
        preset: that the option is changed in.
        steps: of training.
        judge: plays.
    """
    options = get_preset(preset, {**changes(option), "steps": steps, "seed": 0})
    count = dataset.num_episodes - _HELD_OUT
    source = WindowSource(dataset.first(count))
    held_out = WindowSource(dataset.select(np.arange(count, count + _HELD_OUT)))
    model = fresh_model([source], options.model, options.training.seed)
    batches = BatchSampler([source], options.model, options.training.batch_size, 0)
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        cpu = torch.device("cpu")
        trainer = Trainer(model, batches, options.training, Path(folder), cpu)
        if not trainer.run():
            raise KeyboardInterrupt
    seconds = time.process_time() - start
    model = trainer.best_model().eval().requires_grad_(False)
    # As far as the model itself looks.
    figures = measure(model, source.task, source, held_out, samples=8, ahead=1)
    errors = figures.prediction_errors
    played = judge.rewards(Planner(model, source.task, UNGUIDED))
    random, expert = judge.random, judge.expert
    return Outcome(
        option,
        normalised(float(played.mean()), float(random.mean()), float(expert.mean())),
        normalised_interval(played, random, expert),
        figures.planned_actions,
        errors["world model, one step"][0] / errors["linear"][0],
        errors["world model, one step"][-1] / errors["linear"][-1],
        figures.effective_rank,
        figures.rank_correlations[len(figures.rank_correlations) // 2],
        seconds,
    )


def _cells(row: Outcome) -> list[str]:
    low, high = row.interval
    return [
        row.option, f"{row.score:.1f} [{low:.1f}, {high:.1f}]",
        f"{100 * row.planned_actions:.0f} %",
        f"{row.first_error:.2f}", f"{row.last_error:.2f}", f"{row.rank:.1f}",
        f"{row.correlation:.2f}", f"{row.cpu_seconds:.0f}",
    ]  # fmt: skip


def _run(options: argparse.Namespace) -> None:
    check_int("--steps", options.steps, 1)
    dataset = check_judging(options)
    if dataset.num_episodes <= _HELD_OUT:
        raise ValueError(
            f"{options.data} has {dataset.num_episodes} trajectories; {_HELD_OUT} are held out, "
            "and one more at least is needed."
        )
    names = ["default", *(options.options or OPTIONS)]
    for name in names[1:]:
        get_preset(options.preset, changes(name))  # refuse a wrong one before hours of work
    judge = Judge(dataset, options)
    rows = [
        outcome(name, dataset, options.preset, options.steps, judge)
        for name in with_progress("options", names)
    ]
    machine = machine_lines(("wirelessenvs", "torch", "numpy"))
    print("\n".join(machine))
    print(f"\n{dataset}, preset {options.preset}, {options.steps} steps\n")
    print("\n".join(table_lines(_COLUMNS, list(map(_cells, rows)))))
    if options.json is not None:
        found = [dataclasses.asdict(row) for row in rows]
        write_figures(options.json, [options.command], machine, {"rows": found})


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.studies.model_options"),
        description="Train briefly with one option of the world model changed at a time.",
    )
    parser.add_argument(
        "--options", nargs="+", metavar="NAME=VALUE[,...]",
        help="rows (default: all of interest), tuples in brackets: 'multipliers=(1,2)'",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, default=600, help="of training (default: 600)")
    add_judging(parser, episodes=8)
    return run_command(_run, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
