"""What pre-training saves: scores after few updates, pre-trained and from scratch.

    python -m benchmarks.studies.pretraining_gain --pretrained runs/a runs/b runs/c --data data/rb \
        --trajectories 10 --out runs/adaptation-rb --json benchmarks/results/adaptation-rb.json

Every number of updates is a training run of its own, with its own learning rate schedule; both
sides see the same trajectories in the same batches and play the same test worlds, by unguided
plans. A repeated command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.command import run_command
from wirelessenvs.checks import check_int
from wirelessenvs.command import imports_of, program
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    from benchmarks.experiment.reporting.statistics import (
        Draws,
        Estimate,
        difference,
        paired,
        score,
    )
    from benchmarks.markdown import table_lines
    from benchmarks.records import remembered, write_figures
    from benchmarks.studies.judging import (
        UNGUIDED,
        Judge,
        add_judging,
        check_judging,
        with_progress,
    )
    from networld_agent.config import get_preset
    from networld_agent.data import TrajectoryDataset
    from networld_agent.model import WorldModel
    from networld_agent.planning import Planner
    from networld_agent.training import adapt

__all__ = ["Row", "main"]

_COLUMNS: Final = (
    "updates", "CPU s", "pre-trained: score [95 %]", "from scratch: score [95 %]",
    "reward gained [95 %]", "pre-training is",
)  # fmt: skip


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
    check_int("--trajectories", options.trajectories, 1)
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
    options: argparse.Namespace, judge: Judge, seed: int, key: str, updates: int, scratch: bool
) -> tuple[list[float], float | None]:
    """Rewards in the test worlds of one training run, and its CPU seconds, if they are known."""
    side = "from-scratch" if scratch else "pre-trained"
    folder = options.out / f"{side}-{updates}-s{seed}-{key}"
    preset = get_preset(options.preset, {"steps": updates, "seed": seed})

    def fit() -> dict[str, float | None]:
        begun, start = (folder / "checkpoint.json").exists(), time.process_time()
        adapt(
            options.pretrained[seed], options.data, folder, preset, device="cpu",
            trajectories=options.trajectories, from_scratch=scratch,
        )  # fmt: skip
        # What an earlier process has spent is not known.
        return {"cpu_seconds": None if begun else time.process_time() - start}

    def played() -> dict[str, list[float]]:
        planner = Planner.load(folder, judge.task, UNGUIDED)
        return {"rewards": judge.rewards(planner).tolist()}

    training = remembered(folder / "training.json", {"key": key}, fit)
    identity = {
        "model": _digest(folder / "model.json"),
        "episodes": options.episodes,
        "eval_steps": options.eval_steps,
    }
    found = remembered(folder / "played.json", identity, played)
    return found["rewards"], training["cpu_seconds"]


def _row(options: argparse.Namespace, judge: Judge, keys: Sequence[str], updates: int) -> Row:
    rewards, seconds = [], []
    for scratch in (False, True):
        runs = []
        for seed, key in enumerate(keys):
            values, cpu = _adapted(options, judge, seed, key, updates, scratch)
            runs.append(values)
            if cpu is not None:
                seconds.append(cpu)
        rewards.append(runs)
    ours, theirs = paired(np.array(rewards[0]), np.array(rewards[1]))
    draws, anchors = Draws(judge.task, options.episodes), (judge.random, judge.expert)
    return Row(
        updates,
        score(draws, *ours, anchors),
        score(draws, *theirs, anchors),
        difference(draws, ours, theirs),
        rewards,
        float(np.median(seconds)) if seconds else None,
    )


def _cells(row: Row) -> list[str]:
    return [
        str(row.updates), "-" if row.cpu_seconds is None else f"{row.cpu_seconds:.0f}",
        row.pretrained.shown(".1f"), row.scratch.shown(".1f"), row.gain.shown("+.3g"),
        row.gain.verdict("ahead", "behind"),
    ]  # fmt: skip


def _run(options: argparse.Namespace) -> None:
    dataset = check_judging(options)
    _check(options, dataset)
    judge = Judge(dataset, options)
    keys = [_key(options, dataset, seed) for seed in range(len(options.pretrained))]
    budgets = sorted(set(options.updates))
    rows = [_row(options, judge, keys, updates) for updates in with_progress("budgets", budgets)]
    machine = machine_lines(("wirelessenvs", "torch", "numpy"))
    print("\n".join(machine))
    print(
        f"\n{dataset}, {options.trajectories} of its trajectories, "
        f"{len(options.pretrained)} training seeds\n"
    )
    print("\n".join(table_lines(_COLUMNS, list(map(_cells, rows)))))
    if options.json is not None:
        figures = {
            "random": judge.random.tolist(),
            "expert": judge.expert.tolist(),
            "rows": [dataclasses.asdict(row) for row in rows],
        }
        write_figures(options.json, [options.command], machine, figures)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.studies.pretraining_gain"),
        description="Score a world model after few updates on a task, pre-trained and not.",
    )
    parser.add_argument(
        "--pretrained", type=Path, nargs="+", required=True, metavar="RUN",
        help="models that do not know the task, one per training seed",
    )  # fmt: skip
    parser.add_argument(
        "--trajectories", type=int, default=10, help="first n of them (default: 10)"
    )
    parser.add_argument(
        "--updates", type=int, nargs="+", default=[25, 50, 100, 200, 400], metavar="N",
        help="of each adaptation (default: 25 50 100 200 400)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder of the training runs")
    add_judging(parser, episodes=20)
    return run_command(_run, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
