"""One optimiser step, without a word from the device to the host.

What a step finds out, its losses and whether they are finite, stays on the device and adds up
there; the host asks for it at the lines of the log. So a GPU is never waited for, and on one the
whole step (forward, backward, clipping, Adam, average) can be one recorded graph.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from networld_agent.model.batch import Batch
from networld_agent.model.losses import loss_names
from networld_agent.model.world_model import WorldModel
from networld_agent.training.config import TrainingConfig, learning_rate
from networld_agent.training.distributed import sum_gradients, sum_values
from networld_agent.training.ema import AveragedModel

__all__ = ["Seen", "TrainingStep"]


@dataclass(frozen=True)
class Seen:
    """The steps' sums on the device, as read by the host.

    Args:
        sums: of each loss over the steps since the last reset.
        stops: how many times a process asked to stop.
        bad_step: the first step whose loss was not finite; None if all were.
        bad_losses: its losses.
    """

    sums: dict[str, float]
    stops: float
    bad_step: int | None
    bad_losses: dict[str, float]


class TrainingStep:
    """Trains a model in place, step by step.

    Args:
        model: on its device; parameters without gradient stay as they are.
        averaged: follows it.
        config: of the training.
        half: whether the network computes in bfloat16.
        slow: names of parameters that take `config.body_factor` of the learning rate.
        distributed: whether gradients are summed over processes.
        recordable: whether a step must read nothing from the host, so that it can be recorded; by
            default, on a GPU.
    """

    def __init__(
        self,
        model: WorldModel,
        averaged: AveragedModel,
        config: TrainingConfig,
        half: bool = False,
        slow: frozenset[str] = frozenset(),
        distributed: bool = False,
        recordable: bool | None = None,
    ) -> None:
        self._model, self._averaged, self._config = model, averaged, config
        self._half, self._distributed = half, distributed
        self._device = model.schedule.alpha_bar.device
        named = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self.names: dict[Tensor, str] = {p: name for name, p in named.items()}
        self._parameters = list(named.values())
        # A rate that is a number would be recorded once; a tensor is set by the step itself.
        self.recordable = self._device.type == "cuda" if recordable is None else recordable
        groups = [
            {
                "params": [p for n, p in named.items() if (n in slow) == is_slow],
                "factor": config.body_factor if is_slow else 1.0,
                "lr": torch.zeros((), device=self._device) if self.recordable else 0.0,
            }
            for is_slow in (False, True)
        ]
        self.optimizer = torch.optim.Adam(
            [group for group in groups if group["params"]], fused=True, capturable=self.recordable
        )
        self._loss: Callable[[Batch], dict[str, Tensor]] = model.loss
        if config.compile:
            self._loss = torch.compile(model.loss, fullgraph=True, dynamic=False)
        self._rates: Tensor | None = None
        if self.recordable:
            # Adam warns of steps that are not recorded, as the first ones cannot be.
            warnings.filterwarnings("ignore", "This instance was constructed with capturable=True")
            rates = [learning_rate(config, step) for step in range(config.steps)]
            self._rates = torch.tensor(rates, device=self._device)
        self.step = torch.zeros((), dtype=torch.int64, device=self._device)
        self.loss_names = loss_names(model.config)
        count = len(self.loss_names)
        self._sums = torch.zeros(count + 1, dtype=torch.float64, device=self._device)
        self._bad_step = torch.full((), -1, dtype=torch.int64, device=self._device)
        self._bad_values = torch.zeros(count + 1, dtype=torch.float64, device=self._device)
        self._stop = torch.zeros(1, device=self._device)

    def __call__(self, batch: Batch, step: int | None = None) -> None:
        """Updates weights and average on a batch; the host learns nothing of it.

        Args:
            batch: on the device.
            step: its number; None reads it from `self.step` on the device, as a recorded step must.
        """
        self._set_rates(step)
        with torch.autocast("cuda", torch.bfloat16, enabled=self._half):
            losses = self._loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        values = torch.cat([torch.stack([losses[n].detach() for n in self.loss_names]), self._stop])
        if self._distributed:
            values = sum_values(values)
            sum_gradients(self._parameters)
        self._note(values.double())
        if self._config.clip:
            nn.utils.clip_grad_norm_(self._parameters, self._config.clip)
        self.optimizer.step()
        self._averaged.update(self.step if step is None else step)
        self.step += 1

    def _set_rates(self, step: int | None) -> None:
        for group in self.optimizer.param_groups:
            if self._rates is None:
                assert step is not None
                group["lr"] = learning_rate(self._config, step) * group["factor"]
            else:
                group["lr"].copy_(self._rates.gather(0, self.step[None])[0] * group["factor"])

    def _note(self, values: Tensor) -> None:
        first = (self._bad_step < 0) & ~values.isfinite().all()
        self._bad_step.copy_(torch.where(first, self.step, self._bad_step))
        self._bad_values.copy_(torch.where(first, values, self._bad_values))
        self._sums += values

    # ------------------------------------------------------------------ the host's side
    def ask_to_stop(self) -> None:
        """Tells every process, from the next step on, that this one was asked to stop."""
        self._stop.fill_(1.0)

    def read(self) -> Seen:
        """Waits for the device, and tells what its steps have left."""
        rows = torch.stack([self._sums, self._bad_values]).tolist()
        bad = int(self._bad_step)
        names = self.loss_names
        return Seen(
            dict(zip(names, rows[0], strict=False)),
            rows[0][-1],
            None if bad < 0 else bad,
            dict(zip(names, rows[1], strict=False)),
        )

    def reset(self, sums: Mapping[str, float] | None = None, step: int | None = None) -> None:
        """Starts the sums anew, or with these; and goes on from another step if one is given."""
        start = [(sums or {}).get(name, 0.0) for name in self.loss_names]
        self._sums.copy_(torch.tensor([*start, 0.0], dtype=torch.float64))
        if step is not None:
            self.step.fill_(step)
