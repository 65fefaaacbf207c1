"""The 1-hop neighbour graph over the agents of an environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from wirelessenvs.faults import needs_extra

__all__ = ["NeighborGraph"]


@dataclass(frozen=True, eq=False)
class NeighborGraph:
    """An immutable graph over agents. An edge j -> i means that i hears j.

    Args:
        agents: names, in the order of every agent axis.
        adjacency: `(N, N)` booleans; `adjacency[i, j]` is true where j is a neighbour of i.
            The diagonal is false. Symmetric for every built-in static graph.
        positions: `(N, 2)` coordinates in metres, or None where agents have no place.

    Example:
        >>> graph = NeighborGraph(("a", "b", "c"), np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
        >>> graph.degrees.tolist()
        [1, 2, 1]
        >>> graph.mean_field(np.array([[1.0], [5.0], [3.0]])).ravel().tolist()
        [5.0, 2.0, 5.0]
    """

    agents: tuple[str, ...]
    adjacency: NDArray[np.bool_]
    positions: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = len(self.agents)
        adjacency = np.array(self.adjacency)
        if adjacency.shape != (n, n):
            raise ValueError(f"adjacency must have shape ({n}, {n}), got {adjacency.shape}.")
        if not np.isin(adjacency, (0, 1)).all():
            raise ValueError("adjacency must hold only 0 and 1.")
        adjacency = adjacency.astype(np.bool_)
        if adjacency.diagonal().any():
            raise ValueError("adjacency must be zero on the diagonal: no agent neighbours itself.")
        adjacency.setflags(write=False)
        object.__setattr__(self, "agents", tuple(self.agents))
        object.__setattr__(self, "adjacency", adjacency)
        if self.positions is not None:
            positions = np.array(self.positions, dtype=np.float64)
            if positions.shape != (n, 2):
                raise ValueError(f"positions must have shape ({n}, 2), got {positions.shape}.")
            positions.setflags(write=False)
            object.__setattr__(self, "positions", positions)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, NeighborGraph)
            and self.agents == other.agents
            and np.array_equal(self.adjacency, other.adjacency)
        )

    def __hash__(self) -> int:
        return hash((self.agents, self.adjacency.tobytes()))

    @classmethod
    def complete(cls, agents: Sequence[str]) -> NeighborGraph:
        """The graph in which every agent hears every other one."""
        return cls(tuple(agents), ~np.eye(len(agents), dtype=np.bool_))

    @property
    def num_agents(self) -> int:
        """Number of agents N."""
        return len(self.agents)

    @cached_property
    def edge_index(self) -> NDArray[np.int64]:
        """`(2, E)` directed edges, senders in row 0 and receivers in row 1."""
        receivers, senders = np.nonzero(self.adjacency)
        return np.stack([senders, receivers]).astype(np.int64)

    @cached_property
    def edge_lengths_m(self) -> NDArray[np.float64] | None:
        """`(E,)` metres between the ends of each edge; None where agents have no place."""
        if self.positions is None:
            return None
        senders, receivers = self.positions[self.edge_index]
        offsets = senders - receivers
        return np.hypot(offsets[:, 0], offsets[:, 1])

    @cached_property
    def degrees(self) -> NDArray[np.int64]:
        """`(N,)` number of neighbours that each agent hears."""
        return self.adjacency.sum(1).astype(np.int64)

    @cached_property
    def hops(self) -> NDArray[np.int64]:
        """`(N, N)` least number of edges from j to i; -1 where there is no path."""
        distance = shortest_path(self.adjacency.astype(np.float64), unweighted=True)
        return np.where(np.isfinite(distance), distance, -1).astype(np.int64)

    @cached_property
    def mean_weights(self) -> NDArray[np.float64]:
        """`(N, N)` matrix whose product with `(N, D)` values is the neighbours' mean."""
        return self.adjacency / np.maximum(self.degrees, 1)[:, None]

    def mean_field(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """The mean over each agent's neighbours; zero for an isolated agent.

        Args:
            values: `(..., N, D)`.

        Returns:
            `(..., N, D)` in the floating type of `values`.
        """
        values = np.asarray(values)
        if values.ndim < 2 or values.shape[-2] != self.num_agents:
            raise ValueError(
                f"values must have shape (..., {self.num_agents}, D), got {values.shape}."
            )
        dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.float64
        return self.mean_weights.astype(dtype) @ values.astype(dtype, copy=False)

    def neighbors(self, agent: str) -> tuple[str, ...]:
        """Names of the agents that `agent` hears."""
        if agent not in self.agents:
            raise ValueError(f"unknown agent {agent!r}; known: {', '.join(self.agents)}.")
        row = self.adjacency[self.agents.index(agent)]
        return tuple(name for name, heard in zip(self.agents, row, strict=True) if heard)

    # --------------------------------------------------------------- other libraries
    def to_networkx(self) -> Any:
        """A `networkx.DiGraph`: an edge from j to i where i hears j.

        Nodes are the agents' names. Where agents have a place, nodes have `position` (metres) and
        edges `length_m`.

        Raises:
            ImportError: if NetworkX is not installed.
        """
        with needs_extra("graph", "networkx"):
            import networkx
        graph, places, lengths = networkx.DiGraph(), self.positions, self.edge_lengths_m
        for index, name in enumerate(self.agents):
            graph.add_node(name)
            if places is not None:
                graph.nodes[name]["position"] = tuple(places[index].tolist())
        for index, (sender, receiver) in enumerate(self.edge_index.T.tolist()):
            graph.add_edge(self.agents[sender], self.agents[receiver])
            if lengths is not None:
                graph.edges[self.agents[sender], self.agents[receiver]]["length_m"] = float(
                    lengths[index]
                )
        return graph

    def to_pyg(self) -> Any:
        """A `torch_geometric.data.Data` with `edge_index` `(2, E)`, senders first.

        Where agents have a place, also `pos` `(N, 2)` and `edge_attr` `(E, 1)`, the edges' lengths,
        in metres, float32. Observations go in as `x`: `data.x = torch.from_numpy(observations)`.

        Raises:
            ImportError: if PyTorch Geometric is not installed.
        """
        with needs_extra("graph", "torch", "torch_geometric"):
            import torch
            from torch_geometric.data import Data
        data = Data(edge_index=torch.from_numpy(self.edge_index.copy()), num_nodes=self.num_agents)
        if self.positions is not None and self.edge_lengths_m is not None:
            data.pos = torch.from_numpy(self.positions.astype(np.float32))
            data.edge_attr = torch.from_numpy(self.edge_lengths_m.astype(np.float32)[:, None])
        return data
