"""Several processes, one batch: sums of gradients, and who writes files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

from networld_agent.orphans import end_with_parent
from networld_agent.training.batches import Share

__all__ = ["process_group", "sum_gradients", "sum_values"]


@contextmanager
def process_group(device: torch.device) -> Iterator[Share]:
    """This process's share of the work under `torchrun`; all of it without."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Share()
        return
    if "TORCHELASTIC_RUN_ID" in os.environ:
        # Of `torchrun`, which does not end its processes when it is killed itself.
        end_with_parent()
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Share(dist.get_rank(), world)
    finally:
        dist.destroy_process_group()


def sum_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Adds up the gradients of all processes, in one message.

    Losses are weighted by the size of the whole batch, so that the sum is the whole batch's
    gradient; a process without windows of a task adds zeros.
    """
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    parts = flat.split([p.numel() for p in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter)


def sum_values(values: Tensor) -> Tensor:
    """Sums over all processes."""
    dist.all_reduce(values)
    return values
