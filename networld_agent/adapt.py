"""Adapts a pre-trained world model to a task from a few trajectories of it.

    python -m networld_agent.adapt --model runs/pretrained --data data/slicing --trajectories 10 \
        --out runs/slicing

The new task gets an index, an encoder and an inverse dynamics model of its own, all fresh; what is
shared follows with a reduced learning rate. The last trajectory is held out and decides which
weights are kept and when to stop. `--from-scratch` trains the same network on the same data
without what was learnt before.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from networld_agent.config import PRESETS, get_preset, parse_options
from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import WindowSource, held_out_split
from networld_agent.device import pick_device
from networld_agent.model.world_model import TASK_PARTS, WorldModel
from networld_agent.pretrain import fresh_model
from networld_agent.training.command import (
    add_training_options,
    option_overrides,
    report_size,
    train,
)
from networld_agent.training.task_specs import make_task_spec
from wirelessenvs.command import run

__all__ = ["add_target_task", "main", "shared_parameters"]


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


def _adapt(options: argparse.Namespace) -> None:
    device = pick_device(options.device)
    overrides = option_overrides(options)
    changed, _ = parse_options(overrides)
    if changed:
        raise ValueError(f"the model's own option {next(iter(changed))!r} cannot be set here.")
    config = get_preset(options.preset, overrides).adaptation
    model = WorldModel.load(options.model)
    dataset = TrajectoryDataset.open(options.data)
    source, held_out = held_out_split(
        dataset,
        model.config.horizon,
        options.trajectories,
        options.first_steps,
        config.trajectory_temperature,
    )
    slow: frozenset[str] = frozenset()
    settings: dict[str, Any] = {
        "command": "adapt",
        "preset": options.preset,
        "from_scratch": options.from_scratch,
    }
    if options.from_scratch:
        model = fresh_model([source], model.config, config.seed)
    else:
        settings["pretrained"] = str(options.model)
        add_target_task(model, source, config.seed)
        slow = shared_parameters(model)
    if held_out is None:
        config = dataclasses.replace(config, patience=0)
    report_size(model, [source])
    train(
        model,
        [source],
        [held_out] if held_out else [],
        config,
        options.out,
        device,
        settings,
        slow,
        options.tensorboard,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m networld_agent.adapt",
        description="Adapt a trained model to a new task. A stopped run goes on with the same "
        "command.",
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--data", type=Path, required=True, help="data set of the new task")
    parser.add_argument("--trajectories", type=int, help="first n of them (default: all)")
    parser.add_argument("--first-steps", type=int, help="of each trajectory (default: all)")
    parser.add_argument(
        "--from-scratch", action="store_true", help="the same network without its training"
    )
    parser.add_argument(
        "--preset", default="demo", help=f"budget: {', '.join(PRESETS)} (default: demo)"
    )
    add_training_options(parser)
    return run(_adapt, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
