"""A function of tensors that a GPU replays as one launch.

A decision or a training step of a small network is hundreds of kernels of a few microseconds; the
processor cannot launch them as quickly as the GPU runs them. Captured once per shape as a CUDA
graph, they are launched together.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

__all__ = ["CudaGraphs", "GraphBackend", "GraphedFunction", "StaticInput", "TensorFunction"]

T = TypeVar("T")
#: Tensors in, tensors out. What it reads besides its arguments is read where it lay at capture.
TensorFunction = Callable[..., tuple[Tensor, ...]]


class StaticInput(Protocol):
    """A place on the device that a captured function reads one argument from."""

    @property
    def tensor(self) -> Tensor:
        """The tensor of that place; always the same one."""

    def load(self, value: Tensor) -> None:
        """Copies a value of the same shape and type into it."""


class GraphBackend(Protocol):
    """Captures and replays calls: `CudaGraphs`, or a recorder in tests."""

    def static_input(self, like: Tensor) -> StaticInput:
        """A place for values like this one."""

    def on_device(self, value: Tensor) -> Tensor:
        """The value where the function computes."""

    def warm_up(self, call: Callable[[], object]) -> None:
        """Calls once, as it must be called before it can be captured."""

    def capture(self, call: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        """Captures a call without computing anything.

        Returns:
            The call's outputs, and what computes them anew in place.
        """


@dataclass(frozen=True)
class _Captured:
    inputs: tuple[StaticInput, ...]
    outputs: tuple[Tensor, ...]
    replay: Callable[[], None]


class GraphedFunction:
    """A function of tensors, captured at the first call of every shape and replayed after it.

    Where capture fails, a warning says so once and the function runs as it is from then on.

    Args:
        function: pure but for its outputs: warming up and capturing call it several times. It must
            neither read values on the host nor copy from it.
        backend: captures and replays.
        name: of the function, for the warning.
        max_shapes: captured at most, since each keeps its memory; calls of further shapes run as
            they are.
        warm_ups: calls before capture, in which libraries choose kernels and allocate workspaces.

    Example:
        >>> class Eager:  # stands for a GPU: replays nothing, so every call runs as it is
        ...     def on_device(self, value):
        ...         return value
        >>> double = GraphedFunction(lambda x: (2 * x,), Eager(), max_shapes=0)
        >>> double(torch.tensor([1.0, 2.0]))[0].tolist()
        [2.0, 4.0]
    """

    def __init__(
        self,
        function: TensorFunction,
        backend: GraphBackend,
        *,
        name: str = "a function",
        max_shapes: int = 8,
        warm_ups: int = 3,
    ) -> None:
        self._function, self._backend, self._name = function, backend, name
        self._max_shapes, self._warm_ups = max_shapes, warm_ups
        self._captured: dict[tuple[tuple[tuple[int, ...], torch.dtype], ...], _Captured] = {}
        self._failed = False

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The function's outputs on the device.

        Outputs of a replay lie where they lay last time: copy what must outlive the next call.

        Args:
            inputs: tensors on the device or the host.
        """
        key = tuple((tuple(value.shape), value.dtype) for value in inputs)
        captured = self._captured.get(key)
        if captured is None and not self._failed and len(self._captured) < self._max_shapes:
            captured = self._capture(inputs)
            if captured is not None:
                self._captured[key] = captured
        if captured is None:
            return self._function(*(self._backend.on_device(value) for value in inputs))
        for place, value in zip(captured.inputs, inputs, strict=True):
            place.load(value)
        captured.replay()
        return captured.outputs

    def forget(self) -> None:
        """Drops what was captured: call it when a tensor that the function reads has moved."""
        self._captured.clear()

    def _capture(self, inputs: tuple[Tensor, ...]) -> _Captured | None:
        try:
            places = tuple(self._backend.static_input(value) for value in inputs)
            for place, value in zip(places, inputs, strict=True):
                place.load(value)

            def call() -> tuple[Tensor, ...]:
                return self._function(*(place.tensor for place in places))

            for _ in range(self._warm_ups):
                self._backend.warm_up(call)
            outputs, replay = self._backend.capture(call)
        except RuntimeError as error:
            self._failed = True
            reason = (str(error).splitlines() or ["unknown error"])[0]
            warnings.warn(
                f"{self._name} could not be captured as a CUDA graph and runs kernel by kernel, "
                f"which is slower: {reason}",
                RuntimeWarning,
                stacklevel=4,
            )
            return None
        return _Captured(places, outputs, replay)


class _PinnedInput:
    """A device buffer that is filled from the host through page-locked memory, without waiting."""

    def __init__(self, like: Tensor, device: torch.device) -> None:
        self.tensor = torch.empty(like.shape, dtype=like.dtype, device=device)
        self._staging: Tensor | None = None
        self._copied = torch.cuda.Event()
        self._last: tuple[Tensor, int] | None = None

    def load(self, value: Tensor) -> None:
        if value.device.type != "cpu":
            last, self._last = self._last, (value, value._version)
            # What was not written to since, say neighbours' weights, is there already.
            if last is None or last[0] is not value or last[1] != value._version:
                self.tensor.copy_(value, non_blocking=True)
            return
        if self._staging is None:
            self._staging = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
        # The last copy may still be reading the page-locked memory.
        self._copied.synchronize()
        self._staging.copy_(value)
        self.tensor.copy_(self._staging, non_blocking=True)
        self._copied.record()
        self._last = None


class CudaGraphs:
    """CUDA graphs on one GPU.

    Args:
        device: the GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def static_input(self, like: Tensor) -> StaticInput:
        """A buffer on the GPU."""
        return _PinnedInput(like, self._device)

    def on_device(self, value: Tensor) -> Tensor:
        """The value on the GPU."""
        return value.to(self._device, non_blocking=True)

    def warm_up(self, call: Callable[[], object]) -> None:
        """Calls on a stream of its own: what libraries allocate at first use stays out."""
        with torch.cuda.device(self._device):
            current, side = torch.cuda.current_stream(), torch.cuda.Stream()
            side.wait_stream(current)
            with torch.cuda.stream(side):
                call()
            current.wait_stream(side)

    def capture(self, call: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        """Captures the call, so that it is one launch."""
        with torch.cuda.device(self._device):
            graph = torch.cuda.CUDAGraph()
            # Other threads may allocate or send meanwhile: only this one's calls can spoil it.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                outputs = call()
        return outputs, graph.replay
