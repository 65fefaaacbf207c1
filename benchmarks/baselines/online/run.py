"""An online run from its first step to its scores, for MAPPO and whatever learns online."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.baselines import load_policy
from benchmarks.baselines.online.evaluation import (
    Evaluation,
    Setting,
    score_policy,
    snapshot_curve,
)
from benchmarks.baselines.online.online_training import OnlineLearner
from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.baselines.shared.policy import BaselinePolicy
from benchmarks.baselines.shared.torch_threads import torch_threads
from benchmarks.baselines.shared.training_loop import train
from networld_agent.documents import write_json
from networld_agent.fields import Fields
from networld_agent.training.run_folder import check_finished, run_folder
from wirelessenvs.files import read_regular

__all__ = ["evaluate_run", "last_metrics", "report", "train_run"]


def train_run(
    make: Callable[[], OnlineLearner],
    method: str,
    setting: Setting,
    config: BaselineConfig,
    folder: Path,
    progress: bool = True,
    models: Sequence[str] = (),
) -> BaselinePolicy:
    """Trains into a run's folder, or goes on with what is there.

    The folder gets `config.json`, `metrics.jsonl`, a checkpoint, `snapshots/<steps>` and `policy`,
    and whatever the method saves beside it.

    Args:
        make: the learner, of the configuration's seed.
        method: its name.
        setting: where it acts.
        config: of the method.
        folder: of the run.
        progress: whether a line shows it.
        models: files that describe what the method's `save_models` leaves in a finished run.

    Raises:
        ValueError: if the folder is of another run or a damaged one, or training diverges.
        KeyboardInterrupt: if stopped by a signal, after the checkpoint is written.
    """
    identity = {"method": method, "setting": asdict(setting), "config": config.identity()}
    with run_folder(folder, identity):
        if (folder / "policy" / "policy.json").exists():
            check_finished(folder, ["policy/policy.json", *models])
        else:
            _train(make, method, config, folder, progress)
    return load_policy(folder)


def _train(
    make: Callable[[], OnlineLearner],
    method: str,
    config: BaselineConfig,
    folder: Path,
    progress: bool,
) -> None:
    with torch_threads(config.threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        learner = make()

        def snapshot(step: int) -> None:
            learner.policy().save(folder / "snapshots" / str(step))

        try:
            train(learner, config, folder, progress, snapshot, method)
        except KeyboardInterrupt:
            print("\nstopped: repeat the same command to go on.", file=sys.stderr)
            raise
        learner.save_models(folder)
        # Last: it marks the run as finished.
        learner.policy().save(folder / "policy")


def evaluate_run(
    folder: Path,
    setting: Setting,
    evaluation: Evaluation,
    references: dict[str, list[float]] | None = None,
) -> dict[str, Any]:
    """Scores of a finished run and its learning curve, written to its `evaluation.json`.

    Args:
        folder: of the run.
        setting: where it plays.
        evaluation: how; the curve plays 4 episodes of at most 100 steps.
        references: as in `score_policy`.
    """
    scores = score_policy(load_policy(folder), setting, evaluation, references)
    short = Evaluation(
        min(4, evaluation.episodes), min(100, evaluation.steps), evaluation.warm_up,
        evaluation.validation,
    )  # fmt: skip
    document = {
        "setting": asdict(setting),
        "evaluation": asdict(evaluation),
        **scores,
        "curve": snapshot_curve(folder, setting, short),
    }
    write_json(folder / "evaluation.json", document)
    return document


def last_metrics(folder: Path) -> dict[str, Any]:
    """The last whole line of a run's log; a kill may have torn the one after it.

    Raises:
        ValueError: naming the file, if it has none.
    """
    path = folder / "metrics.jsonl"
    text = read_regular(path).decode(errors="replace") if path.exists() else ""
    lines = text.splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    if not whole:
        raise ValueError(f"{path} is missing or has no whole line: is {folder} a run?")
    try:
        metrics: dict[str, Any] = json.loads(whole[-1])
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is damaged: line {len(whole)} is no JSON.") from None
    numbers = Fields(metrics, f"{path}: line {len(whole)}", error=ValueError)
    numbers.integer("step", 1)
    for name in numbers:
        numbers.real(name)
    return metrics


def report(name: str, folder: Path, scores: dict[str, Any]) -> str:
    """One or two lines for the terminal."""
    low, high = scores["interval"]
    references = {key: sum(v) / len(v) for key, v in scores["references"].items()}
    beside = ", ".join(f"{key} {value:.4g}" for key, value in references.items())
    if "score" in scores:
        return (
            f"{folder}: {name} earns {scores['reward']:.4f} per step ({beside}): score "
            f"{scores['score']:.1f}, 95 % [{low:.1f}, {high:.1f}]"
        )
    return (
        f"{folder}: {name} returns {scores['return']:.1f}, 95 % [{low:.1f}, {high:.1f}] ({beside})"
    )
