"""The training loop."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from networld_agent.cuda_graph import CudaGraphs, GraphBackend
from networld_agent.fields import Fields
from networld_agent.model.batch import Batch
from networld_agent.model.world_model import WorldModel
from networld_agent.training.batches import BatchSampler, Share
from networld_agent.training.capture import Capture
from networld_agent.training.checkpoints import (
    load_checkpoint,
    optimizer_tensors,
    prefixed,
    read_sums,
    restore_optimizer,
    restoring,
    save_checkpoint,
    state_fields,
    with_prefix,
)
from networld_agent.training.config import TrainingConfig, learning_rate
from networld_agent.training.ema import AveragedModel
from networld_agent.training.feeds import Feed, open_feed
from networld_agent.training.latent_health import latent_health
from networld_agent.training.log import RunLog
from networld_agent.training.precision import computes_in_half
from networld_agent.training.step import Seen, TrainingStep
from networld_agent.training.stop_requests import stop_requests
from wirelessenvs.command import Progress

__all__ = ["Trainer", "TrainingError"]

#: Effective rank of the latents below which they hardly carry more than one number.
_COLLAPSED = 1.5
#: Steps between two looks whether another process was asked to stop.
_LISTEN_EVERY = 10


class TrainingError(ValueError):
    """Training cannot go on; the sentence names step and file."""


@dataclass
class Counters:
    """Progress of a run, beside its tensors.

    Args:
        step: steps done.
        best: least held-out loss so far.
        best_step: when it was seen.
        held_out: latest held-out loss; None before the first.
        worse: looks at held-out data since then.
        summed: steps since the last line of the log.
    """

    step: int = 0
    best: float = math.inf
    best_step: int = 0
    held_out: float | None = None
    worse: int = 0
    summed: int = 0


class Trainer:
    """Trains a model in place and leaves its averaged weights in `averaged`.

    Args:
        model: to train; parameters without gradient stay as they are.
        sampler: of the batches.
        config: of the training.
        folder: of the run.
        device: to train on.
        share: of this process.
        validation: held-out batches; the averaged weights with the least loss on them win.
        slow: names of parameters that take `config.body_factor` of the learning rate.
        tensorboard: also write TensorBoard's files.
        graphs: records steps; by default, CUDA's on a GPU, if `config.graph` says so.

    Raises:
        ValueError: if the precision does not fit the device.
    """

    def __init__(
        self,
        model: WorldModel,
        sampler: BatchSampler,
        config: TrainingConfig,
        folder: Path,
        device: torch.device,
        share: Share | None = None,
        validation: Sequence[Batch] = (),
        slow: frozenset[str] = frozenset(),
        tensorboard: bool = False,
        graphs: GraphBackend | None = None,
    ) -> None:
        half = computes_in_half(config.precision, device)
        self.model = model.to(device)
        self.averaged = AveragedModel(model, config.ema_decay)
        self.counters = Counters()
        self._best: dict[str, Tensor] = {}
        self._sampler, self._config, self._folder = sampler, config, folder
        self._device, self._share = device, share or Share()
        self._validation = [batch.to(device) for batch in validation]
        self._held_out = torch.zeros((), dtype=torch.float64, device=device)
        self._tensorboard = tensorboard
        several = self._share.world > 1
        if graphs is None and device.type == "cuda" and config.graph and not several:
            graphs = CudaGraphs(device)
        recordable = device.type == "cuda" or graphs is not None
        self._step = TrainingStep(
            self.model, self.averaged, config, half, slow, several, recordable
        )
        self._graphs = graphs
        self._judge = Capture(self._judge_held_out, "validation", graphs)

    # --------------------------------------------------------------------- run
    def run(self) -> bool:
        """Trains to the end, or until interrupted; goes on from the folder's checkpoint.

        Returns:
            Whether training is complete; if not, the same call goes on later.

        Raises:
            TrainingError: if a loss is not finite; step and batch are saved.
        """
        self.restore()
        counters, config = self.counters, self._config
        log = None
        if self._share.rank == 0:
            log = RunLog(self._folder, counters.step, self._tensorboard)
        progress = Progress("steps", every_s=10)
        self.model.train()
        with stop_requests() as stop, open_feed(self._sampler, self._device, config.data) as feed:
            update = Capture(lambda: self._update(feed), "training", self._graphs)
            try:
                while counters.step < config.steps and not self._finished_early():
                    feed.prepare(counters.step)
                    update()
                    counters.step += 1
                    counters.summed += 1
                    if self._validation and counters.step % config.validate_every == 0:
                        self._validate()
                    if log is not None:
                        self._report(log, feed, progress)
                    self._take_snapshot()
                    if self._stopped(stop):
                        self.save()
                        return False
                    if counters.step % config.save_every == 0:
                        self.save()
            finally:
                progress.close()
                if log is not None:
                    log.close()
        self.save()
        return True

    def _update(self, feed: Feed) -> None:
        step = None if self._step.recordable else self.counters.step
        self._step(feed.batch(self._step.step), step)

    def _stopped(self, stop: list[int]) -> bool:
        """Whether this process was asked to stop, or, at every tenth step, any other was."""
        if self._share.world == 1:
            return bool(stop)
        if stop:
            self._step.ask_to_stop()
        return self.counters.step % _LISTEN_EVERY == 0 and self._look().stops > 0

    def _look(self) -> Seen:
        """Waits for the steps so far and reads their sums from the device.

        Raises:
            TrainingError: if a loss was not finite: nothing that came of it is kept.
        """
        seen = self._step.read()
        if seen.bad_step is None:
            return seen
        batch = self._sampler(seen.bad_step)
        tensors = {"tau": batch.tau, "noise": batch.noise}
        for i, part in enumerate(batch.parts):
            for name in ("observations", "actions", "returns", "mean_weights"):
                tensors[f"{i}.{part.task}.{name}"] = getattr(part, name)
        path = self._folder / f"bad-batch-{seen.bad_step}-{self._share.rank}.safetensors"
        safetensors.torch.save_file({k: v.contiguous() for k, v in tensors.items()}, path)
        shown = ", ".join(f"{name} {value:g}" for name, value in seen.bad_losses.items())
        raise TrainingError(
            f"the loss is not finite at step {seen.bad_step} ({shown}); its batch is saved in "
            f"{path}."
        )

    # -------------------------------------------------------------- validation
    @torch.no_grad()
    def _judge_held_out(self) -> None:
        losses = [self.averaged.model.loss(batch)["loss"] for batch in self._validation]
        self._held_out.copy_(torch.stack(losses).double().sum() / len(losses))

    def _validate(self) -> None:
        """Keeps the averaged weights if they are the best so far on held-out data."""
        self._judge()
        loss, counters = float(self._held_out), self.counters
        if loss < counters.best:
            counters.best, counters.best_step, counters.worse = loss, counters.step, 0
            self._best = {k: v.clone() for k, v in self.averaged.model.state_dict().items()}
        else:
            counters.worse += 1
        counters.held_out = loss

    def _finished_early(self) -> bool:
        patience = self._config.patience
        return bool(patience and self._validation and self.counters.worse >= patience)

    def best_model(self) -> WorldModel:
        """The averaged model: at its best held-out loss if there is held-out data, else the last.

        What a long run of updates does to held-out data is not undone by the average.
        """
        if self._best:
            self.averaged.model.load_state_dict(self._best)
        return self.averaged.model

    # ------------------------------------------------------------ log and disk
    def _take_snapshot(self) -> None:
        count, config, step = self._config.snapshots, self._config, self.counters.step
        if (
            self._share.rank == 0
            and count
            and step * count // config.steps > ((step - 1) * count // config.steps)
        ):
            self._look()
            self.averaged.model.save(self._folder / "snapshots" / str(step))

    def _report(self, log: RunLog, feed: Feed, progress: Progress) -> None:
        counters, config = self.counters, self._config
        progress("training", counters.step, config.steps)
        if counters.step % config.log_every and counters.step != config.steps:
            return
        sums = self._look().sums
        values = {name: total / counters.summed for name, total in sums.items()}
        values["learning_rate"] = learning_rate(config, counters.step - 1)
        if counters.held_out is not None:
            values["held_out"] = counters.held_out
        values |= latent_health(self.model, feed.batch(self._step.step - 1))
        log(counters.step, values | {"time": time.time()})
        counters.summed = 0
        self._step.reset()
        if counters.step < config.steps // 4:
            return  # young latents often pass through one direction
        for name, value in values.items():
            if name.startswith("latent_rank/") and value < _COLLAPSED:
                print(
                    f"warning: the latents of {name.split('/')[1]} use {value:.2f} directions of "
                    f"{self.model.latent_size} at step {counters.step}: they are collapsing.",
                    file=sys.stderr,
                )

    def save(self) -> None:
        """Writes the checkpoint (first process only)."""
        sums = self._look().sums
        if self._share.rank:
            return
        tensors = prefixed("model.", self.model.state_dict())
        tensors |= prefixed("averaged.", self.averaged.model.state_dict())
        tensors |= prefixed("best.", self._best)
        tensors |= optimizer_tensors(self._step.optimizer, self._step.names)
        state: dict[str, Any] = {**vars(self.counters), "sums": sums}
        # JSON has no infinity.
        state["best"] = None if math.isinf(self.counters.best) else self.counters.best
        save_checkpoint(self._folder, tensors, state)

    def restore(self) -> None:
        """Takes over the folder's checkpoint, if it has one."""
        if (found := load_checkpoint(self._folder)) is None:
            return
        tensors, state = found[0], state_fields(self._folder, found[1])
        with restoring(self._folder):
            self.counters = _read_counters(state, self._config.steps)
            self.model.load_state_dict(with_prefix(tensors, "model."))
            self.averaged.model.load_state_dict(with_prefix(tensors, "averaged."))
            self._best = with_prefix(tensors, "best.")
            restore_optimizer(self._step.optimizer, self._step.names, tensors)
            self._step.reset(read_sums(state), self.counters.step)


def _read_counters(state: Fields, steps: int) -> Counters:
    return Counters(
        step=state.integer("step", 0, steps),
        best=math.inf if state.raw("best") is None else state.real("best"),
        best_step=state.integer("best_step", 0, steps),
        held_out=None if state.raw("held_out") is None else state.real("held_out"),
        worse=state.integer("worse"),
        summed=state.integer("summed", 0, steps),
    )
