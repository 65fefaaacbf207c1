"""The loop that trains every baseline: rounds, log, checkpoints, snapshots, stop requests."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.baselines.shared.held_out import HeldOut
from benchmarks.baselines.shared.learner_state import learner_tensors, restore_learner
from networld_agent.training.checkpoints import (
    load_checkpoint,
    prefixed,
    read_sums,
    restoring,
    save_checkpoint,
    state_fields,
    with_prefix,
)
from networld_agent.training.log import RunLog
from networld_agent.training.stop_requests import stop_requests
from wirelessenvs.command import Progress

__all__ = [
    "Counters",
    "DivergenceError",
    "Learner",
    "Trainable",
    "add_values",
    "batch_generator",
    "train",
]

#: Of tensors in a checkpoint that are not the learner's module or optimisers.
_MEMORY = "memory."
#: Of the weights that held-out data has chosen so far.
_CHOSEN = "chosen."


class DivergenceError(ValueError):
    """A loss is no longer a number; the sentence names the step."""


@dataclass
class Counters:
    """How far a run is.

    Args:
        step: of the configuration's `steps`.
        rounds: of the loop; log and checkpoints count these.
    """

    step: int = 0
    rounds: int = 0


class Trainable(ABC):
    """What a run changes, and one round of it.

    Attributes:
        unit: of the steps.
        module: every network, target networks too; its state and the optimisers' are all of the
            learnt that a checkpoint needs to hold.
        optimizers: of the module's parameters; no parameter is in two of them.
    """

    unit: ClassVar[str]
    module: nn.Module
    optimizers: Sequence[torch.optim.Optimizer]

    @abstractmethod
    def advance(self, at: Counters, seed: int, sums: dict[str, float]) -> None:
        """One round; `add_values` adds its numbers to the sums of the next line of the log.

        Args:
            at: where the run is; it moves on.
            seed: of the run.
            sums: by name.
        """

    def start(self, at: Counters, memory: Mapping[str, Tensor] | None) -> None:  # noqa: B027
        """Begins the rounds, after weights and optimisers are restored.

        Args:
            at: where the run is.
            memory: what `memory` returned; None in a run that has no checkpoint.
        """

    def memory(self) -> dict[str, Tensor]:
        """All that a checkpoint needs beside weights and optimisers."""
        return {}


class Learner(Trainable):
    """What training on stored data changes, and one update of it: a round, and a step."""

    unit = "updates"

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

    def held_out_loss(self, batch: Any) -> Tensor:  # noqa: ARG002
        """The loss of `actor` by which held-out data chooses its weights, as a scalar.

        Raises:
            ValueError: if the method has none.
        """
        raise ValueError(f"{type(self).__name__} has no held_out_loss: held_out must be false.")

    def advance(self, at: Counters, seed: int, sums: dict[str, float]) -> None:
        """One update."""
        torch.manual_seed(_noise_seed(seed, at.step))
        values = self.update(self.batch(at.step), at.step)
        add_values(sums, _numbers(values), at.step)
        at.step += 1
        at.rounds += 1

    def extra(self) -> dict[str, Any]:
        """JSON values that the policy keeps beside its weights."""
        return {}


def batch_generator(seed: int, step: int) -> np.random.Generator:
    """Random numbers of the batch of one step."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, step])))


def train(
    learner: Trainable,
    config: BaselineConfig,
    folder: Path,
    progress: bool = True,
    snapshot: Callable[[int], None] | None = None,
    label: str = "training",
    held_out: HeldOut | None = None,
) -> None:
    """Trains to the end, from the folder's checkpoint if it has one.

    Interrupted at any moment, by `kill -9` too, the same call later ends with the same weights.

    Args:
        learner: freshly made.
        config: of the run; `log_every` and `save_every` count rounds.
        folder: of the run, in place.
        progress: whether a line shows it.
        snapshot: called with the number of steps after which the policy is to be saved.
        label: of the progress line.
        held_out: chooses the acting weights, which the learner has in the end, and may stop
            earlier; None for those of the last step.

    Raises:
        DivergenceError: if a value of the log is not finite.
        KeyboardInterrupt: if stopped by a signal, after the checkpoint is written.
    """
    at, sums = _restore(learner, folder, held_out)
    log, wanted = RunLog(folder, at.step), config.snapshot_steps()
    line = Progress(learner.unit, every_s=10) if progress else None
    logged = at.rounds - at.rounds % config.log_every
    with stop_requests() as stop, torch.random.fork_rng(devices=[]):
        try:
            while at.step < config.steps and not (held_out and held_out.stopped):
                before = at.step
                learner.advance(at, config.seed, sums)
                if held_out is not None:
                    held_out.after(at.step)
                over = at.step >= config.steps or (held_out is not None and held_out.stopped)
                if line is not None:
                    line(label, min(at.step, config.steps), config.steps)
                if at.rounds % config.log_every == 0 or over:
                    count = at.rounds - logged
                    log(at.step, {name: total / count for name, total in sums.items()})
                    sums, logged = {}, at.rounds
                # A snapshot before the checkpoint: a run killed between them writes it again.
                if snapshot and any(before < step <= at.step for step in wanted):
                    snapshot(at.step)
                if stop or over or at.rounds % config.save_every == 0:
                    _save(learner, folder, at, sums, held_out)
                if stop:
                    raise KeyboardInterrupt
        finally:
            log.close()
            if line is not None:
                line.close()
    if held_out is not None:
        held_out.choose()


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


def _save(
    learner: Trainable,
    folder: Path,
    at: Counters,
    sums: dict[str, float],
    held_out: HeldOut | None,
) -> None:
    tensors = learner_tensors(learner) | prefixed(_MEMORY, learner.memory())
    chosen: dict[str, Any] = {}
    if held_out is not None:
        tensors |= prefixed(_CHOSEN, held_out.tensors())
        chosen = held_out.state()
    # Where every round is a step, one number says both.
    state = {"step": at.step} if at.rounds == at.step else vars(at)
    save_checkpoint(folder, tensors, {**state, **chosen, "sums": sums})


def _restore(
    learner: Trainable, folder: Path, held_out: HeldOut | None
) -> tuple[Counters, dict[str, float]]:
    """Takes over the folder's checkpoint; the counters, and sums for the next line of the log."""
    if (found := load_checkpoint(folder)) is None:
        at = Counters()
        learner.start(at, None)
        return at, {}
    tensors, state = found[0], state_fields(folder, found[1])
    with restoring(folder):
        restore_learner(learner, tensors)
        # Rounds of environments may go some steps beyond those asked for.
        step = state.integer("step")
        at = Counters(step, state.integer("rounds", 0, step) if "rounds" in state else step)
        sums = read_sums(state)
        if held_out is not None:
            held_out.restore(with_prefix(tensors, _CHOSEN), state)
    learner.start(at, with_prefix(tensors, _MEMORY))
    return at, sums
