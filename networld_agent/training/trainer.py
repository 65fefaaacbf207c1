"""The training loop."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from networld_agent.model.batch import Batch
from networld_agent.model.world_model import WorldModel
from networld_agent.progress import ProgressLine
from networld_agent.training.batches import BatchSampler, Share
from networld_agent.training.checkpoints import (
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from networld_agent.training.config import TrainingConfig, learning_rate
from networld_agent.training.distributed import sum_gradients, sum_values
from networld_agent.training.ema import AveragedModel
from networld_agent.training.latent_health import latent_health
from networld_agent.training.log import RunLog
from networld_agent.training.stop_requests import stop_requests

__all__ = ["Trainer", "TrainingError"]

#: Effective rank of the latents below which they hardly carry more than one number.
_COLLAPSED = 1.5


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
        sums: of losses since the last line of the log.
        summed: steps in `sums`.
    """

    step: int = 0
    best: float = math.inf
    best_step: int = 0
    held_out: float | None = None
    worse: int = 0
    sums: dict[str, float] = field(default_factory=dict)
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
    ) -> None:
        if config.precision == "bf16" and device.type != "cuda":
            raise ValueError("precision bf16 needs a CUDA device; use fp32 on a CPU.")
        self.model = model.to(device)
        self.averaged = AveragedModel(model, config.ema_decay)
        self.counters = Counters()
        self._best: dict[str, Tensor] = {}
        self._sampler, self._config, self._folder = sampler, config, folder
        self._device, self._share = device, share or Share()
        self._validation = [batch.to(device) for batch in validation]
        self._tensorboard = tensorboard
        self._half = device.type == "cuda" and config.precision != "fp32"
        named = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._names: dict[Tensor, str] = {p: name for name, p in named.items()}
        self._parameters = list(named.values())
        groups = [
            {"params": [p for n, p in named.items() if n not in slow], "factor": 1.0},
            {"params": [p for n, p in named.items() if n in slow], "factor": config.body_factor},
        ]
        groups = [group for group in groups if group["params"]]
        self._optimizer = torch.optim.Adam(groups, lr=config.learning_rate, fused=True)
        if config.compile:
            model.unet.compile()

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
        progress = ProgressLine("steps")
        with stop_requests() as stop, ThreadPoolExecutor(1) as reader:
            upcoming = reader.submit(self._sampler, counters.step)
            try:
                while counters.step < config.steps and not self._finished_early():
                    batch = upcoming.result()
                    upcoming = reader.submit(self._sampler, counters.step + 1)
                    stopped = self._step(batch, bool(stop))
                    if log is not None:
                        self._report(log, batch, progress)
                    self._take_snapshot()
                    if stopped:
                        self.save()
                        return False
                    if counters.step % config.save_every == 0:
                        self.save()
            finally:
                upcoming.cancel()
                progress.close()
                if log is not None:
                    log.close()
        self.save()
        return True

    def _step(self, batch: Batch, stop: bool) -> bool:
        """One optimiser step; returns whether any process was asked to stop."""
        counters, config = self.counters, self._config
        self.model.train()
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(config, counters.step) * group["factor"]
        with torch.autocast("cuda", torch.bfloat16, enabled=self._half):
            losses = self.model.loss(batch.to(self._device))
        self._optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        values = torch.stack([value.detach() for value in losses.values()])
        values = torch.cat([values, values.new_tensor([float(stop)])])
        if self._share.world > 1:
            values = sum_values(values)
            sum_gradients(self._parameters)
        *numbers, stop_requests = values.tolist()
        if not all(map(math.isfinite, numbers)):
            self._give_up(batch, dict(zip(losses, numbers, strict=True)))
        if config.clip:
            nn.utils.clip_grad_norm_(self._parameters, config.clip)
        self._optimizer.step()
        self.averaged.update(counters.step)
        counters.step += 1
        counters.summed += 1
        for name, number in zip(losses, numbers, strict=True):
            counters.sums[name] = counters.sums.get(name, 0.0) + number
        if self._validation and counters.step % config.validate_every == 0:
            self._validate()
        return stop_requests > 0

    def _give_up(self, batch: Batch, losses: dict[str, float]) -> None:
        tensors = {"tau": batch.tau, "noise": batch.noise}
        for i, part in enumerate(batch.parts):
            for name in ("observations", "actions", "returns", "mean_weights"):
                tensors[f"{i}.{part.task}.{name}"] = getattr(part, name)
        path = self._folder / f"bad-batch-{self.counters.step}-{self._share.rank}.safetensors"
        safetensors.torch.save_file({k: v.contiguous() for k, v in tensors.items()}, path)
        shown = ", ".join(f"{name} {value:g}" for name, value in losses.items())
        raise TrainingError(
            f"the loss is not finite at step {self.counters.step} ({shown}); its batch is saved "
            f"in {path}."
        )

    # -------------------------------------------------------------- validation
    @torch.no_grad()
    def _validate(self) -> None:
        """Keeps the averaged weights if they are the best so far on held-out data."""
        losses = [float(self.averaged.model.loss(batch)["loss"]) for batch in self._validation]
        loss, counters = sum(losses) / len(losses), self.counters
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
            self.averaged.model.save(self._folder / "snapshots" / str(step))

    def _report(self, log: RunLog, batch: Batch, progress: ProgressLine) -> None:
        counters, config = self.counters, self._config
        progress("training", counters.step, config.steps)
        if counters.step % config.log_every and counters.step != config.steps:
            return
        values = {name: total / counters.summed for name, total in counters.sums.items()}
        values["learning_rate"] = learning_rate(config, counters.step - 1)
        if counters.held_out is not None:
            values["held_out"] = counters.held_out
        values |= latent_health(self.model, batch.to(self._device))
        log(counters.step, values | {"time": time.time()})
        counters.sums, counters.summed = {}, 0
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
        if self._share.rank:
            return
        tensors: dict[str, Tensor] = {}
        for name, tensor in self.model.state_dict().items():
            tensors[f"model.{name}"] = tensor
        for name, tensor in self.averaged.model.state_dict().items():
            tensors[f"averaged.{name}"] = tensor
        for name, tensor in self._best.items():
            tensors[f"best.{name}"] = tensor
        tensors |= optimizer_tensors(self._optimizer, self._names)
        state: dict[str, Any] = dict(vars(self.counters))
        # JSON has no infinity.
        state["best"] = None if math.isinf(self.counters.best) else self.counters.best
        save_checkpoint(self._folder, tensors, state)

    def restore(self) -> None:
        """Takes over the folder's checkpoint, if it has one."""
        if (found := load_checkpoint(self._folder)) is None:
            return
        tensors, state = found
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "averaged": {}, "best": {}}
        for key, tensor in tensors.items():
            kind, name = key.split(".", 1)
            if kind in parts:
                parts[kind][name] = tensor
        self.model.load_state_dict(parts["model"])
        self.averaged.model.load_state_dict(parts["averaged"])
        self._best = parts["best"]
        restore_optimizer(self._optimizer, self._names, tensors)
        best = math.inf if state["best"] is None else state["best"]
        self.counters = Counters(**{**state, "best": best})
