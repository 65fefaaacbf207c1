"""Who hears whom, as tensors that are made once per graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from networld_agent.model.mean_field import mean_weights

__all__ = ["NeighborCache", "Neighbors", "adjacency_of", "neighbors_of"]

#: From this many agents on, lists of neighbours are shorter work than rows of a matrix,
_LIST_AGENTS: Final = 128
#: if no agent has more than one in so many as its neighbours.
_LIST_SHARE: Final = 8


@dataclass(frozen=True)
class Neighbors:
    """The neighbours of all agents, in one graph for all environments (G = 1) or one each (G = B).

    Args:
        tensors: as `model.communication` takes them: weights `(G, N, N)` that average over
            neighbours, or, for many agents, indices `(G, N, K)` of the K neighbours and weights
            `(G, N, K)`.
        broadcasts: `(G,)` agents that somebody hears.
        receptions: `(G,)` pairs of a speaker and a hearer.
    """

    tensors: tuple[Tensor, ...]
    broadcasts: NDArray[np.int64]
    receptions: NDArray[np.int64]

    def of(self, envs: NDArray[np.int64]) -> Neighbors:
        """Those of some environments."""
        if len(self.broadcasts) == 1:
            return self
        chosen = torch.as_tensor(envs, device=self.tensors[0].device)
        return Neighbors(
            tuple(tensor[chosen] for tensor in self.tensors),
            self.broadcasts[envs],
            self.receptions[envs],
        )


def adjacency_of(graph: Any, num_envs: int, num_agents: int) -> NDArray[np.bool_]:
    """`(G, N, N)` who hears whom, G being 1 or B, from whatever describes it.

    Args:
        graph: something with an `adjacency`, or the matrix itself, `(N, N)` or `(B, N, N)`, with a
            true entry [i, j] where i hears j.
        num_envs: B.
        num_agents: N.

    Raises:
        ValueError: for another shape, or an agent that is its own neighbour.
    """
    adjacency = np.asarray(getattr(graph, "adjacency", graph))
    shape = (num_envs, num_agents, num_agents)
    if adjacency.shape not in (shape, shape[1:]):
        raise ValueError(
            f"graph must have an adjacency of shape {shape[1:]} or {shape}, got {adjacency.shape}."
        )
    adjacency = np.array(adjacency != 0).reshape(-1, num_agents, num_agents)
    if np.diagonal(adjacency, axis1=1, axis2=2).any():
        raise ValueError("graph must not make an agent its own neighbour.")
    return adjacency


def neighbors_of(adjacency: NDArray[np.bool_], device: torch.device) -> Neighbors:
    """Neighbours by `(G, N, N)` booleans; an isolated agent's weights and mean are zero."""
    graphs, agents, _ = adjacency.shape
    degrees = adjacency.sum(-1)
    most = int(degrees.max())
    if agents < _LIST_AGENTS or most * _LIST_SHARE > agents:
        tensors: tuple[Tensor, ...] = (mean_weights(torch.as_tensor(adjacency)).to(device),)
    else:
        # Lists of a power of two: graphs that change have few shapes.
        width = 1 << max(most - 1, 0).bit_length()
        graph, hearer, speaker = np.nonzero(adjacency)
        first = np.cumsum(degrees.ravel()) - degrees.ravel()
        place = np.arange(len(speaker)) - np.repeat(first, degrees.ravel())
        index = np.zeros((graphs, agents, width), np.int64)
        weights = np.zeros((graphs, agents, width), np.float32)
        index[graph, hearer, place] = speaker
        weights[graph, hearer, place] = 1 / degrees[graph, hearer]
        tensors = tuple(torch.as_tensor(array, device=device) for array in (index, weights))
    return Neighbors(
        tensors,
        adjacency.any(-2).sum(-1),
        degrees.sum(-1),
    )


class NeighborCache:
    """Neighbours of the last graph, made anew only if it has changed.

    A `NeighborGraph`, or another array that nothing can write to, is known again by identity, any
    other array by its content: one that was changed in place is noticed.

    Args:
        device: where the tensors lie.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._source: Any = None
        self._key: tuple[int, int] | None = None
        self._adjacency: NDArray[np.bool_] = np.zeros((0, 0, 0), np.bool_)
        self._known: Neighbors | None = None

    def of(self, graph: Any, num_envs: int, num_agents: int) -> Neighbors:
        """The neighbours that a graph describes; arguments and errors as for `adjacency_of`."""
        source = getattr(graph, "adjacency", graph)
        key = (num_envs, num_agents)
        if self._known is not None and key == self._key and source is self._source:
            return self._known
        adjacency = adjacency_of(source, num_envs, num_agents)
        if self._known is None or not np.array_equal(adjacency, self._adjacency):
            self._known = neighbors_of(adjacency, self._device)
            self._adjacency = adjacency
        self._key = key
        self._source = source if _is_frozen(source) else None
        return self._known


def _is_frozen(array: Any) -> bool:
    """Whether nothing can write to an array: neither through itself nor through what it views."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base
    return array is None
