"""What pre-training saves: scores after few updates, pre-trained and from scratch.

    python -m benchmarks.studies.pretraining_gain --pretrained runs/a runs/b runs/c --data data/rb \
        --trajectories 10 --out runs/adaptation-rb --json benchmarks/results/adaptation-rb.json

Every number of updates is a training run of its own, with its own learning rate schedule; both
sides see the same trajectories in the same batches and play the same test worlds, by unguided
plans. A repeated command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import io
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from benchmarks.baselines.remembered import remembered
from benchmarks.experiment.jobs.execute import check_status
from benchmarks.experiment.reporting.statistics import (
    Draws,
    Estimate,
    Reals,
    difference,
    paired,
    score,
)
from benchmarks.records import write_figures
from networld_agent import adapt
from networld_agent.config import PRESETS, get_preset
from networld_agent.data import TrajectoryDataset
from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.json_values import finite_or_null
from networld_agent.evaluation.players import PlannerPlayer, PolicyPlayer, check_fit
from networld_agent.evaluation.seeds import TEST_SEEDS, group_seeds
from networld_agent.model import WorldModel
from networld_agent.planning import Planner, PlannerConfig
from networld_agent.worlds.interface import Worlds
from networld_agent.worlds.make import worlds_of
from wirelessenvs.checks import check_int
from wirelessenvs.command import Progress, check_targets, run
from wirelessenvs.machine import machine_lines

__all__ = ["Row", "main"]

_WARM_UP: Final = 5


@dataclass(frozen=True)
class Row:
    """The comparison after one number of updates.

    Args:
        updates: of the adaptation.
        pretrained: score, 0 random, 100 expert, with its interval over training seeds and worlds.
        scratch: the same without pre-training.
        gain: reward of the former minus the latter, seed by seed and world by world.
        rewards: `[side][seed][world]`, pre-trained first.
        cpu_seconds: of one adaptation, the median of those that were not interrupted; None if all
            were.
    """

    updates: int
    pretrained: Estimate
    scratch: Estimate
    gain: Estimate
    rewards: list[list[list[float]]]
    cpu_seconds: float | None


def _check(options: argparse.Namespace, dataset: TrajectoryDataset) -> None:
    """Refuses now what would fail, or mislead, after minutes of training.

    Raises:
        ValueError: naming the option.
    """
    for name in ("episodes", "eval_steps", "threads", "trajectories"):
        check_int(f"--{name.replace('_', '-')}", getattr(options, name), 1)
    for updates in options.updates:
        check_int("--updates", updates, 1)
    get_preset(options.preset)
    if options.trajectories > dataset.num_episodes:
        raise ValueError(
            f"{options.data} has {dataset.num_episodes} trajectories, not {options.trajectories}."
        )
    if len(set(options.pretrained)) < len(options.pretrained):
        raise ValueError("--pretrained names a model twice: each is to be a training of its own.")
    task = dataset.description.task
    for path in options.pretrained:
        if task in WorldModel.load(path).tasks:
            raise ValueError(f"--pretrained {path} knows {task} already: give models without it.")


def _key(options: argparse.Namespace, dataset: TrajectoryDataset, seed: int) -> str:
    """Key of the model that a seed's runs begin with, whatever its path is called."""
    content = {
        "pretrained": _digest(options.pretrained[seed] / "model.json"),
        "data": {name: info.sha256 for name, info in dataset.metadata.arrays.items()},
        "trajectories": options.trajectories,
        "preset": options.preset,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _adapted(
    options: argparse.Namespace, worlds: Worlds, seed: int, key: str, updates: int, scratch: bool
) -> tuple[list[float], float | None]:
    """Rewards in the test worlds of one training run, and its CPU seconds, if they are known."""
    side = "from-scratch" if scratch else "pre-trained"
    folder = options.out / f"{side}-{updates}-s{seed}-{key}"
    arguments = [
        "--model", str(options.pretrained[seed]), "--data", str(options.data),
        "--trajectories", str(options.trajectories), "--preset", options.preset, "--device", "cpu",
        "--steps", str(updates), "--seed", str(seed), "--out", str(folder),
    ]  # fmt: skip
    if scratch:
        arguments.append("--from-scratch")

    def fit() -> dict[str, float | None]:
        begun, start = (folder / "checkpoint.json").exists(), time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            check_status(adapt.main(arguments), "adapting")
        # What an earlier process has spent is not known.
        return {"cpu_seconds": None if begun else time.process_time() - start}

    def played() -> dict[str, list[float]]:
        planner = Planner.load(folder, worlds.task, PlannerConfig(plan_mode="none"))
        check_fit(planner, worlds)
        seeds = _seeds(options)
        episodes = play(worlds, PlannerPlayer(planner), seeds, options.eval_steps, _WARM_UP)
        return {"rewards": episodes.rewards.tolist()}

    training = remembered(folder / "training.json", {"key": key}, fit)
    identity = {
        "model": _digest(folder / "model.json"),
        "episodes": options.episodes,
        "eval_steps": options.eval_steps,
    }
    found = remembered(folder / "played.json", identity, played)
    return found["rewards"], training["cpu_seconds"]


def _seeds(options: argparse.Namespace) -> tuple[int, ...]:
    return group_seeds(TEST_SEEDS, None, 1, options.episodes)


def _row(
    options: argparse.Namespace,
    worlds: Worlds,
    keys: Sequence[str],
    updates: int,
    anchors: tuple[Reals, Reals],
) -> Row:
    rewards, seconds = [], []
    for scratch in (False, True):
        runs = []
        for seed, key in enumerate(keys):
            values, cpu = _adapted(options, worlds, seed, key, updates, scratch)
            runs.append(values)
            if cpu is not None:
                seconds.append(cpu)
        rewards.append(runs)
    ours, theirs = paired(np.array(rewards[0]), np.array(rewards[1]))
    draws = Draws(worlds.task, options.episodes)
    return Row(
        updates,
        score(draws, *ours, anchors),
        score(draws, *theirs, anchors),
        difference(draws, ours, theirs),
        rewards,
        float(np.median(seconds)) if seconds else None,
    )


def _printed(rows: Sequence[Row]) -> str:
    lines = [
        "| updates | CPU s | pre-trained: score [95 %] | from scratch: score [95 %] "
        "| reward gained [95 %] | pre-training is |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        seconds = "-" if row.cpu_seconds is None else f"{row.cpu_seconds:.0f}"
        lines.append(
            f"| {row.updates} | {seconds} | {row.pretrained.shown('.1f')} "
            f"| {row.scratch.shown('.1f')} | {row.gain.shown('+.3g')} "
            f"| {row.gain.verdict('ahead', 'behind')} |"
        )
    return "\n".join(lines)


def _run(options: argparse.Namespace) -> None:
    check_targets(options.json)
    dataset = TrajectoryDataset.open(options.data)
    _check(options, dataset)
    torch.set_num_threads(options.threads)
    worlds = worlds_of(dataset, options.episodes, options.eval_steps + _WARM_UP)
    if worlds is None:
        raise ValueError(f"{options.data} is of no task of this project: nothing to score on.")
    random, expert = (
        play(
            worlds, PolicyPlayer(worlds, name), _seeds(options), options.eval_steps, _WARM_UP
        ).rewards
        for name in ("random", "expert")
    )
    keys = [_key(options, dataset, seed) for seed in range(len(options.pretrained))]
    budgets = sorted(set(options.updates))
    progress = Progress("budgets", len(budgets))
    rows = []
    for done, updates in enumerate(budgets):
        rows.append(_row(options, worlds, keys, updates, (random, expert)))
        progress(done + 1)
    progress.close()
    machine = machine_lines(("wirelessenvs", "torch", "numpy"))
    print("\n".join(machine))
    print(
        f"\n{dataset}, {options.trajectories} of its trajectories, "
        f"{len(options.pretrained)} training seeds\n\n{_printed(rows)}"
    )
    if options.json is not None:
        figures = {
            "random": random.tolist(),
            "expert": expert.tolist(),
            "rows": [finite_or_null(dataclasses.asdict(row)) for row in rows],
        }
        command = ["python -m benchmarks.studies.pretraining_gain", *options.arguments]
        write_figures(options.json, command, machine, figures)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studies.pretraining_gain",
        description="Score a world model after few updates on a task, pre-trained and not.",
    )
    parser.add_argument(
        "--pretrained", type=Path, nargs="+", required=True, metavar="RUN",
        help="models that do not know the task, one per training seed",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, help="expert data set of the task")
    parser.add_argument(
        "--trajectories", type=int, default=10, help="first n of them (default: 10)"
    )
    parser.add_argument(
        "--updates", type=int, nargs="+", default=[25, 50, 100, 200, 400], metavar="N",
        help="of each adaptation (default: 25 50 100 200 400)",
    )  # fmt: skip
    parser.add_argument("--preset", default="demo", help=f"{', '.join(PRESETS)} (default: demo)")
    parser.add_argument("--episodes", type=int, default=20, help="test worlds (default: 20)")
    parser.add_argument("--eval-steps", type=int, default=100, help="of each (default: 100)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the training runs")
    parser.add_argument("--json", type=Path, help="write all figures")
    options = parser.parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    return run(_run, options)


if __name__ == "__main__":
    sys.exit(main())
