"""Batches of many data sets of one task: who is drawn, how it weighs, and where its rows are."""

import dataclasses
import functools
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from device_cases import CONFIG, CPU
from training_cases import TINY

from networld_agent.collecting import CollectionSettings, collect
from networld_agent.config import Preset
from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import Places, WindowSource
from networld_agent.model.batch import Batch, TaskBatch
from networld_agent.model.losses import joint_loss
from networld_agent.model.world_model import WorldModel
from networld_agent.training.batches import BatchSampler, Share, discounted
from networld_agent.training.feeds import StreamedFeed
from networld_agent.training.mixtures import Mixture
from networld_agent.training.pretraining import fresh_model, pretrain
from networld_agent.training.resident import ResidentBatches, resident_bytes

HORIZON = TINY.horizon


@functools.cache
def _shelf():
    return tempfile.TemporaryDirectory()


@functools.cache
def deployment(env, **overrides):
    """Two short episodes in one network."""
    name = "-".join([env, *(f"{key}-{value}" for key, value in overrides.items())])
    settings = CollectionSettings(
        env=env, policy="random", episodes=2, steps=20, overrides=overrides
    )
    return collect(settings, Path(_shelf().name) / env / name, num_envs=2)


def rb(*nodes):
    return [TrajectoryDataset.open(deployment("rb-v0", num_nodes=n)) for n in nodes]


def cells(graph, num_cells):
    path = deployment("cbf-v0", num_cells=num_cells, layout_seed=None, graph=graph)
    return TrajectoryDataset.open(path)


def sources(*nodes, temperature=0.0):
    return [WindowSource(data, temperature=temperature) for data in rb(*nodes)]


def sampler(found, batch_size=64, seed=0, share=None):
    return BatchSampler(found, TINY, batch_size, seed, share)


def drawn(batches, step):
    (places,) = batches.drawer(CPU).places(torch.tensor(step))
    return places


# ----------------------------------------------------------------------------- who is drawn
@pytest.mark.parametrize(("nodes", "batch_size"), [
    ((5, 6, 7, 8), 64), ((8, 5, 7, 6), 20), ((5, 8) * 30, 64), ((6,) * 50, 60),
])  # fmt: skip
def test_a_batch_has_its_size_however_many_sources_there_are(nodes, batch_size):
    batches = sampler(sources(*nodes), batch_size)
    sizes = [len(batches(step).tau) for step in range(5)]
    assert len(set(sizes)) == 1
    assert abs(sizes[0] - batch_size) <= max(nodes)
    assert sizes[0] == batches.num_sequences


def test_every_source_weighs_the_same_in_expectation():
    nodes = (8, 5, 5, 7, 8, 6, 5)
    batches = sampler(sources(*nodes), 24)
    (mixture,) = batches.units.values()
    weights, steps = np.zeros(len(nodes)), 4000
    for step in range(steps):
        places = drawn(batches, step)
        rows = places.sources[torch.from_numpy(mixture.window)]
        weights += np.bincount(rows, places.weight, len(nodes)) / steps
    assert weights.sum() == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(weights, 1 / len(nodes), rtol=0.08)


def test_a_batch_with_room_for_all_holds_all_of_them_equally():
    batches = sampler(sources(5, 5, 8, 8), 160)
    (mixture,) = batches.units.values()
    for step in range(3):
        places = drawn(batches, step)
        assert np.bincount(places.sources).tolist() == [8, 8, 5, 5]
    assert places.weight.unique().tolist() == pytest.approx([1 / 160])
    assert len(mixture.window) == 160


def test_tasks_share_a_batch_equally_whatever_their_number_of_sources():
    cbf = WindowSource(cells("hexagonal", 7))
    batch = sampler([*sources(5, 6), cbf, *sources(7, 8)], 128)(3)
    assert [part.task for part in batch.parts] == ["rb-v0", "cbf-v0"]
    mixed, alone = batch.parts
    assert float(mixed.weight.sum()) == pytest.approx(0.5, rel=0.1)
    assert alone.weight * alone.num_sequences == pytest.approx(0.5)
    assert abs(mixed.num_sequences - 64) <= 8


def test_all_windows_of_a_source_are_drawn_and_preferred_ones_more_often():
    found = sources(5, 5, temperature=0.2)
    segments = found[0].segments
    batches = sampler(found, 10)
    places = [drawn(batches, step) for step in range(3000)]
    first = torch.cat([p.episodes[p.sources == 0] for p in places]).numpy()
    starts = torch.cat([p.starts for p in places]).unique().tolist()
    assert starts == list(range(21 - HORIZON + 1))
    share = np.bincount(first) / len(first)
    np.testing.assert_allclose(share, found[0].preferences[: len(segments)], atol=0.03)


