"""What `pretrain` and `adapt` share: options, one training run, its end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import WindowSource
from networld_agent.model.world_model import WorldModel
from networld_agent.training.batches import BatchSampler
from networld_agent.training.config import TrainingConfig
from networld_agent.training.distributed import process_group
from networld_agent.training.run_folder import describe_source, prepare_folder
from networld_agent.training.trainer import Trainer

__all__ = ["add_training_options", "open_datasets", "option_overrides", "report_size", "train"]

#: Batches of held-out windows that a model is judged on.
_VALIDATION_BATCHES = 4


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that every training command has."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="OPTION=VALUE",
        action="append",
        default=[],
        help="replace an option of the preset, e.g. --set horizon=16; repeatable",
    )
    parser.add_argument("--steps", type=int, help="optimiser steps (default: the preset's)")
    parser.add_argument("--seed", type=int, help="of weights, batches and noise (default: 0)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    parser.add_argument("--compile", action="store_true", help="torch.compile: minutes to warm up")
    parser.add_argument("--tensorboard", action="store_true", help="write TensorBoard files too")


def option_overrides(options: argparse.Namespace) -> list[str]:
    """`--set` with the options that have a name of their own."""
    overrides = list(options.overrides)
    for name in ("steps", "seed"):
        if getattr(options, name) is not None:
            overrides.append(f"{name}={getattr(options, name)}")
    return overrides + (["compile=True"] if options.compile else [])


def open_datasets(paths: Sequence[Path]) -> list[TrajectoryDataset]:
    """Data sets; a folder without metadata stands for all data sets in it.

    Raises:
        ValueError: naming the first fault.
    """
    folders: list[Path] = []
    for path in paths:
        inner = sorted(entry.parent for entry in path.glob("[!.]*/metadata.json"))
        folders += inner if inner and not (path / "metadata.json").exists() else [path]
    return [TrajectoryDataset.open(folder) for folder in folders]


def train(
    model: WorldModel,
    sources: Sequence[WindowSource],
    held_out: Sequence[WindowSource],
    config: TrainingConfig,
    folder: Path,
    device: torch.device,
    command: dict[str, Any],
    slow: frozenset[str] = frozenset(),
    tensorboard: bool = False,
) -> None:
    """Trains a model into a run's folder, or goes on with what is there.

    Args:
        model: freshly made from `config.seed`, or the one to adapt.
        sources: to train on.
        held_out: to choose the best weights by; may be empty.
        config: of the training.
        folder: of the run.
        device: to train on.
        command: further settings that the weights depend on.
        slow: names of parameters with a reduced learning rate.
        tensorboard: also write TensorBoard's files.

    Raises:
        ValueError: if the folder is of another run, or the loss is not finite.
        KeyboardInterrupt: if stopped by a signal, after the checkpoint is written.
    """
    with process_group(device) as share:
        settings = {
            **command,
            "model": model.config,
            "tasks": [task.to_json() for task in model.tasks.values()],
            "training": config,
            "data": [describe_source(source) for source in sources],
            "held_out": [describe_source(source) for source in held_out],
        }
        if share.rank == 0:
            prepare_folder(folder, settings)
        if (folder / "model.json").exists():
            if share.rank == 0:
                print(f"{folder} is complete already.")
            return
        sampler = BatchSampler(sources, model.config, config.batch_size, config.seed, share)
        validation = []
        if held_out:
            # Another seed than training's: other noise on other windows.
            judge = BatchSampler(held_out, model.config, config.batch_size, config.seed + 2**32)
            validation = [judge(i) for i in range(_VALIDATION_BATCHES)]
        trainer = Trainer(
            model, sampler, config, folder, device, share, validation, slow, tensorboard
        )
        complete = trainer.run()
        if not complete:
            if share.rank == 0:
                print(
                    f"\nstopped after {trainer.counters.step} of {config.steps} steps: repeat the "
                    "same command to go on.",
                    file=sys.stderr,
                )
            raise KeyboardInterrupt
        if share.rank == 0:
            trainer.best_model().save(folder)
            counters = trainer.counters
            best = f", best on held-out data at step {counters.best_step}" if held_out else ""
            print(f"{folder} is complete: {counters.step} steps{best}.")


def report_size(model: WorldModel, sources: Sequence[WindowSource]) -> None:
    """One line on what is about to be trained."""
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    what = ", ".join(f"{source.dataset.path.name} ({source.task})" for source in sources)
    print(f"{millions:.2f} M parameters; data: {what}", file=sys.stderr)
