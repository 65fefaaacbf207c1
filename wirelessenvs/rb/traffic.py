"""Packet arrivals by inverse transform: one uniform per node and frame, whatever the agents do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, pdtr

from wirelessenvs.compiled import njit
from wirelessenvs.rb.config import RBConfig

__all__ = ["arrival_table", "draw_arrivals", "success_table"]


def arrival_table(config: RBConfig) -> NDArray[np.float64]:
    """Distribution functions of the arrivals of one frame.

    Returns:
        `(M, N, L)`: entry [m, i, k] is P(g_i <= k) in mode m. The last column is 1, so that a
        search for any uniform below 1 ends; L is the first length at which every row has reached
        1 in double precision.
    """
    rates = config.mode_rates[..., None]
    if config.traffic == "bernoulli":
        counts = np.arange(config.num_slots + 1)
        table = bdtr(counts, config.num_slots, rates / config.num_slots)
    else:
        highest = float(rates.max())
        counts = np.arange(int(highest + 12 * np.sqrt(highest)) + 20)
        table = pdtr(counts, rates)
        full = (table >= 1).all((0, 1))
        if full.any():
            table = table[..., : int(full.argmax()) + 1]
    table = np.ascontiguousarray(table)
    table[..., -1] = 1
    return table


def success_table(config: RBConfig) -> NDArray[np.float64]:
    """Distribution functions of packets that get through of those transmitted.

    Returns:
        `(N, S + 1, S + 1)`: entry [i, n, k] is P(at most k of n arrive).
    """
    loss = np.full(config.num_nodes, config.erasure_probability, np.float64)
    sent = np.arange(config.num_slots + 1)
    passed = np.arange(config.num_slots + 1)
    table = bdtr(passed[None, None], sent[None, :, None], 1 - loss[:, None, None])
    # bdtr is nan beyond its support, where a distribution function is 1.
    return np.ascontiguousarray(np.where(passed[None, None] >= sent[None, :, None], 1.0, table))


@njit(nogil=True)
def draw_arrivals(
    uniforms: NDArray[np.float64],
    table: NDArray[np.float64],
    switch_probability: float,
    modes: NDArray[np.int64],
    arrivals: NDArray[np.uint16],
    mode_history: NDArray[np.uint8],
) -> None:
    """Turns uniforms into the arrivals of K frames and moves the hidden modes on.

    The modes that a frame's arrivals follow are those left by the frame before.

    Args:
        uniforms: `(K, M, N)`: row 0 decides arrivals, row 1 (if any) mode switches.
        table: `(M, N, L)` of `arrival_table`.
        switch_probability: per frame and node.
        modes: `(N,)` int64 modes of the first frame; holds those of frame K afterwards.
        arrivals: `(K, N)` output.
        mode_history: `(K, N)` output: the mode behind each arrival count.
    """
    frames, num_modes, nodes = uniforms.shape
    for k in range(frames):
        for i in range(nodes):
            mode = modes[i]
            u = uniforms[k, 0, i]
            count = 0
            while u >= table[mode, i, count]:
                count += 1
            arrivals[k, i] = count
            mode_history[k, i] = mode
            if num_modes == 2 and uniforms[k, 1, i] < switch_probability:
                modes[i] = 1 - mode