# ----------------------------------------------------------------------- where its rows are
def rows_of(batches, step):
    """Per window: its source, its rows, and what the data set holds there."""
    (mixture,) = batches.units.values()
    places = drawn(batches, step)
    for window, (number, episode, start) in enumerate(
        zip(places.sources.tolist(), places.episodes.tolist(), places.starts.tolist(), strict=True)
    ):
        source = mixture.sources[number]
        rows = np.flatnonzero(mixture.window == window)
        held = source.gather(Places(np.array([episode]), np.array([start])), HORIZON)
        yield window, rows[: source.num_agents], rows[source.num_agents :], held


def mixed_graphs():
    return [
        WindowSource(cells("interferers", 7)),
        WindowSource(cells("hexagonal", 19)),
        WindowSource(cells("interferers", 19)),
    ]


@pytest.mark.parametrize("found", [lambda: sources(5, 8, 6, 7, 5), mixed_graphs],
                         ids=["fixed graphs", "changing graphs"])  # fmt: skip
def test_rows_hold_the_windows_that_were_drawn(found):
    batches = sampler(found(), 40)
    (mixture,) = batches.units.values()
    (part,) = batches(4).parts
    empty_rows = 0
    for window, rows, empty, held in rows_of(batches, 4):
        agents = len(rows)
        assert np.array_equal(part.observations[0, rows], held.observations[0])
        assert np.array_equal(part.actions[0, rows], held.actions[0])
        expected = discounted(torch.from_numpy(held.rewards), TINY)[0]
        assert torch.equal(part.returns[0, rows], expected)
        assert part.seating.seats[window, :agents].tolist() == rows.tolist()
        weights = part.mean_weights[window]
        known = held.mean_weights if held.mean_weights.ndim == 2 else held.mean_weights[0]
        assert np.array_equal(
            weights[:, :agents, :agents], np.broadcast_to(known, (len(weights), agents, agents))
        )
        assert not weights[:, agents:].any()
        assert not weights[:, :, agents:].any()
        assert (part.weight[rows] > 0).all()
        assert not part.weight[empty].any()
        empty_rows += len(empty)
    assert empty_rows < 0.2 * len(part.weight)
    assert part.weight.unique().tolist() == pytest.approx(
        [*([0.0] if empty_rows else []), mixture.weight]
    )


@pytest.mark.parametrize("found", [lambda: sources(5, 8, 6, 7, 5), mixed_graphs],
                         ids=["fixed graphs", "changing graphs"])  # fmt: skip
def test_the_loss_is_that_of_the_windows_by_themselves(found):
    batches = sampler(found(), 40)
    batch = batches(2)
    (part,) = batch.parts
    torch.manual_seed(0)
    model = fresh_model(batches.sources, TINY, 0)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    pieces, kept = [], []
    for _, rows, _, held in rows_of(batches, 2):
        observations, actions, rewards, weights = (
            torch.from_numpy(array)
            for array in (held.observations, held.actions, held.rewards, held.mean_weights)
        )
        pieces.append(
            TaskBatch(
                part.task, observations, actions, discounted(rewards, TINY), weights,
                float(part.weight[rows[0]]),
            )
        )  # fmt: skip
        kept.append(rows)
    rows = torch.from_numpy(np.concatenate(kept))
    alone = joint_loss(model, Batch(tuple(pieces), batch.tau[rows], batch.noise[rows]))
    together = joint_loss(model, batch)
    for name, value in alone.items():
        assert together[name].item() == pytest.approx(value.item(), rel=1e-5), name


def test_a_mixture_trains_beside_a_task_of_one_source():
    found = [*sources(5, 8), WindowSource(cells("hexagonal", 7)), *sources(6, 7)]
    batches = sampler(found, 48)
    batch = batches(1)
    model = fresh_model(found, TINY, 0)
    losses = model.loss(batch)
    assert {value.dtype for value in losses.values()} == {torch.float32}
    mixed, alone = batch.parts
    rows = [mixed.num_sequences, alone.num_sequences]
    tau, noise = batch.tau.split(rows), batch.noise.split(rows)
    by_task = [
        model.loss(Batch((part,), *random))
        for part, random in zip(batch.parts, zip(tau, noise, strict=True), strict=True)
    ]
    for name, value in losses.items():
        total = sum(parts[name].item() for parts in by_task)
        assert value.item() == pytest.approx(total, rel=1e-5), name


# ------------------------------------------------------------------- processes and devices
@pytest.mark.parametrize("world", [2, 3])
def test_shares_of_the_processes_make_up_the_whole_batch(world):
    found = sources(5, 8, 6, 7, 5)
    whole = sampler(found)(3)
    parts = [sampler(found, share=Share(rank, world))(3) for rank in range(world)]
    assert sum(len(part.noise) for part in parts) == len(whole.noise)
    for name in ("observations", "returns", "weight"):
        pieces = [getattr(part.parts[0], name) for part in parts]
        total = sum(piece.double().sum() for piece in pieces)
        torch.testing.assert_close(total, getattr(whole.parts[0], name).double().sum())
    rows = torch.cat([part.noise for part in parts]).flatten(1)
    assert set(map(tuple, rows.tolist())) == set(map(tuple, whole.noise.flatten(1).tolist()))


