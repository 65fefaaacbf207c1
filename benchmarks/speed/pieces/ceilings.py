"""What the card can do at most, as measured: copies, and products of large matrices."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from benchmarks.speed.clocks import event_seconds, full_precision
from benchmarks.speed.piece import Row, Setting

__all__ = ["rows"]


def rows(setting: Setting) -> Sequence[Row]:
    """Copy bandwidth, and matrix products in three precisions."""
    size, megabytes = (256, 8) if setting.quick else (8192, 4096)
    product = partial(_product, setting.device, size)
    return [
        Row("copy", 2, partial(_copy, setting.device, megabytes)),
        Row("bf16", 2, partial(product, torch.bfloat16, exact=False)),
        Row("tf32", 2, partial(product, torch.float32, exact=False)),
        Row("fp32", 3, partial(product, torch.float32, exact=True)),
    ]


def _copy(device: str, megabytes: int) -> dict[str, Any]:
    source = torch.rand(megabytes * 2**18, device=device)
    target = torch.empty_like(source)
    event_seconds(lambda: target.copy_(source), 3, device)
    seconds = statistics.median(event_seconds(lambda: target.copy_(source), 20, device))
    # Every byte is read once and written once.
    return {"megabytes": megabytes, "gb_per_s": 2 * source.nbytes / seconds / 1e9}


def _product(device: str, size: int, dtype: torch.dtype, exact: bool) -> dict[str, Any]:
    with full_precision(exact):
        one, two = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        out = torch.empty_like(one)
        event_seconds(lambda: torch.mm(one, two, out=out), 5, device)
        times = event_seconds(lambda: torch.mm(one, two, out=out), 20, device)
    return {"size": size, "tflops": 2 * size**3 / statistics.median(times) / 1e12}
