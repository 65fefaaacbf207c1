"""The loop of methods that learn while they act: log, checkpoints, snapshots, stop requests."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.baselines.config import BaselineConfig
from benchmarks.baselines.mappo.policy import TeamPolicy
from benchmarks.baselines.training_loop import DivergenceError
from networld_agent.progress import ProgressLine
from networld_agent.training.checkpoints import (
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from networld_agent.training.log import RunLog
from networld_agent.training.stop_requests import stop_requests

__all__ = ["OnlineLearner", "train_online"]


class OnlineLearner(ABC):
    """What online training changes, and one round of it.

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
    names: dict[Tensor, str] = {p: name for name, p in learner.module.named_parameters()}
    rounds, sums = _restore(learner, names, folder)
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
                _add(sums, values, learner.env_steps)
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
                    _save(learner, names, folder, rounds, sums)
                if stop:
                    raise KeyboardInterrupt
        finally:
            log.close()
            if line is not None:
                line.close()


def _round_seed(seed: int, index: int) -> int:
    return int(np.random.SeedSequence([seed, index, 2]).generate_state(1)[0])


def _add(sums: dict[str, float], values: dict[str, float], step: int) -> None:
    for name, value in values.items():
        sums[name] = sums.get(name, 0.0) + value
    if not all(map(math.isfinite, values.values())):
        shown = ", ".join(f"{name} {value:g}" for name, value in values.items())
        raise DivergenceError(f"training diverged at step {step}: {shown}.")


def _save(
    learner: OnlineLearner,
    names: dict[Tensor, str],
    folder: Path,
    rounds: int,
    sums: dict[str, float],
) -> None:
    tensors = {f"module.{name}": value for name, value in learner.module.state_dict().items()}
    tensors |= {f"memory.{name}": value for name, value in learner.memory().items()}
    for optimizer in learner.optimizers:
        tensors |= optimizer_tensors(optimizer, names)
    state = {"step": learner.env_steps, "rounds": rounds, "sums": sums}
    save_checkpoint(folder, tensors, state)


def _restore(
    learner: OnlineLearner, names: dict[Tensor, str], folder: Path
) -> tuple[int, dict[str, float]]:
    """Takes over the folder's checkpoint; rounds done and sums for the next line of the log."""
    if (found := load_checkpoint(folder)) is None:
        learner.env_steps = 0
        learner.begin()
        return 0, {}
    tensors, state = found
    learner.module.load_state_dict(_with_prefix(tensors, "module."))
    for optimizer in learner.optimizers:
        own = {p: names[p] for group in optimizer.param_groups for p in group["params"]}
        chosen = {
            key: value
            for key, value in tensors.items()
            if key.startswith("adam.") and key.split(".", 2)[2] in own.values()
        }
        restore_optimizer(optimizer, own, chosen)
    learner.env_steps = int(state["step"])
    learner.recall(_with_prefix(tensors, "memory."))
    return int(state["rounds"]), dict(state["sums"])


def _with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
