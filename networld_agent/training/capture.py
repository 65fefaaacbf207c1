"""Work without arguments that a GPU repeats as one launch.

A step of the network of preset `paper` starts more than two thousand kernels. Launched one by one
they keep the host busy for ten times as long as the GPU; recorded, one launch repeats them all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from networld_agent.cuda_graph import GraphBackend

__all__ = ["Capture"]


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
                _, self._repeat = self._backend.capture(self._work)
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[0]
                print(f"warning: {self._name} runs without a CUDA graph: {reason}", file=sys.stderr)
                self._backend = None
            self()
