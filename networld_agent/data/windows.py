"""Windows of trajectories, gathered from memory maps without copying the data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["Windows", "discounted_returns", "gather_neighbors", "gather_rows"]


@dataclass(frozen=True)
class Windows:
    """B windows of H steps, each of one agent in one episode; values raw, as recorded.

    Args:
        observations: `(B, H, D)` float32, own; row h is what the agent saw before action h.
        neighbors: `(B, H, D)` float32, the mean of its 1-hop neighbours' observations at the same
            steps, zero for an agent that hears nobody; None if not asked for.
        actions: `(B, H[, A])` as recorded.
        rewards: `(B, H)` float64.
        episodes: `(B,)` episode of the data set.
        agents: `(B,)` index of the agent.
        starts: `(B,)` first step.
        datasets: `(B,)` index of the data set in a collection; zeros for a single one.
    """

    observations: NDArray[np.float32]
    neighbors: NDArray[np.float32] | None
    actions: NDArray[Any]
    rewards: NDArray[np.float64]
    episodes: NDArray[np.int64]
    agents: NDArray[np.int64]
    starts: NDArray[np.int64]
    datasets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)


def discounted_returns(rewards: NDArray[np.float64], discount: float) -> NDArray[np.float64]:
    """`(B,)` discounted sums of the rewards `(B, H)` of windows.

    Example:
        >>> discounted_returns(np.array([[1.0, 2.0, 4.0]]), 0.5).tolist()
        [3.0]
    """
    return np.asarray(rewards @ discount ** np.arange(rewards.shape[-1]))


@numba.njit(cache=True)
def gather_rows(
    source: NDArray[Any],
    episodes: NDArray[np.int64],
    agents: NDArray[np.int64],
    starts: NDArray[np.int64],
    out: NDArray[Any],
) -> None:
    """Copies `source[e, i, s : s + H]`, `(E, N, T, D)`, into `out`, `(B, H, D)`.

    Both must be in C order.
    """
    size = out.shape[2]
    # A window is one contiguous run of H D values: flat loops are what the compiler vectorises.
    lines = source.reshape(source.shape[0] * source.shape[1], source.shape[2] * size)
    windows = out.reshape(out.shape[0], out.shape[1] * size)
    for b in range(windows.shape[0]):
        line = lines[episodes[b] * source.shape[1] + agents[b]]
        # A slice first: a sum as an index could be negative, which costs a check per value.
        run = line[starts[b] * size : (starts[b] + out.shape[1]) * size]
        window = windows[b]
        for k in range(run.size):
            window[k] = run[k]


@numba.njit(cache=True)
def gather_neighbors(
    source: NDArray[np.float32],
    first: NDArray[np.int64],
    heard: NDArray[np.int64],
    dynamic: NDArray[np.uint8],
    episodes: NDArray[np.int64],
    agents: NDArray[np.int64],
    starts: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Writes the neighbours' means of windows into `out`, `(B, H, D)`.

    Args:
        source: `(E, N, T + 1, D)` in C order.
        first: `(N + 1,)` agent i hears `heard[first[i] : first[i + 1]]`.
        heard: neighbours one agent after the other.
        dynamic: `(E, T + 1, N, N)` adjacency per step, or `(0, 0, 0, 0)` for the static graph.
        episodes: `(B,)`.
        agents: `(B,)`.
        starts: `(B,)`.
        out: `(B, H, D)` in C order.
    """
    out[:] = 0
    num_agents, horizon, size = source.shape[1], out.shape[1], out.shape[2]
    lines = source.reshape(source.shape[0] * num_agents, source.shape[2] * size)
    windows = out.reshape(out.shape[0], horizon * size)
    for b in range(windows.shape[0]):
        e, i, s = episodes[b], agents[b], starts[b]
        window = windows[b]
        if dynamic.shape[0] == 0:
            for n in range(first[i], first[i + 1]):
                line = lines[e * num_agents + heard[n]]
                run = line[s * size : (s + horizon) * size]
                for k in range(run.size):
                    window[k] += run[k]
            scale = np.float32(1 / max(first[i + 1] - first[i], 1))
            for k in range(window.size):
                window[k] *= scale
        else:
            for h in range(horizon):
                count = 0
                for j in range(num_agents):
                    if dynamic[e, s + h, i, j]:
                        count += 1
                        for d in range(size):
                            out[b, h, d] += source[e, j, s + h, d]
                scale = np.float32(1 / max(count, 1))
                for d in range(size):
                    out[b, h, d] *= scale
