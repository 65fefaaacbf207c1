"""Spreads independent jobs of a compiled kernel over worker threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["run_in_pieces"]

# Pools belong to a process and not to a simulator: simulators stay picklable, and a forked child,
# whose copy of a pool has no threads, makes its own.
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def run_in_pieces(
    num_threads: int, kernel: Callable[..., None], jobs: NDArray[np.int64], *arguments: Any
) -> None:
    """Calls `kernel(jobs, *arguments)`, with the jobs dealt out to `num_threads` threads.

    The kernel must release the interpreter lock and each job must write to its own places.
    """
    if num_threads == 1 or jobs.size < 2:
        kernel(jobs, *arguments)
        return
    key = (os.getpid(), num_threads)
    pool = _pools.get(key)
    if pool is None:
        pool = _pools[key] = ThreadPoolExecutor(num_threads, thread_name_prefix="slicing")
    pieces = [np.ascontiguousarray(jobs[first::num_threads]) for first in range(num_threads)]
    for future in [pool.submit(kernel, piece, *arguments) for piece in pieces if piece.size]:
        future.result()
