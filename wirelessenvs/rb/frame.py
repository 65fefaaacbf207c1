"""The frame of slots and frequencies: which resource blocks a list of counts occupies."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wirelessenvs.checks import check_int, check_vector

__all__ = ["wrap_around_grid"]


def wrap_around_grid(
    counts: ArrayLike, num_slots: int = 10, num_frequencies: int = 4
) -> NDArray[np.int64]:
    """McNaughton's wrap-around rule: nodes one after the other, slot by slot, then the next row.

    A node with at most `num_slots` RBs that wraps into the next frequency never meets itself in a
    slot, so any counts that are this small and fit the frame in sum can be scheduled with one
    radio per node (R. McNaughton, "Scheduling with deadlines and loss functions", Management
    Science 6(1), 1959).

    Args:
        counts: `(N,)` RBs per node, each at most `num_slots`.
        num_slots: slots S per frame.
        num_frequencies: frequencies F per slot.

    Returns:
        `(F, S)` node index of each RB, -1 where it is free.

    Example:
        >>> wrap_around_grid([3, 4, 1], num_slots=5, num_frequencies=2)
        array([[ 0,  0,  0,  1,  1],
               [ 1,  1,  2, -1, -1]])
    """
    check_int("num_slots", num_slots, 1)
    check_int("num_frequencies", num_frequencies, 1)
    wanted = check_vector("counts", counts, None, 0, num_slots).astype(np.int64)
    if wanted.sum() > num_slots * num_frequencies:
        raise ValueError(
            f"counts must sum to at most {num_slots * num_frequencies}, got {wanted.sum()}."
        )
    grid = np.full(num_slots * num_frequencies, -1, np.int64)
    grid[: wanted.sum()] = np.repeat(np.arange(wanted.size), wanted)
    return grid.reshape(num_frequencies, num_slots)
