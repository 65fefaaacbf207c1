"""Trains one world model on the data of several tasks.

    python -m networld_agent.pretrain --data data/rb data/cbf --preset cpu --out runs/pretrained

A stopped run goes on with the same command, to the same final weights, bit for bit on a CPU.
Several processes: `torchrun --nproc-per-node 2 -m networld_agent.pretrain ...`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from networld_agent.config import PRESETS, get_preset
from networld_agent.data.windows import WindowSource
from networld_agent.device import pick_device
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.world_model import WorldModel
from networld_agent.training.command import (
    add_training_options,
    open_datasets,
    option_overrides,
    report_size,
    train,
)
from networld_agent.training.task_specs import make_task_spec
from wirelessenvs.command import run

__all__ = ["fresh_model", "main"]


def fresh_model(sources: Sequence[WindowSource], config: WorldModelConfig, seed: int) -> WorldModel:
    """A model for the tasks of these sources, numbered in their order, with random weights."""
    by_task: dict[str, list[WindowSource]] = {}
    for source in sources:
        by_task.setdefault(source.task, []).append(source)
    tasks = [
        make_task_spec(name, index, parts, config)
        for index, (name, parts) in enumerate(by_task.items())
    ]
    torch.manual_seed(seed)
    return WorldModel(config, tasks)


def _pretrain(options: argparse.Namespace) -> None:
    device = pick_device(options.device)
    preset = get_preset(options.preset, option_overrides(options))
    datasets = open_datasets(options.data)
    if options.trajectories is not None:
        datasets = [dataset.first(options.trajectories) for dataset in datasets]
    sources = [
        WindowSource(dataset, temperature=preset.training.trajectory_temperature)
        for dataset in datasets
    ]
    model = fresh_model(sources, preset.model, preset.training.seed)
    report_size(model, sources)
    train(
        model,
        sources,
        [],
        preset.training,
        options.out,
        device,
        {"command": "pretrain", "preset": options.preset},
        tensorboard=options.tensorboard,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m networld_agent.pretrain",
        description="Train a world model on one or more data sets. A stopped run goes on with the "
        "same command.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        metavar="FOLDER",
        help="data sets, or folders of data sets",
    )
    parser.add_argument("--preset", default="demo", help=f"{', '.join(PRESETS)} (default: demo)")
    parser.add_argument("--trajectories", type=int, help="first n of each data set (default: all)")
    add_training_options(parser)
    return run(_pretrain, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
