"""The loop of methods that learn while they act: log, checkpoints, snapshots, stop requests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.baselines.mappo.policy import TeamPolicy
from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.baselines.shared.learner_state import learner_tensors, restore_learner, with_prefix
from benchmarks.baselines.shared.training_loop import add_values
from networld_agent.progress import ProgressLine
from networld_agent.training.checkpoints import load_checkpoint, save_checkpoint
from networld_agent.training.log import RunLog
from networld_agent.training.stop_requests import stop_requests

__all__ = ["OnlineLearner", "train_online"]

#: Of tensors in a checkpoint that are not the learner's module or optimisers.
_MEMORY = "memory."


class OnlineLearner(ABC):
    """A learner that trains online, one round at a time.

    Attributes:
        module: networks and statistics that a checkpoint holds by their state.
        optimizers: of the module's parameters; no parameter is in two of them.
        env_steps: taken so far in single environments, all environments counted.
    """

    module: nn.Module
    optimizers: Sequence[torch.optim.Optimizer]
    env_steps: int

    @abstractmethod
    def begin(self) -> None:
        """Starts the environments, in a run that has no checkpoint."""

    @abstractmethod
    def round(self) -> dict[str, float]:
        """Acts for some steps and learns from them; numbers for the log.

        Torch's global random numbers are seeded by configuration and round before each call.
        """

    @abstractmethod
    def policy(self) -> TeamPolicy:
        """The policy as it is now."""

    def save_models(self, folder: Path) -> None:  # noqa: B027 - a method without models
        """Saves what else was learnt, when a run ends; a world model, say.

        Args:
            folder: of the run.
        """

    @abstractmethod
    def memory(self) -> dict[str, Tensor]:
        """All else that a checkpoint needs: where the environments are, what is remembered."""

    @abstractmethod
    def recall(self, memory: Mapping[str, Tensor]) -> None:
        """Puts back what `memory` returned."""


def train_online(
    learner: OnlineLearner,
    config: BaselineConfig,
    folder: Path,
    progress: bool = True,
    snapshot: Callable[[int], None] | None = None,
    label: str = "training",
) -> None:
    """Trains until `config.steps` environment steps, from the folder's checkpoint if it has one.

    Interrupted at any moment, by `kill -9` too, the same call later ends with the same weights.

    Args:
        learner: freshly made.
        config: of the run; `log_every` and `save_every` count rounds.
        folder: of the run, in place.
        progress: whether a line shows it.
        snapshot: called with the number of steps after which the policy is to be saved.
        label: of the progress line.

    Raises:
        DivergenceError: if a value of the log is not finite.
        KeyboardInterrupt: if stopped by a signal, after the checkpoint is written.
    """
    rounds, sums = _restore(learner, folder)
    log = RunLog(folder, learner.env_steps)
    line = ProgressLine("steps") if progress else None
    logged, wanted = rounds - rounds % config.log_every, sorted(config.snapshot_steps())
    with stop_requests() as stop, torch.random.fork_rng(devices=[]):
        try:
            while learner.env_steps < config.steps:
                before = learner.env_steps
                torch.manual_seed(_round_seed(config.seed, rounds))
                values = learner.round()
                rounds += 1
                add_values(sums, values, learner.env_steps)
                over = learner.env_steps >= config.steps
                if line is not None:
                    line(label, min(learner.env_steps, config.steps), config.steps)
                if rounds % config.log_every == 0 or over:
                    means = {name: total / (rounds - logged) for name, total in sums.items()}
                    log(learner.env_steps, means)
                    sums, logged = {}, rounds
                # A snapshot before the checkpoint: a run killed between them writes it again.
                if snapshot and any(before < step <= learner.env_steps for step in wanted):
                    snapshot(learner.env_steps)
                if stop or over or rounds % config.save_every == 0:
                    _save(learner, folder, rounds, sums)
                if stop:
                    raise KeyboardInterrupt
        finally:
            log.close()
            if line is not None:
                line.close()


def _round_seed(seed: int, index: int) -> int:
    return int(np.random.SeedSequence([seed, index, 2]).generate_state(1)[0])


def _save(learner: OnlineLearner, folder: Path, rounds: int, sums: dict[str, float]) -> None:
    tensors = learner_tensors(learner)
    tensors |= {f"{_MEMORY}{name}": value for name, value in learner.memory().items()}
    state = {"step": learner.env_steps, "rounds": rounds, "sums": sums}
    save_checkpoint(folder, tensors, state)


def _restore(learner: OnlineLearner, folder: Path) -> tuple[int, dict[str, float]]:
    """Takes over the folder's checkpoint; rounds done and sums for the next line of the log."""
    if (found := load_checkpoint(folder)) is None:
        learner.env_steps = 0
        learner.begin()
        return 0, {}
    tensors, state = found
    restore_learner(learner, tensors)
    learner.env_steps = int(state["step"])
    learner.recall(with_prefix(tensors, _MEMORY))
    return int(state["rounds"]), dict(state["sums"])
