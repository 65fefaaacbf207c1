"""One training run: into a folder, or on from what is there."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from networld_agent.data.windows import WindowSource
from networld_agent.model.world_model import WorldModel
from networld_agent.training.batches import BatchSampler
from networld_agent.training.config import TrainingConfig
from networld_agent.training.distributed import process_group
from networld_agent.training.run_folder import check_finished, describe_source, run_folder
from networld_agent.training.trainer import Trainer

__all__ = ["Report", "report_size", "train"]

#: Told in one sentence how a run has ended.
Report = Callable[[str], None]

#: Data sets that are named one by one.
_MOST_NAMED = 8
#: Batches of held-out windows that a model is judged on.
_VALIDATION_BATCHES = 4


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
    report: Report | None = None,
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
        slow: names of parameters that take `config.body_factor` of the learning rate.
        tensorboard: also write TensorBoard's files.
        report: called at the end, by the first of several processes.

    Raises:
        ValueError: if the folder is of another run, or the loss is not finite.
        KeyboardInterrupt: if stopped by a signal, after the checkpoint is written.
    """
    with process_group(device) as share, ExitStack() as held:
        settings = {
            **command,
            "model": model.config,
            "tasks": [task.to_json() for task in model.tasks.values()],
            "training": config,
            "data": [describe_source(source) for source in sources],
            "held_out": [describe_source(source) for source in held_out],
        }
        if share.rank == 0:
            held.enter_context(run_folder(folder, settings))
        if (folder / "model.json").exists():
            if share.rank == 0:
                check_finished(folder, ["model.json"])
            if share.rank == 0 and report is not None:
                report(f"{folder} is complete already.")
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
            if report is not None:
                report(f"{folder} is complete: {counters.step} steps{best}.")


def report_size(model: WorldModel, sources: Sequence[WindowSource]) -> None:
    """One line on what is about to be trained."""
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    what = ", ".join(f"{source.dataset.path.name} ({source.task})" for source in sources)
    if len(sources) > _MOST_NAMED:
        tasks = Counter(source.task for source in sources)
        what = ", ".join(f"{count} data sets of {task}" for task, count in tasks.items())
    print(f"{millions:.2f} M parameters; data: {what}", file=sys.stderr)
