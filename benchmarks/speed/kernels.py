"""What the GPU was busy with: kernels and copies of a profile, and the time that they cover."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch

__all__ = ["busy_figures", "profile"]

#: Categories of a trace that stand for work of the GPU; others are spans of Python around it.
_WORK: Final = ("kernel", "gpu_memcpy", "gpu_memset")
_SHOWN: Final = 10


def profile(work: Callable[[], object], steps: int, device: str) -> dict[str, Any]:
    """Busy milliseconds per step, kernels per step, and the ten most expensive; None on a CPU.

    Args:
        work: one step.
        steps: that are looked at.
        device: that it uses.
    """
    if device != "cuda":
        return {"busy_ms": None, "kernels_per_step": None, "kernels": []}
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        for _ in range(steps):
            work()
        torch.cuda.synchronize()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_bytes())["traceEvents"]
    return busy_figures(events, steps)


def busy_figures(events: Sequence[dict[str, Any]], steps: int) -> dict[str, Any]:
    """The figures of a trace's events.

    Times that two kernels share count once.

    Args:
        events: of a Chrome trace, times in microseconds.
        steps: that they are of.
    """
    work = sorted(
        (event for event in events if event.get("cat") in _WORK), key=lambda event: event["ts"]
    )
    covered, end = 0.0, float("-inf")
    total: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
    for event in work:
        begin, until = event["ts"], event["ts"] + event["dur"]
        covered += max(0.0, until - max(begin, end))
        end = max(end, until)
        total[event["name"]][0] += 1
        total[event["name"]][1] += event["dur"]
    dearest = sorted(total, key=lambda name: -total[name][1])[:_SHOWN]
    return {
        # A profiler that may not look at the card sees nothing.
        "busy_ms": covered / 1e3 / steps if work else None,
        "kernels_per_step": len(work) / steps if work else None,
        "kernels": [
            {
                "name": name,
                "calls_per_step": total[name][0] / steps,
                "ms_per_step": total[name][1] / 1e3 / steps,
            }
            for name in dearest
        ],
    }
