"""Traffic that somebody brings along: packets of every window, by slice or by user."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.slicing.config import SlicingConfig

__all__ = ["WindowTrace"]


class WindowTrace:
    """Says how many packets each user gets in the coming window.

    Args:
        config: with a trace.
        num_envs: B.
    """

    def __init__(self, config: SlicingConfig, num_envs: int) -> None:
        self._packets = np.asarray(config.trace, np.int64)
        self._slots = config.slots_per_window
        self._names = config.slice_names
        self._random_start = config.trace_random_start
        #: `(B,)` row of the window after the coming one.
        self._row = np.zeros(num_envs, np.int64)
        self._rngs: list[np.random.Generator | None] = [None] * num_envs

    def begin(self, env: int, slices: NDArray[np.int8], rng: np.random.Generator) -> None:
        """Starts an episode of one environment; `rng` is its stream of traffic.

        Raises:
            ValueError: if a slice has more packets in some row than its users `(U,)` have slots.
        """
        if self._packets.shape[1] != slices.size:
            users = np.bincount(slices, minlength=len(self._names))
            wrong = self._packets > users * self._slots
            if wrong.any():
                row, s = np.argwhere(wrong)[0]
                raise ValueError(
                    f"trace must hold at most one packet per user and slot, got "
                    f"{self._packets[row, s]} of {self._names[s]} in row {row} for {users[s]} "
                    f"users and {self._slots} slots."
                )
        self._rngs[env] = rng
        self._row[env] = rng.integers(len(self._packets)) if self._random_start else 0

    def fill(self, env: int, slices: NDArray[np.int8], packets: NDArray[np.int32]) -> None:
        """Writes the packets of each user `(U,)` in the next window of one environment."""
        row = int(self._row[env])
        self._row[env] = (row + 1) % len(self._packets)
        counts = self._packets[row]
        if counts.size == slices.size:
            packets[:] = counts
            return
        rng = self._rngs[env]
        assert rng is not None
        for s, count in enumerate(counts.tolist()):
            members = np.flatnonzero(slices == s)
            each, more = divmod(count, max(members.size, 1))
            packets[members] = each
            packets[rng.permutation(members)[:more]] += 1
