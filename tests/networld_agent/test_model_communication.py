"""What agents make of their neighbours' latents, in training and planning alike."""

import dataclasses

import numpy as np
import pytest
import torch
from test_planning_neighbors import plain_means, random_graphs
from tiny_models import tiny_model
from training_cases import DISCRETE, TINY

from networld_agent.model import WorldModelConfig
from networld_agent.model.batch import TaskBatch
from networld_agent.model.communication import NeighborAttention, heard_means
from networld_agent.model.losses import _heard
from networld_agent.planning.neighbors import neighbors_of

CPU = torch.device("cpu")


def attention(size=8, heads=4, seed=0):
    torch.manual_seed(seed)
    made = NeighborAttention(size, heads).requires_grad_(False)
    torch.nn.init.normal_(made.query.weight)
    return made


def by_hand(made, adjacency, latents):
    """Agent by agent, head by head, in float64."""
    wide = latents.shape[-1] // made.heads
    query, key = (layer.weight.double() for layer in (made.query, made.key))
    z, found = latents.double(), torch.zeros_like(latents).double()
    for env, agent in np.ndindex(*latents.shape[:2]):
        heard = np.flatnonzero(adjacency[env % len(adjacency), agent])
        for head in range(made.heads if len(heard) else 0):
            part = slice(head * wide, (head + 1) * wide)
            q = (query @ z[env, agent])[part]
            scores = torch.stack([q @ (key @ z[env, j])[part] for j in heard]) / wide**0.5
            found[env, agent, part] = scores.softmax(0) @ z[env, heard][:, part]
    return found.float()


@pytest.mark.parametrize("graphs", [1, 3])
@pytest.mark.parametrize(("agents", "kind"), [(12, 1), (150, 2)], ids=["matrix", "lists"])
def test_attention_by_hand(graphs, agents, kind):
    adjacency = random_graphs(graphs, agents, 3)
    neighbors = neighbors_of(adjacency, CPU).tensors
    assert len(neighbors) == kind
    latents = torch.randn(3, agents, 8)
    made = attention()
    heard = made(latents, neighbors)
    torch.testing.assert_close(heard, by_hand(made, adjacency, latents), atol=1e-5, rtol=1e-4)
    assert not heard[:, 3].any()  # it hears nobody
    assert (heard - heard_means(latents, neighbors)).abs().max() > 0.1


@pytest.mark.parametrize("agents", [12, 150])
def test_fresh_attention_is_the_mean(agents):
    adjacency = random_graphs(2, agents, 3)
    latents = torch.randn(2, agents, 8)
    heard = NeighborAttention(8, 4)(latents, neighbors_of(adjacency, CPU).tensors)
    torch.testing.assert_close(heard, plain_means(adjacency, latents))


def test_the_order_of_agents_changes_nothing():
    made, adjacency = attention(), random_graphs(1, 12, 5)
    latents = torch.randn(1, 12, 8)
    order = np.random.default_rng(0).permutation(12)
    heard = made(latents, neighbors_of(adjacency, CPU).tensors)
    shuffled = neighbors_of(adjacency[:, order][:, :, order], CPU).tensors
    torch.testing.assert_close(made(latents[:, order], shuffled), heard[:, order])


def test_nobody_hears_beyond_its_neighbours():
    made, adjacency = attention(), random_graphs(1, 150, 3)
    latents = torch.randn(1, 150, 8)
    changed = latents.clone()
    changed[0, 7] = 1e3
    neighbors = neighbors_of(adjacency, CPU).tensors
    same = ~adjacency[0, :, 7] & (np.arange(150) != 7)
    assert torch.equal(made(latents, neighbors)[0, same], made(changed, neighbors)[0, same])


def test_training_and_planning_hear_the_same():
    model = tiny_model(DISCRETE, communication="attention")
    adjacency = random_graphs(1, 6, 3)
    weights = neighbors_of(adjacency, CPU).tensors[0]
    observations = 9 * torch.rand(2, 6, TINY.horizon, 4)
    z = model.encode("rb-v0", observations)
    empty = torch.zeros(2, 6)
    fixed = TaskBatch("rb-v0", observations, empty, empty, weights[0], 1.0)
    moving = dataclasses.replace(fixed, mean_weights=weights[None].expand(2, TINY.horizon, 6, 6))
    planned = torch.stack([model.heard(z[:, :, t], (weights,)) for t in range(TINY.horizon)], 2)
    for part in (fixed, moving):
        torch.testing.assert_close(_heard(model, part, z), planned)


def test_gradients_are_finite_though_an_agent_hears_nobody():
    made = NeighborAttention(8, 4)
    torch.nn.init.normal_(made.query.weight)
    latents = torch.randn(2, 12, 8, requires_grad=True)
    weights = neighbors_of(random_graphs(1, 12, 3), CPU).tensors
    made(latents, weights).square().sum().backward()
    for tensor in (latents, made.query.weight, made.key.weight):
        assert tensor.grad.isfinite().all()
        assert tensor.grad.any()


def test_fresh_attention_learns():
    made = NeighborAttention(8, 4)
    weights = neighbors_of(random_graphs(1, 12, 3), CPU).tensors
    made(torch.randn(2, 12, 8), weights).square().sum().backward()
    assert made.query.weight.grad.any()


@pytest.mark.parametrize(("hears", "communication"), [(True, "mean"), (False, "none")])
def test_models_of_earlier_versions_are_read(hears, communication):
    document = dataclasses.asdict(TINY)
    del document["communication"], document["attention_heads"]
    found = WorldModelConfig.from_json({**document, "mean_field": hears})
    assert found == dataclasses.replace(TINY, communication=communication)


def test_heads_that_do_not_divide_the_latent_are_one_sentence():
    with pytest.raises(ValueError, match="attention_heads must divide the latent_size 8, got 3"):
        dataclasses.replace(TINY, communication="attention", attention_heads=3)
