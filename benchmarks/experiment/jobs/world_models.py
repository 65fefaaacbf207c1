"""The jobs that train NetWorld: on other tasks, then on the held-out one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.experiment.jobs.held_out import looked_at
from networld_agent.config import Preset, get_preset, parse_options
from networld_agent.data.family import open_dataset
from networld_agent.data.windows import WindowSource, first_segments
from networld_agent.evaluation.seeds import VALIDATION_SEEDS, group_seeds
from networld_agent.evaluation.tuning import Trial, tune_model
from networld_agent.model import WorldModel
from networld_agent.planning import PlannerConfig
from networld_agent.training import adaptation, pretraining
from networld_agent.training.action_values import ValueConfig, learn_action_values

__all__ = ["adapt", "pretrain"]


def pretrain(settings: dict[str, Any], inputs: dict[str, Path], folder: Path) -> dict[str, Any]:
    """Trains on the data of several tasks into `folder/model`."""
    data = [path / "data" for role, path in inputs.items() if role.startswith("data-")]
    pretraining.pretrain(
        data, folder / "model", _preset(settings), trajectories=settings["trajectories"],
        report=print,
    )  # fmt: skip
    return {}


def adapt(settings: dict[str, Any], inputs: dict[str, Path], folder: Path) -> dict[str, Any]:
    """Adapts, or trains from scratch, into `folder/model`; then tunes the guidance scale."""
    path, preset = folder / "model", _preset(settings, snapshots=settings["snapshots"])
    adaptation.adapt(
        inputs["model"] / "model",
        inputs["data"] / "data",
        path,
        preset,
        trajectories=settings["trajectories"],
        first_steps=settings["first_steps"],
        from_scratch=settings["from_scratch"],
        draw=settings.get("draw"),
        report=print,
    )
    if "values" in settings:
        _learn_values(path, inputs["data"] / "data", settings)
    before = time.process_time()
    trials = _tune(path, settings["tuning"], settings.get("plan"))
    return {
        "tuning": trials,
        "tuning_cpu_seconds": time.process_time() - before,
        "held_out": looked_at(path, preset.adaptation.validate_every),
        "parameters": _parameters(WorldModel.load(path), settings["tuning"]["env"]),
    }


def _learn_values(path: Path, data: Path, settings: dict[str, Any]) -> None:
    """Values of actions from the data that the model was adapted to."""
    dataset = open_dataset(data).drawn(settings.get("draw"))
    segments = settings["trajectories"], settings["first_steps"]
    config = ValueConfig(**parse_options(settings["values"]), seed=settings["seed"])
    model = WorldModel.load(path)
    learn_action_values(model, WindowSource(dataset, first_segments(dataset, *segments)), config)
    model.save(path)


def _preset(settings: dict[str, Any], **more: Any) -> Preset:
    own = {"steps": settings["steps"], "seed": settings["seed"], **more}
    return get_preset(settings["network"], {**parse_options(settings["options"]), **own})


def _tune(path: Path, tuning: dict[str, Any], plan: dict[str, Any] | None) -> dict[str, float]:
    """Chooses how the planner draws, on validation worlds; the model keeps it."""
    from benchmarks.experiment.jobs.worlds import make_job_worlds

    worlds = make_job_worlds(tuning, tuning["episodes"])
    seeds = group_seeds(VALIDATION_SEEDS, None, 1, tuning["episodes"])
    config = PlannerConfig(**(plan or {}))
    trials = tune_model(path, [worlds], seeds, tuning["steps"], config, warm_up=tuning["warm_up"])
    return {_setting(trial): trial.reward for trial in trials}


def _setting(trial: Trial) -> str:
    words = f"{trial.temperature:g}, {trial.scale:g}, {trial.denoising_steps}"
    return words if trial.value_scale is None else f"{words}, {trial.value_scale:g}"


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
