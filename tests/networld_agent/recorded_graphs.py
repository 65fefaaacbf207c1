"""CUDA graphs without CUDA: operations are recorded on the CPU and done again on the same tensors.

As a CUDA graph does, a replay knows nothing of Python: it reads and writes the tensors of the
recording, with the numbers that stood in the code then. What a step takes from the host at every
call would stay as it was, and the test that uses this would fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map


def _tensors(values: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]


class HostReadError(AssertionError):
    """A value was brought to the host, which a GPU would have to be waited for."""


class NoHostReads(TorchDispatchMode):
    """Raises where a value is brought to the host (`.item()`, `.tolist()`, `if tensor:`)."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default):
            raise HostReadError(f"{func} reads a value of the device")
        return func(*args, **(kwargs or {}))


class _Recorder(NoHostReads):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, list[torch.Tensor]]] = []
        self.before: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._made: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func._schema.is_mutable:
            written = [
                value
                for value, about in zip(args, func._schema.arguments, strict=False)
                if about.alias_info is not None and about.alias_info.is_write
            ]
            for tensor in _tensors(written):
                if tensor.untyped_storage().data_ptr() not in self._made:
                    self.before.append((tensor, tensor.detach().clone()))
        out = super().__torch_dispatch__(func, types, args, kwargs)
        outputs = _tensors(out)
        known = {t.untyped_storage().data_ptr() for t in _tensors((args, kwargs))}
        self._made |= {t.untyped_storage().data_ptr() for t in outputs} - known
        self.calls.append((func, args, kwargs, outputs))
        return out


class RecordedGraphs:
    """Stands in for `networld_agent.training.capture.CudaGraphs`."""

    def __init__(self) -> None:
        self.recordings = 0

    def warm_up(self, work: Callable[[], None]) -> None:
        work()

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """What does the work again; recording itself leaves everything as it was."""
        self.recordings += 1
        recorder = _Recorder()
        with recorder:
            work()
        with torch.no_grad():
            for tensor, value in reversed(recorder.before):
                tensor.copy_(value)

        @torch.no_grad()
        def replay() -> None:
            for func, args, kwargs, outputs in recorder.calls:
                args, kwargs = tree_map(
                    lambda x: x.detach() if isinstance(x, torch.Tensor) else x, (args, kwargs)
                )
                for target, value in zip(outputs, _tensors(func(*args, **kwargs)), strict=True):
                    if target.data_ptr() != value.data_ptr():
                        target.detach().copy_(value)

        return replay
