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
from typing import Final

import numpy as np
import torch

from benchmarks.records import write_figures
from networld_agent.config import PRESETS, get_preset
from networld_agent.data import TrajectoryDataset
from networld_agent.diagnostics.measurements import measure
from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.json_values import finite_or_null
from networld_agent.evaluation.players import PlannerPlayer, PolicyPlayer
from networld_agent.evaluation.scores import normalised, normalised_interval
from networld_agent.evaluation.seeds import TEST_SEEDS, group_seeds
from networld_agent.planning import Planner, PlannerConfig
from networld_agent.pretrain import fresh_model
from networld_agent.training.batches import BatchSampler
from networld_agent.training.trainer import Trainer
from networld_agent.training.windows import WindowSource
from networld_agent.worlds.interface import Worlds
from networld_agent.worlds.make import worlds_of
from wirelessenvs.checks import check_int
from wirelessenvs.command import Progress, check_targets, run
from wirelessenvs.machine import machine_lines

__all__ = ["OPTIONS", "Outcome", "changes", "main", "outcome"]

#: One row each; several changes of one row are joined by a comma, as those of a tuple.
OPTIONS: Final = (
    "standardise=False", "observation_limit=0.0", "symlog=False", "mean_field=False",
    "stop_gradient=none", "stop_gradient=all", "latent_norm=none", "prediction=velocity",
    "prediction=noise", "classifier=separate", "return_scaling=raw", "discrete_head=bins",
    "decode=mean", "action_scaling=raw", "targets=one-hot", "diffusion_weight=1.0",
    "classifier_weight=1.0", "planned_action_weight=0.0", "planned_action_weight=1.0",
    "behaviour_weight=0.0", "reconstruction_weight=0.0", "first_step_weight=1.0",
    "blocks_per_level=2", "latent_size=8", "latent_size=32,channels=64",
)  # fmt: skip
#: Trajectories at the end of the data that no row is trained on.
_HELD_OUT: Final = 5


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


def changes(option: str) -> list[str]:
    """The "name=value" of one row: split at commas, but not at those of a tuple.

    Example:
        >>> changes("multipliers=(1,2),channels=16")
        ['multipliers=(1,2)', 'channels=16']
        >>> changes("default")
        []
    """
    if option == "default":
        return []
    parts, depth = [""], 0
    for letter in option:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def outcome(
    option: str,
    dataset: TrajectoryDataset,
    preset: str,
    steps: int,
    worlds: Worlds,
    anchors: tuple[np.ndarray, np.ndarray],
    seeds: Sequence[int],
    eval_steps: int,
) -> Outcome:
    """Trains and judges one row.

    Args:
        option: "name=value,..." or "default".
        dataset: its last trajectories are held out.
        preset: that the option is changed in.
        steps: of training.
        worlds: to play in.
        anchors: `(E,)` rewards of the random policy and of the expert in them.
        seeds: `(E,)` of the test worlds.
        eval_steps: of each episode.
    """
    options = get_preset(preset, [*changes(option), f"steps={steps}", "seed=0"])
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
    task = source.task
    # As far as the model itself looks.
    figures = measure(model, task, source, held_out, samples=8, ahead=1)
    errors = figures.prediction_errors
    planner = Planner(model, task, PlannerConfig(plan_mode="none"))
    played = play(worlds, PlannerPlayer(planner), seeds, eval_steps).rewards
    random, expert = anchors
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


def _printed(rows: Sequence[Outcome]) -> str:
    lines = [
        "| option | score [95 %] | plan takes the data's action | next latent, of linear | last "
        "latent, of linear | rank | correlation of returns | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.option} | {row.score:.1f} [{row.interval[0]:.1f}, {row.interval[1]:.1f}] "
            f"| {100 * row.planned_actions:.0f} % | {row.first_error:.2f} | {row.last_error:.2f} "
            f"| {row.rank:.1f} | {row.correlation:.2f} | {row.cpu_seconds:.0f} |"
        )
    return "\n".join(lines)


def _run(options: argparse.Namespace) -> None:
    check_targets(options.json)
    check_int("--steps", options.steps, 1)
    episodes = check_int("--episodes", options.episodes, 1)
    torch.set_num_threads(check_int("--threads", options.threads, 1))
    dataset = TrajectoryDataset.open(options.data)
    if dataset.num_episodes <= _HELD_OUT:
        raise ValueError(
            f"{options.data} has {dataset.num_episodes} trajectories; {_HELD_OUT} are held out, "
            "and one more at least is needed."
        )
    worlds = worlds_of(dataset, episodes, options.eval_steps + 5)
    if worlds is None:
        raise ValueError(f"{options.data} is of no task of this project: nothing to score on.")
    seeds = group_seeds(TEST_SEEDS, None, 1, episodes)
    anchors = tuple(
        play(worlds, PolicyPlayer(worlds, name), seeds, options.eval_steps).rewards
        for name in ("random", "expert")
    )
    names = ["default", *(options.options or OPTIONS)]
    for name in names[1:]:
        get_preset(options.preset, changes(name))  # refuse a wrong one before hours of work
    progress = Progress("options", len(names))
    rows = []
    for done, name in enumerate(names):
        rows.append(
            outcome(
                name, dataset, options.preset, options.steps, worlds, (anchors[0], anchors[1]),
                seeds, options.eval_steps,
            )
        )  # fmt: skip
        progress(done + 1)
    progress.close()
    machine = machine_lines(("wirelessenvs", "torch", "numpy"))
    print("\n".join(machine))
    print(f"\n{dataset}, preset {options.preset}, {options.steps} steps\n\n{_printed(rows)}")
    if options.json is not None:
        command = ["python -m benchmarks.studies.model_options", *options.arguments]
        found = [finite_or_null(dataclasses.asdict(row)) for row in rows]
        write_figures(options.json, command, machine, {"rows": found})


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studies.model_options",
        description="Train briefly with one option of the world model changed at a time.",
    )
    parser.add_argument("--data", type=Path, required=True, help="expert data set of one task")
    parser.add_argument(
        "--options", nargs="+", metavar="NAME=VALUE[,...]",
        help="rows (default: all of interest), tuples in brackets: 'multipliers=(1,2)'",
    )  # fmt: skip
    parser.add_argument("--preset", default="demo", help=f"{', '.join(PRESETS)} (default: demo)")
    parser.add_argument("--steps", type=int, default=600, help="of training (default: 600)")
    parser.add_argument("--episodes", type=int, default=8, help="test worlds (default: 8)")
    parser.add_argument("--eval-steps", type=int, default=100, help="of each (default: 100)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--json", type=Path, help="write all figures")
    options = parser.parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    return run(_run, options)


if __name__ == "__main__":
    sys.exit(main())
