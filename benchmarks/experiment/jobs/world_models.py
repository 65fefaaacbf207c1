"""The jobs that train NetWorld: on other tasks, then on the held-out one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from networld_agent import adapt as adapt_command
from networld_agent import pretrain as pretrain_command
from networld_agent.evaluation.seeds import VALIDATION_SEEDS, group_seeds
from networld_agent.evaluation.tuning import best_trial, store_trial, tune_planner
from networld_agent.model import WorldModel
from networld_agent.planning import Planner

__all__ = ["adapt", "pretrain"]


def pretrain(settings: dict[str, Any], inputs: dict[str, Path], folder: Path) -> dict[str, Any]:
    """Trains on the data of several tasks into `folder/model`."""
    from benchmarks.experiment.jobs.execute import check_status

    data = [str(path / "data") for role, path in inputs.items() if role.startswith("data-")]
    arguments = [
        "--data", *data, "--trajectories", str(settings["trajectories"]),
        *_options(settings), "--out", str(folder / "model"),
    ]  # fmt: skip
    check_status(pretrain_command.main(arguments), "pre-training")
    return {}


def adapt(settings: dict[str, Any], inputs: dict[str, Path], folder: Path) -> dict[str, Any]:
    """Adapts, or trains from scratch, into `folder/model`; then tunes the guidance scale."""
    from benchmarks.experiment.jobs.execute import check_status

    path = folder / "model"
    arguments = [
        "--model", str(inputs["model"] / "model"), "--data", str(inputs["data"] / "data"),
        "--trajectories", str(settings["trajectories"]), *_options(settings), "--out", str(path),
    ]  # fmt: skip
    if settings["first_steps"] is not None:
        arguments += ["--first-steps", str(settings["first_steps"])]
    if settings["from_scratch"]:
        arguments.append("--from-scratch")
    if settings["snapshots"]:
        arguments += ["--set", f"snapshots={settings['snapshots']}"]
    check_status(adapt_command.main(arguments), "adapting")
    before = time.process_time()
    trials = _tune(path, settings["tuning"])
    return {
        "tuning": trials,
        "tuning_cpu_seconds": time.process_time() - before,
        "parameters": _parameters(WorldModel.load(path), settings["tuning"]["env"]),
    }


def _options(settings: dict[str, Any]) -> list[str]:
    found = ["--preset", settings["network"]]
    found += ["--steps", str(settings["steps"]), "--seed", str(settings["seed"])]
    for option in settings["options"]:
        found += ["--set", option]
    return found


def _tune(path: Path, tuning: dict[str, Any]) -> dict[str, float]:
    """Chooses how the planner draws, on validation worlds; the model keeps it."""
    from benchmarks.experiment.jobs.worlds import make_job_worlds

    worlds = make_job_worlds(tuning, tuning["episodes"])
    seeds = group_seeds(VALIDATION_SEEDS, None, 1, tuning["episodes"])
    planner = Planner.load(path, worlds.task)
    trials = tune_planner(
        planner.model, worlds.task, worlds, seeds, tuning["steps"], warm_up=tuning["warm_up"]
    )
    store_trial(path, worlds.task, best_trial(trials))
    return {f"{t.temperature:g}, {t.scale:g}, {t.denoising_steps}": t.reward for t in trials}


def _parameters(model: WorldModel, task: str) -> int:
    """Numbers that act in one task: shared ones and its own, without what only training needs."""
    own = f"task{model.tasks[task].index}"
    count = 0
    for name, parameter in model.named_parameters():
        part, key, *_ = name.split(".")
        if part in ("behaviours", "reconstructions") or (key.startswith("task") and key != own):
            continue
        count += parameter.numel()
    return count
