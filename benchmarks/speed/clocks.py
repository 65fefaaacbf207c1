"""Clocks and gauges of a device. On a CPU, what only a GPU has is None."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

__all__ = [
    "alternate",
    "event_seconds",
    "full_precision",
    "latency",
    "peak_memory",
    "synchronize",
    "timed",
]


def synchronize(device: str) -> None:
    """Waits for all that the device was given to do."""
    if device == "cuda":
        torch.cuda.synchronize()


def timed(work: Callable[[], object], device: str) -> float:
    """Seconds until a call and all that it started have ended."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def event_seconds(work: Callable[[], object], repeats: int, device: str) -> list[float]:
    """Seconds of each call on the device's own clock; on a CPU, by the clock on the wall."""
    if device != "cuda":
        return [timed(work, device) for _ in range(repeats)]
    pairs = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        pairs.append((begin, end))
    torch.cuda.synchronize()
    return [begin.elapsed_time(end) / 1e3 for begin, end in pairs]


def latency(
    work: Callable[[], object], device: str, seconds: float, least: int = 5, most: float = 300
) -> dict[str, float]:
    """Figures of single calls, each awaited, as `alternate` has them.

    Args:
        work: one call.
        device: that it uses.
        seconds: to spend, about.
        least: calls in any case.
        most: calls at most.
    """
    times: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while len(times) < least or (time.perf_counter() < end and len(times) < most):
        times.append(_milliseconds(work, device))
    return _figures(times)


def alternate(
    works: Mapping[str, Callable[[], object]], device: str, rounds: int
) -> dict[str, dict[str, float]]:
    """Figures of several works in alternating rounds, so that a busy host slows all alike.

    Args:
        works: by name; each is called twice before the clock starts, since first calls allocate.
        device: that they use.
        rounds: calls of each.

    Returns:
        By name, in milliseconds: "median_ms", "p90_ms", "mean_ms", "least_ms"; "cpu_ms", the
        median of processor time, which is what a call costs on a busy host with one thread, and
        with several counts their waiting for each other, too; "calls".
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for round_ in range(rounds + 2):
        for name, work in works.items():
            spent = _milliseconds(work, device)
            if round_ >= 2:
                times[name].append(spent)
    return {name: _figures(spent) for name, spent in times.items()}


def _milliseconds(work: Callable[[], object], device: str) -> tuple[float, float]:
    """By the clock on the wall, and of the processor."""
    begun = time.process_time()
    wall = timed(work, device)
    return 1e3 * wall, 1e3 * (time.process_time() - begun)


def _figures(times: Sequence[tuple[float, float]]) -> dict[str, float]:
    wall, cpu = zip(*times, strict=True)
    return {
        "median_ms": statistics.median(wall),
        "p90_ms": statistics.quantiles(wall, n=10, method="inclusive")[-1],
        "mean_ms": statistics.mean(wall),
        "least_ms": min(wall),
        "cpu_ms": statistics.median(cpu),
        "calls": len(wall),
    }


@contextmanager
def peak_memory(device: str) -> Iterator[dict[str, float | None]]:
    """Fills in what the body took at most on the GPU, in GB: by tensors, and from the driver."""
    found: dict[str, float | None] = {"peak_allocated_gb": None, "peak_reserved_gb": None}
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        yield found
    finally:
        if device == "cuda":
            found["peak_allocated_gb"] = torch.cuda.max_memory_allocated() / 1e9
            found["peak_reserved_gb"] = torch.cuda.max_memory_reserved() / 1e9


@contextmanager
def full_precision(exact: bool) -> Iterator[None]:
    """Whether float32 products are exact, or take TF32 where the card has it."""
    before = torch.get_float32_matmul_precision()
    convolutions = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest" if exact else "high")
    torch.backends.cudnn.allow_tf32 = not exact
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.backends.cudnn.allow_tf32 = convolutions
