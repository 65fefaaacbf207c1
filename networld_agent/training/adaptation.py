"""Adaptation: a trained world model learns a task from a few trajectories of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from networld_agent.config import PRESETS, Preset
from networld_agent.data.family import open_dataset
from networld_agent.data.windows import WindowSource, held_out_split
from networld_agent.device import pick_device
from networld_agent.model.files import weights_sha256
from networld_agent.model.world_model import TASK_PARTS, WorldModel
from networld_agent.training.pretraining import fresh_model
from networld_agent.training.run import Report, report_size, train
from networld_agent.training.task_specs import make_task_spec

__all__ = ["adapt", "add_target_task", "shared_parameters"]


def add_target_task(model: WorldModel, source: WindowSource, seed: int) -> None:
    """Prepares a model for the task of a source; a task that it knows goes on as it is.

    Raises:
        ValueError: if the model knows the task with other sizes or actions.
    """
    known = model.tasks.get(source.task)
    index = known.index if known else 1 + max((t.index for t in model.tasks.values()), default=-1)
    spec = make_task_spec(source.task, index, [source], model.config)
    if known is None:
        torch.manual_seed(seed)
        model.add_task(spec)
    elif (known.observation_size, known.action) != (spec.observation_size, spec.action):
        raise ValueError(
            f"{source.dataset.path} does not fit the model: it knows {source.task!r} with "
            f"{known.observation_size} observation entries and {known.action.kind} actions, the "
            f"data has {spec.observation_size} and {spec.action.kind} ones (or other bounds)."
        )
    elif known.value_scale is not None:
        # Its values were learnt with latents that are about to change.
        model.set_task(dataclasses.replace(known, value_scale=None, value_sizes=()))
    model.requires_grad_(True)
    for name in model.tasks:
        if name != source.task:
            for module in model.own_modules(name):
                module.requires_grad_(False)


def shared_parameters(model: WorldModel) -> frozenset[str]:
    """Names of the weights that all tasks share; rows of the task embedding are not."""
    own = tuple(f"{part}." for part in TASK_PARTS)
    return frozenset(
        name
        for name, _ in model.named_parameters()
        if not name.startswith(own) and "conditioning.task" not in name
    )


def adapt(
    model: str | Path,
    data: str | Path,
    out: str | Path,
    preset: Preset = PRESETS["demo"],
    *,
    trajectories: int | None = None,
    first_steps: int | None = None,
    from_scratch: bool = False,
    draw: int | None = None,
    device: str = "auto",
    tensorboard: bool = False,
    verify: str = "once",
    report: Report | None = None,
) -> Path:
    """Adapts a trained model to a task, into the folder `out`; returns it.

    The new task gets an index, an encoder and an inverse dynamics model of its own, all fresh; what
    is shared is trained on with it. The last trajectory is held out and decides which weights are
    kept and when to stop. Stopped and finished runs are as those of `pretrain`.

    Args:
        model: folder of the trained model; its sizes stay.
        data: data set of the task, or a folder that holds no other one.
        out: folder of the run; must not exist, or be of this very run.
        preset: its budget of adaptation, see `get_preset`.
        trajectories: the first n of the data; all by default.
        first_steps: of each trajectory; all by default.
        from_scratch: train the same network on the same data without what was learnt before.
        draw: seed that draws the trajectories among those of the data, see
            `TrajectoryDataset.drawn`; None takes the first ones.
        device: "auto", "cpu", "cuda", "cuda:1".
        tensorboard: also write TensorBoard's files.
        verify: as in `TrajectoryDataset.open`; the run's record says if it was only quick.
        report: told in one sentence how the run has ended.

    Raises:
        ValueError: if model or data cannot be used or do not fit each other, `out` is of another
            run, or the loss is not finite.
        KeyboardInterrupt: if stopped by a signal, after the checkpoint is written.

    Example:
        >>> adapt("runs/pretrained", "data/rb", "runs/rb", trajectories=10)  # doctest: +SKIP
    """
    place = pick_device(device)
    config = preset.adaptation
    network = WorldModel.load(Path(model))
    source, held_out = held_out_split(
        open_dataset(Path(data), verify).drawn(draw),
        network.config.horizon,
        trajectories,
        first_steps,
        config.trajectory_temperature,
    )
    slow: frozenset[str] = frozenset()
    settings: dict[str, Any] = {"command": "adapt", "preset": preset.name}
    settings["from_scratch"] = from_scratch
    if from_scratch:
        network = fresh_model([source], network.config, config.seed)
    else:
        settings["pretrained"] = str(Path(model))
        settings["pretrained_sha256"] = weights_sha256(Path(model))
        add_target_task(network, source, config.seed)
        slow = shared_parameters(network)
    if held_out is None:
        config = dataclasses.replace(config, patience=0)
    report_size(network, [source])
    train(
        network, [source], [held_out] if held_out else [], config, Path(out), place, settings,
        slow, tensorboard, report,
    )  # fmt: skip
    return Path(out)
