"""The loop that trains every baseline: updates, log, checkpoints, snapshots, stop requests."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.baselines.shared.learner_state import learner_tensors, restore_learner
from networld_agent.progress import ProgressLine
from networld_agent.training.checkpoints import load_checkpoint, save_checkpoint
from networld_agent.training.log import RunLog
from networld_agent.training.stop_requests import stop_requests

__all__ = ["DivergenceError", "Learner", "add_values", "batch_generator", "train"]


class DivergenceError(ValueError):
    """A loss is no longer a number; the sentence names the step."""


class Learner(ABC):
    """The state that training changes, and one update of it.

    Attributes:
        module: every network, target networks too; its state and the optimisers' are all that a
            checkpoint needs to hold.
        optimizers: of the module's parameters; no parameter is in two of them.
    """

    module: nn.Module
    optimizers: Sequence[torch.optim.Optimizer]

    @property
    @abstractmethod
    def actor(self) -> nn.Module:
        """The part of `module` that acts; a policy's `network` takes its state."""

    @abstractmethod
    def batch(self, step: int) -> Any:
        """The batch of a step: a function of the configuration's seed and the step alone."""

    @abstractmethod
    def update(self, batch: Any, step: int) -> dict[str, Tensor]:
        """One update; scalars for the log.

        Torch's global random numbers are seeded by configuration and step before each call.
        """

    def extra(self) -> dict[str, Any]:
        """JSON values that the policy keeps beside its weights."""
        return {}


def batch_generator(seed: int, step: int) -> np.random.Generator:
    """Random numbers of the batch of one step."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, step])))


def train(
    learner: Learner,
    config: BaselineConfig,
    folder: Path,
    progress: bool = True,
    snapshot: Callable[[int], None] | None = None,
    label: str = "training",
) -> None:
    """Trains to the end, from the folder's checkpoint if it has one.

    Interrupted at any moment, by `kill -9` too, the same call later ends with the same weights.

    Args:
        learner: freshly made.
        config: of the run.
        folder: of the run, in place.
        progress: whether a line shows it.
        snapshot: called with the number of updates after which the policy is to be saved.
        label: of the progress line.

    Raises:
        DivergenceError: if a value of the log is not finite.
        KeyboardInterrupt: if stopped by a signal, after the checkpoint is written.
    """
    step, sums = _restore(learner, folder)
    log, line = RunLog(folder, step), ProgressLine("updates") if progress else None
    snapshots, logged = config.snapshot_steps(), step - step % config.log_every
    with stop_requests() as stop, torch.random.fork_rng(devices=[]):
        try:
            while step < config.steps:
                torch.manual_seed(_noise_seed(config.seed, step))
                values = learner.update(learner.batch(step), step)
                add_values(sums, _numbers(values), step)
                step += 1
                if line is not None:
                    line(label, step, config.steps)
                if step % config.log_every == 0 or step == config.steps:
                    log(step, {name: total / (step - logged) for name, total in sums.items()})
                    sums, logged = {}, step
                # A snapshot before the checkpoint: a run killed between them writes it again.
                if snapshot is not None and step in snapshots:
                    snapshot(step)
                if stop or step % config.save_every == 0 or step == config.steps:
                    tensors = learner_tensors(learner)
                    save_checkpoint(folder, tensors, {"step": step, "sums": sums})
                if stop:
                    raise KeyboardInterrupt
        finally:
            log.close()
            if line is not None:
                line.close()


def _noise_seed(seed: int, step: int) -> int:
    # Torch's generator takes 32 bits of a seed: seed and step are mixed into them.
    return int(np.random.SeedSequence([seed, step, 1]).generate_state(1)[0])


def _numbers(values: dict[str, Tensor]) -> dict[str, float]:
    # Stacked first: on a GPU every transfer waits for it.
    stacked = torch.stack([value.detach().float() for value in values.values()])
    return dict(zip(values, stacked.tolist(), strict=True))


def add_values(sums: dict[str, float], values: dict[str, float], step: int) -> None:
    """Adds numbers to the sums of the next line of the log.

    Raises:
        DivergenceError: if one is not finite.
    """
    for name, number in values.items():
        sums[name] = sums.get(name, 0.0) + number
    if not all(map(math.isfinite, values.values())):
        shown = ", ".join(f"{name} {number:g}" for name, number in values.items())
        raise DivergenceError(f"training diverged at step {step}: {shown}.")


def _restore(learner: Learner, folder: Path) -> tuple[int, dict[str, float]]:
    """Takes over the folder's checkpoint; steps done and sums for the next line of the log."""
    if (found := load_checkpoint(folder)) is None:
        return 0, {}
    tensors, state = found
    restore_learner(learner, tensors)
    return int(state["step"]), dict(state["sums"])
