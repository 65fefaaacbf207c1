"""How batches reach the device that trains: from its own memory, or streamed from the host."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from networld_agent.model.batch import Batch, TaskBatch
from networld_agent.training.batches import BatchSampler
from networld_agent.training.resident import ResidentBatches, resident_bytes

__all__ = ["Feed", "HostFeed", "ResidentFeed", "StreamedFeed", "open_feed"]

T = TypeVar("T")
#: Share of a device's free memory that data may take; the rest is for the network.
_MOST_MEMORY = 0.5


class Feed(Protocol):
    """Batches of steps in their order."""

    def prepare(self, step: int) -> None:
        """Has the batch of a step on its way to the device."""

    def batch(self, step: Tensor) -> Batch:
        """The batch that was prepared; `step` is its number, as a tensor on the device.

        A recorded step calls this once: what it reads must stay where it is.
        """


class ResidentFeed:
    """Draws and gathers on the device that holds the data; the host has nothing to do.

    Args:
        sampler: of the batches.
        device: to train on.
    """

    def __init__(self, sampler: BatchSampler, device: torch.device) -> None:
        self._batches = ResidentBatches(sampler, device)

    def prepare(self, step: int) -> None:
        """Does nothing: the data is on the device already."""

    def batch(self, step: Tensor) -> Batch:
        """The batch of a step."""
        return self._batches(step)


class HostFeed:
    """Draws and gathers the next batch in a thread while this one is trained on.

    Args:
        sampler: of the batches.
        reader: does it.
    """

    def __init__(self, sampler: BatchSampler, reader: ThreadPoolExecutor) -> None:
        self._ahead = _Ahead(sampler, reader)

    def prepare(self, step: int) -> None:
        """Waits for the batch of a step, and has the next one drawn."""
        self._batch = self._ahead.take(step)
        self._ahead.ask(step + 1)

    def batch(self, step: Tensor) -> Batch:  # noqa: ARG002
        """The batch of the step that was prepared."""
        return self._batch


class _Ahead(Generic[T]):
    """Prepares the next step's batch in a thread while the present one trains."""

    def __init__(self, make: Callable[[int], T], reader: ThreadPoolExecutor) -> None:
        self._make, self._reader = make, reader
        self._upcoming: tuple[int, Future[T]] | None = None

    def ask(self, step: int) -> None:
        """Starts to prepare the batch of a step."""
        self._upcoming = step, self._reader.submit(self._make, step)

    def take(self, step: int) -> T:
        """Waits for that of a step, whether it was asked for or not."""
        if self._upcoming is None or self._upcoming[0] != step:
            self.ask(step)
        assert self._upcoming is not None
        return self._upcoming[1].result()


class StreamedFeed:
    """Gathers windows on the host, a step ahead, and sends them while the device trains.

    The reader's thread fills pinned memory and starts the copy on a stream of its own; the step
    takes what has arrived to where it is recorded to read. Noise is drawn on the device.

    Args:
        sampler: of the batches.
        device: to train on.
        reader: gathers and sends.
    """

    def __init__(
        self, sampler: BatchSampler, device: torch.device, reader: ThreadPoolExecutor
    ) -> None:
        self._sampler, self._device = sampler, device
        self._ahead = _Ahead(self._send, reader)
        self._draw = sampler.drawer(device)
        self._cuda = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if self._cuda else None
        self._taken: torch.cuda.Event | None = None
        self._static: tuple[TaskBatch, ...] = ()

    def prepare(self, step: int) -> None:
        """Moves what was sent for a step to where the step reads it; has the next one sent."""
        parts, arrived = self._ahead.take(step)
        if arrived is not None:
            torch.cuda.current_stream(self._device).wait_event(arrived)
        if not self._static:
            self._static = tuple(part.map(torch.clone) for part in parts)
        else:
            for static, part in zip(self._static, parts, strict=True):
                for target, source in zip(static.tensors, part.tensors, strict=True):
                    target.copy_(source)
        if self._cuda:
            self._taken = torch.cuda.Event()
            self._taken.record(torch.cuda.current_stream(self._device))
        # Only now: what is sent next must wait for what was taken.
        self._ahead.ask(step + 1)

    def batch(self, step: Tensor) -> Batch:
        """The windows that were prepared, with the noise of the step."""
        return Batch(self._static, *self._draw.noise(step))

    def _send(self, step: int) -> _Sent:
        parts = self._sampler.windows_of(step)
        if self._stream is None:
            return parts, None
        with torch.cuda.stream(self._stream):
            if self._taken is not None:
                # The allocator may hand out memory that the step before still reads.
                self._stream.wait_event(self._taken)
            sent = tuple(
                part.map(lambda t: t.pin_memory().to(self._device, non_blocking=True))
                for part in parts
            )
            arrived = torch.cuda.Event()
            arrived.record(self._stream)
        return sent, arrived


_Sent = tuple[tuple[TaskBatch, ...], "torch.cuda.Event | None"]


@contextmanager
def open_feed(sampler: BatchSampler, device: torch.device, where: str = "auto") -> Iterator[Feed]:
    """The feed for a device.

    Args:
        sampler: of the batches.
        device: to train on.
        where: "device" holds the data there, "host" streams it; "auto" holds it on a GPU that has
            the room, and says so if it has not.
    """
    with ThreadPoolExecutor(1) as reader:
        if device.type == "cpu" and where == "auto":
            yield HostFeed(sampler, reader)
        elif where == "device" or (where == "auto" and _fits(sampler, device)):
            yield ResidentFeed(sampler, device)
        else:
            yield StreamedFeed(sampler, device, reader)


def _fits(sampler: BatchSampler, device: torch.device) -> bool:
    needed, free = resident_bytes(sampler), torch.cuda.mem_get_info(device)[0]
    if needed <= _MOST_MEMORY * free:
        return True
    print(
        f"the data takes {needed / 2**30:.1f} GiB, more than half of the {free / 2**30:.1f} GiB "
        f"that are free on {device}: it is streamed from the host.",
        file=sys.stderr,
    )
    return False