def test_a_process_without_a_place_works_on_other_tasks():
    big = [WindowSource(cells("hexagonal", n)) for n in (19, 19)]
    found = [*big, *sources(5)]
    batches = sampler(found, 24, share=Share(1, 2))
    assert [unit.windows for unit in batches.units.values()] == [1, 2]
    for batch in (batches(0), ResidentBatches(batches, CPU)(torch.tensor(0))):
        assert [part.task for part in batch.parts] == ["rb-v0"]
        assert len(batch.noise) == 5


def test_more_processes_than_windows_is_one_sentence():
    with pytest.raises(ValueError, match="gives 2 joint windows, fewer than the 3 processes"):
        sampler(sources(8, 8), 16, share=Share(0, 3))


@pytest.mark.parametrize("share", [Share(), Share(1, 2)])
@pytest.mark.parametrize("kind", ["fixed", "changing", "preferred", "cut"])
def test_batches_from_the_device_are_those_of_the_host_bit_for_bit(kind, share):
    found = {
        "fixed": lambda: sources(5, 8, 6, 7, 5),
        "changing": mixed_graphs,
        "preferred": lambda: sources(5, 8, 6, temperature=0.3),
        "cut": lambda: [
            WindowSource(data, [(1, 3, 15), (1, 0, 9)]) for data in rb(6, 8)
        ] + [WindowSource(rb(5)[0], [(0, 0, 4), (1, 2, 21)])],
    }[kind]()  # fmt: skip
    batches = sampler(found, 60, 5, share)
    resident = ResidentBatches(batches, CPU)
    for step in (0, 1, 1000):
        one, two = resident(torch.tensor(step)), batches(step)
        assert torch.equal(one.noise, two.noise)
        (mine,), (other,) = one.parts, two.parts
        for a, b in zip(mine.tensors, other.tensors, strict=True):
            assert a.dtype == b.dtype
            assert torch.equal(a, b)
    if kind == "cut":
        one_episode = [
            source.dataset.array(name)[0].nbytes
            for source in found
            for name in ("observations", "actions", "rewards")
        ]
        assert resident_bytes(batches) == sum(one_episode) + sum(one_episode[-3:])


def test_batches_depend_on_seed_and_step_alone():
    first, again = sampler(sources(5, 8, 6)), sampler(sources(5, 8, 6))
    again(7)
    for step in (0, 5):
        for a, b in zip(first(step).parts[0].tensors, again(step).parts[0].tensors, strict=True):
            assert torch.equal(a, b)
    other = sampler(sources(5, 8, 6), seed=1)
    assert not torch.equal(first(0).parts[0].observations, other(0).parts[0].observations)
    assert not torch.equal(drawn(first, 0).episodes, drawn(first, 1).episodes)


def test_a_streamed_batch_stays_where_a_recording_reads_it():
    batches = sampler(sources(5, 8, 6, 7, 5), 24)
    with ThreadPoolExecutor(1) as reader:
        feed = StreamedFeed(batches, CPU, reader)
        for step in range(3):
            feed.prepare(step)
            part = feed.batch(torch.tensor(step)).parts[0]
            if step == 0:
                places = [tensor.data_ptr() for tensor in part.tensors]
        assert [tensor.data_ptr() for tensor in part.tensors] == places
        for a, b in zip(part.tensors, batches(2).parts[0].tensors, strict=True):
            assert torch.equal(a, b)


def test_a_folder_of_deployments_trains_one_model(tmp_path):
    deployments = [deployment("rb-v0", num_nodes=n) for n in (5, 6, 7, 8)]
    trained = {}
    for where in ("auto", "device", "host"):
        config = dataclasses.replace(CONFIG, data=where)
        preset = Preset("tiny", TINY, config, config)
        out = pretrain(deployments[0].parent, tmp_path / where, preset, device="cpu")
        trained[where] = WorldModel.load(out)
    model = trained["auto"]
    assert {5, 6, 7, 8} <= set(model.task("rb-v0").num_agents)
    for other in (trained["device"], trained["host"]):
        for name, tensor in model.state_dict().items():
            assert torch.equal(other.state_dict()[name], tensor), name


def test_a_mixture_of_one_size_leaves_no_row_empty():
    mixture = Mixture(sources(6, 6, 6, 6, 6), 40, 1.0)
    assert (mixture.rows == 6).all()
    assert mixture.weight * mixture.num_sequences == pytest.approx(1)
