"""Work that a GPU repeats without the host: one graph of all its kernels.

A step of the network of preset `paper` starts more than two thousand kernels. Launched one by one
they keep the host busy for ten times as long as the GPU; recorded, one launch repeats them all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol

import torch

__all__ = ["Capture", "CudaGraphs", "GraphBackend"]


class GraphBackend(Protocol):
    """What records work and repeats it."""

    def warm_up(self, work: Callable[[], None]) -> None:
        """Does the work once, as it must be done before it can be recorded."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Records the work, without doing it; returns what does it."""


class CudaGraphs:
    """CUDA graphs (`torch.cuda.CUDAGraph`)."""

    def warm_up(self, work: Callable[[], None]) -> None:
        """Does the work on a side stream: what libraries allocate at first use stays out."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            work()
        torch.cuda.current_stream().wait_stream(stream)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """The work as one launch."""
        graph = torch.cuda.CUDAGraph()
        # Another thread may send the next batch meanwhile: what it does is none of this graph's.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            work()
        return graph.replay


class Capture:
    """Work without arguments or results that is recorded after a few calls and then repeated.

    What it reads and writes must be tensors that stay where they are. The first calls do the work
    as it is written, so that no call is in vain. Work that cannot be recorded goes on that way.

    Args:
        work: to do at every call.
        name: of the work, for the warning if it cannot be recorded.
        backend: that records; None does the work as it is written at every call.
        warm_ups: calls before it is recorded.
    """

    def __init__(
        self,
        work: Callable[[], None],
        name: str,
        backend: GraphBackend | None,
        warm_ups: int = 3,
    ) -> None:
        self._work, self._name, self._backend, self._left = work, name, backend, warm_ups
        self._repeat: Callable[[], None] | None = None

    @property
    def recorded(self) -> bool:
        """Whether calls repeat a recording."""
        return self._repeat is not None

    def __call__(self) -> None:
        """Does the work once."""
        if self._repeat is not None:
            self._repeat()
        elif self._backend is None:
            self._work()
        elif self._left:
            self._left -= 1
            self._backend.warm_up(self._work)
        else:
            try:
                self._repeat = self._backend.record(self._work)
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[0]
                print(f"warning: {self._name} runs without a CUDA graph: {reason}", file=sys.stderr)
                self._backend = None
            self()
