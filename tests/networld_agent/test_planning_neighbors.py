"""Neighbours' means, by matrices and by lists, and when they are made anew."""

import numpy as np
import pytest
import torch

from networld_agent.model.communication import heard_means
from networld_agent.planning import neighbors
from networld_agent.planning.neighbors import NeighborCache, neighbors_of
from wirelessenvs.graph import NeighborGraph

CPU = torch.device("cpu")


def random_graphs(graphs, agents, degree, seed=0):
    """`(G, N, N)` of about that many neighbours, with an isolated agent."""
    rng = np.random.default_rng(seed)
    adjacency = rng.random((graphs, agents, agents)) < degree / agents
    adjacency[:, np.arange(agents), np.arange(agents)] = False
    adjacency[:, 3] = False
    return adjacency


def plain_means(adjacency, latents):
    """Agent by agent."""
    found = torch.zeros_like(latents)
    for env, agent in np.ndindex(*latents.shape[:2]):
        heard = np.flatnonzero(adjacency[env % len(adjacency), agent])
        if len(heard):
            found[env, agent] = latents[env, heard].mean(0)
    return found


@pytest.mark.parametrize("graphs", [1, 3])
@pytest.mark.parametrize(("agents", "kind"), [(12, 1), (150, 2)], ids=["matrix", "lists"])
def test_means_are_those_of_every_agent_s_neighbours(graphs, agents, kind):
    adjacency = random_graphs(graphs, agents, 3)
    found = neighbors_of(adjacency, CPU)
    assert len(found.tensors) == kind
    latents = torch.randn(3, agents, 5)
    torch.testing.assert_close(heard_means(latents, found.tensors), plain_means(adjacency, latents))
    assert found.receptions.tolist() == adjacency.sum((1, 2)).tolist()
    assert found.broadcasts.tolist() == adjacency.any(1).sum(1).tolist()


def test_dense_graphs_of_many_agents_stay_matrices():
    adjacency = random_graphs(1, 150, 60)
    assert len(neighbors_of(adjacency, CPU).tensors) == 1


@pytest.fixture
def made(monkeypatch):
    """Every time that neighbours were made anew."""
    calls = []
    make = neighbors.neighbors_of

    def counted(adjacency, device):
        calls.append(adjacency)
        return make(adjacency, device)

    monkeypatch.setattr(neighbors, "neighbors_of", counted)
    return calls


def test_a_graph_is_read_once_and_an_array_that_was_changed_in_place_again(made):
    cache, adjacency = NeighborCache(CPU), random_graphs(1, 9, 3)[0]
    first = cache.of(adjacency, 1, 9)
    assert cache.of(adjacency, 1, 9) is first
    assert cache.of(adjacency.copy(), 1, 9) is first
    adjacency[0, 1] ^= True
    second = cache.of(adjacency, 1, 9)
    assert len(made) == 2
    expected = plain_means(adjacency[None], latents := torch.randn(1, 9, 4))
    torch.testing.assert_close(heard_means(latents, second.tensors), expected)


def test_a_neighbour_graph_is_known_again_without_being_read(made, monkeypatch):
    names = tuple(f"agent_{i}" for i in range(9))
    graph = NeighborGraph(names, random_graphs(1, 9, 3)[0])
    cache = NeighborCache(CPU)
    first = cache.of(graph, 2, 9)
    monkeypatch.setattr(neighbors, "adjacency_of", lambda *_: pytest.fail("read again"))
    assert cache.of(graph, 2, 9) is first
    assert len(made) == 1


def test_a_read_only_view_of_an_array_that_can_be_written_to_is_noticed(made):
    adjacency = random_graphs(1, 9, 3)[0]
    view = adjacency.view()
    view.flags.writeable = False
    cache = NeighborCache(CPU)
    cache.of(view, 1, 9)
    adjacency[0, 1] ^= True
    cache.of(view, 1, 9)
    assert len(made) == 2


def test_another_number_of_environments_is_another_batch(made):
    cache, adjacency = NeighborCache(CPU), random_graphs(2, 9, 3)
    assert len(cache.of(adjacency, 2, 9).broadcasts) == 2
    assert len(cache.of(adjacency[0], 4, 9).broadcasts) == 1
