"""Graphs and topologies against hand calculations."""

import sys

import numpy as np
import pytest

from wirelessenvs import NeighborGraph
from wirelessenvs.topology import (
    adjacency_within,
    hexagonal_grid,
    random_geometric,
    ring_lattice,
    rings_for_cells,
)


def names(n):
    return tuple(f"a{i}" for i in range(n))


@pytest.mark.parametrize(("rings", "cells"), [(0, 1), (1, 7), (2, 19), (3, 37), (4, 61)])
def test_hexagonal_grid_has_the_cells_of_its_rings(rings, cells):
    grid = hexagonal_grid(rings, 400.0)
    assert grid.shape == (cells, 2)
    assert rings_for_cells(cells) == rings
    gaps = np.linalg.norm(grid[:, None] - grid[None], axis=-1)[np.triu_indices(cells, 1)]
    if cells > 1:
        assert gaps.min() == pytest.approx(400.0)


def test_nineteen_cells_stand_where_the_paper_has_them():
    grid = hexagonal_grid(2, 400.0)
    angles = np.rad2deg(np.arctan2(grid[1:, 1], grid[1:, 0])) % 360
    radii = np.linalg.norm(grid, axis=1)
    assert np.allclose(angles[:6], [330, 30, 90, 150, 210, 270])
    assert np.allclose(angles[6:12], [330, 30, 90, 150, 210, 270])
    assert np.allclose(np.sort(angles[12:] % 359.9999), [0, 60, 120, 180, 240, 300], atol=1e-3)
    assert np.allclose(radii, [0] + [400] * 6 + [800] * 6 + [692.8203] * 6)


def test_nineteen_cells_have_42_edges_and_the_known_degrees():
    graph = NeighborGraph(names(19), adjacency_within(hexagonal_grid(2, 400.0), 400.0))
    assert graph.edge_index.shape == (2, 84)
    assert graph.degrees.tolist() == [6] * 7 + [3] * 6 + [4] * 6


def test_no_grid_has_twenty_cells():
    with pytest.raises(ValueError, match=r"num_cells .* got 20"):
        rings_for_cells(20)


def test_ring_lattice_wraps_around():
    lattice = ring_lattice(8, 2)
    assert np.flatnonzero(lattice[0]).tolist() == [1, 2, 6, 7]
    assert (lattice == lattice.T).all()
    assert ring_lattice(4, 2).sum() == 12  # small rings become complete, never self-linked


def test_random_geometric_links_exactly_the_near_points():
    positions, adjacency = random_geometric(20, 0.4, np.random.default_rng(3))
    for i in range(20):
        for j in range(20):
            near = i != j and np.hypot(*(positions[i] - positions[j])) <= 0.4
            assert adjacency[i, j] == near


def test_mean_field_is_the_neighbours_mean_and_zero_for_the_isolated():
    graph = NeighborGraph(names(4), np.array([[0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0] * 4]))
    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    mean = graph.mean_field(values)
    assert mean.dtype == np.float32
    assert mean.tolist() == [[3, 4], [0, 1], [0, 1], [0, 0]]
    stacked = np.stack([values, 2 * values])
    assert np.array_equal(graph.mean_field(stacked), np.stack([mean, 2 * mean]))


def test_hops_count_edges_and_mark_the_unreachable():
    path = np.zeros((4, 4), bool)
    path[0, 1] = path[1, 0] = path[1, 2] = path[2, 1] = True
    assert NeighborGraph(names(4), path).hops.tolist() == [
        [0, 1, 2, -1],
        [1, 0, 1, -1],
        [2, 1, 0, -1],
        [-1, -1, -1, 0],
    ]


def test_edges_point_from_the_heard_to_the_hearer():
    directed = np.array([[0, 1], [0, 0]])  # a0 hears a1
    graph = NeighborGraph(names(2), directed)
    assert graph.edge_index.tolist() == [[1], [0]]
    assert graph.neighbors("a0") == ("a1",)
    assert graph.neighbors("a1") == ()


def test_graph_is_frozen():
    graph = NeighborGraph.complete(names(3))
    with pytest.raises(ValueError, match="read-only"):
        graph.adjacency[0, 1] = False
    with pytest.raises(AttributeError):
        graph.agents = ()


@pytest.mark.parametrize(
    ("adjacency", "sentence"),
    [
        (np.zeros((2, 3)), r"shape \(3, 3\)"),
        (np.full((3, 3), 0.5), "only 0 and 1"),
        (np.full((3, 3), np.nan), "only 0 and 1"),
        (np.eye(3), "diagonal"),
    ],
)
def test_bad_adjacency_is_refused(adjacency, sentence):
    with pytest.raises(ValueError, match=sentence):
        NeighborGraph(names(3), adjacency)


# ------------------------------------------------------------------- other libraries
def one_way():
    """b hears a, c hears a and b: a triangle of 3, 4 and 5 m."""
    places = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]])
    return NeighborGraph(("a", "b", "c"), np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]]), places)


def test_edges_have_their_lengths_in_the_order_of_the_edges():
    graph = one_way()
    assert graph.edge_index.tolist() == [[0, 0, 1], [1, 2, 2]]
    assert graph.edge_lengths_m.tolist() == [3, 5, 4]
    assert NeighborGraph.complete(names(3)).edge_lengths_m is None


def test_networkx_has_names_directions_places_and_lengths():
    networkx = pytest.importorskip("networkx")
    graph = one_way().to_networkx()
    assert isinstance(graph, networkx.DiGraph)
    assert dict(graph.nodes(data="position")) == {"a": (0, 0), "b": (3, 0), "c": (3, 4)}
    assert set(graph.edges(data="length_m")) == {("a", "b", 3), ("a", "c", 5), ("b", "c", 4)}
    ring = NeighborGraph(names(6), ring_lattice(6, 1)).to_networkx()
    assert networkx.diameter(ring) == 3
    assert "length_m" not in ring.edges["a0", "a1"]


def test_networkx_keeps_agents_that_hear_nobody():
    pytest.importorskip("networkx")
    assert list(NeighborGraph(names(2), np.zeros((2, 2))).to_networkx()) == ["a0", "a1"]


def test_pytorch_geometric_passes_messages_along_the_edges():
    pytest.importorskip("torch_geometric")
    import torch
    from torch_geometric.nn import SimpleConv

    data = one_way().to_pyg()
    assert data.validate()
    assert (data.num_nodes, data.num_edges) == (3, 3)
    assert data.edge_attr.tolist() == [[3], [5], [4]]
    assert data.pos.tolist() == [[0, 0], [3, 0], [3, 4]]
    # Its mean over what arrives is our mean field.
    graph = NeighborGraph(names(6), ring_lattice(6, 1))
    values = torch.arange(6.0)[:, None]
    mean = SimpleConv(aggr="mean")(values, graph.to_pyg().edge_index)
    assert np.array_equal(mean.numpy(), graph.mean_field(values.numpy()))
    assert graph.to_pyg().edge_attr is None


@pytest.mark.parametrize(
    ("module", "method"), [("networkx", "to_networkx"), ("torch_geometric.data", "to_pyg")]
)
def test_a_library_that_is_missing_is_one_sentence(module, method, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"is not installed: pip install 'wirelessenvs\[graph\]'"):
        getattr(one_way(), method)()
