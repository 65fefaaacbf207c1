"""Windows and subsets: what is read is what was written, raw."""

import pickle
import time

import numpy as np
import pytest
import torch
from dataset_cases import SMALL, small_dataset

from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import Places, WindowSource, discounted_sums
from networld_agent.keyed_random import hashed
from wirelessenvs.tasks import TASKS


@pytest.fixture
def dataset():
    return TrajectoryDataset.open(small_dataset("rb-v0"))


@pytest.fixture(scope="module")
def dynamic(tmp_path_factory):
    overrides = {"num_cells": 7, "graph": "interferers", "num_interferers": 2}
    settings = CollectionSettings(env="cbf-v0", overrides=overrides, episodes=3, steps=12)
    return TrajectoryDataset.open(collect(settings, tmp_path_factory.mktemp("d") / "set"))


# ------------------------------------------------------------------------------ windows
def places(*rows):
    return Places(*map(np.array, zip(*rows, strict=True)))


@pytest.mark.parametrize("task", list(TASKS))
def test_windows_are_slices_of_single_agents_in_single_episodes(task):
    source = WindowSource(TrajectoryDataset.open(small_dataset(task)))
    data, found = source.dataset, places((3, 5, 1), (0, 31, 0), (3, 31, 2))
    windows = [read(found, 9) for read in (source.observations, source.actions, source.rewards)]
    for b, (e, s, i) in enumerate(zip(found.episodes, found.starts, found.agents, strict=True)):
        assert np.array_equal(windows[0][b], data.observations[e, i, s : s + 9])
        assert np.array_equal(windows[1][b], data.actions[e, i, s : s + 9])
        assert np.array_equal(windows[2][b], data.rewards[e, i, s : s + 9])


@pytest.mark.parametrize("task", list(TASKS))
def test_neighbors_are_the_mean_field_of_the_graph(task):
    source = WindowSource(TrajectoryDataset.open(small_dataset(task)))
    data, drawn = source.dataset, source.gather(places((3, 5), (0, 36)), 5)
    for b, (e, s) in enumerate(((3, 5), (0, 36))):
        joint = np.swapaxes(data.observations[e, :, s : s + 5], 0, 1).astype(np.float64)
        means = drawn.mean_weights @ np.swapaxes(drawn.observations[b], 0, 1)
        np.testing.assert_allclose(means, data.graph.mean_field(joint), rtol=1e-5)
    rows = source.neighbor_weights(places((3, 5, 1), (0, 36, 0)), 5)
    assert rows.shape == (2, 5, data.num_agents)
    assert (rows == drawn.mean_weights[[1, 0], None]).all()


def test_neighbors_follow_a_graph_that_changes(dynamic):
    adjacency, source = dynamic.array("adjacency"), WindowSource(dynamic)
    assert len({adjacency[e, t].tobytes() for e in range(3) for t in range(13)}) > 1
    joint = source.gather(places((0, 0), (2, 7)), 6).mean_weights
    assert joint.shape == (2, 6, 7, 7)
    single = source.neighbor_weights(places((0, 0, 3), (2, 7, 6)), 6)
    for b, (e, s, i) in enumerate(((0, 0, 3), (2, 7, 6))):
        for h in range(6):
            assert np.array_equal(joint[b, h], adjacency[e, s + h] / 2)
            assert np.array_equal(single[b, h], joint[b, h, i])


def test_values_stay_raw(dataset):
    windows = WindowSource(dataset).gather(places((0, 0), (1, 2)), 4)
    assert windows.observations.dtype == windows.mean_weights.dtype == np.float32
    assert windows.actions.dtype == np.int32
    assert windows.rewards.dtype == np.float64


def test_equal_seeds_draw_equal_windows(dataset):
    a, b, c = (WindowSource(dataset).draw(32, 8, seed) for seed in (1, 1, 2))
    assert np.array_equal(a.observations, b.observations)
    assert not np.array_equal(a.observations, c.observations)


def test_a_window_may_fill_the_episode_but_not_exceed_it(dataset):
    source = WindowSource(dataset)
    assert source.draw(8, 41, seed=0).observations.shape == (8, 4, 41, 4)
    with pytest.raises(ValueError, match="41 observations in a row, 42 needed"):
        source.draw(8, 42, seed=0)


@pytest.mark.parametrize("start", [31, -1])
@pytest.mark.parametrize("agents", [(), (0,)])
def test_windows_outside_an_episode_are_refused(dataset, start, agents):
    with pytest.raises(ValueError, match=f"10 steps must start between 0 and 30, got {start}"):
        WindowSource(dataset).rewards(places((0, start, *agents)), 10)


def test_arrays_cannot_be_written(dataset):
    with pytest.raises(ValueError, match="read-only"):
        dataset.observations[0] = 0


def test_returns_are_discounted_sums_of_the_next_rewards():
    rewards = np.arange(6.0)
    expected = [rewards[t : t + 3] @ [1, 0.5, 0.25] for t in range(4)]
    np.testing.assert_allclose(discounted_sums(rewards, 0.5, 3), expected)


# ------------------------------------------------------------------------------ subsets
def test_the_first_trajectories_are_a_data_set_over_the_same_map(dataset):
    few = dataset.first(2)
    assert few.observations is dataset.observations
    assert few.seeds == dataset.seeds[:2]
    assert WindowSource(few).segments.tolist() == [[0, 0, 41], [1, 0, 41]]
    assert dataset.select([4, 2]).select([1]).episodes.tolist() == [2]
    with pytest.raises(ValueError, match="count must be between 1 and 5, got 6"):
        dataset.first(6)
    with pytest.raises(ValueError, match="episodes must be between 0 and 4"):
        dataset.select([5])


def test_a_draw_is_of_the_same_episodes_in_an_order_of_its_own(dataset):
    orders = [tuple(dataset.drawn(seed).episodes) for seed in range(8)]
    assert all(sorted(order) == list(dataset.episodes) for order in orders)
    assert len(set(orders)) > 1
    assert tuple(dataset.drawn(3).episodes) == orders[3]
    assert {order[0] for order in orders} != {0}, "the first trajectory is not always drawn"


def test_a_draw_keeps_the_shares_of_the_policies(tmp_path):
    settings = CollectionSettings(env="rb-v0", policy="mixed", episodes=9, steps=5)
    dataset = TrajectoryDataset.open(collect(settings, tmp_path / "mixed"))
    names = dataset.description.episode_policies
    for seed in range(4):
        drawn = dataset.drawn(seed)
        assert [names[e] for e in drawn.episodes] == list(names)
    assert tuple(dataset.drawn(0).episodes) != tuple(dataset.drawn(1).episodes)


def test_a_data_set_goes_to_another_process_by_its_path(dataset):
    few = dataset.select([3, 1])
    data = pickle.dumps(few)
    assert len(data) < 1000
    assert pickle.loads(data).seeds == few.seeds


def test_arrays_and_metrics_are_found_by_name(dataset):
    assert np.array_equal(dataset.metric("granted"), dataset.observations[:, :, 1:, 2])
    with pytest.raises(ValueError, match="must be one of 'served'"):
        dataset.metric("nope")
    with pytest.raises(ValueError, match="must be one of 'observations'"):
        dataset.array("beams")


def test_a_lone_agent_hears_nothing(tmp_path):
    overrides = {**SMALL["rb-v0"]["overrides"], "graph": np.zeros((4, 4)).tolist()}
    settings = CollectionSettings(env="rb-v0", overrides=overrides, episodes=1, steps=10)
    dataset = TrajectoryDataset.open(collect(settings, tmp_path / "set"))
    assert not WindowSource(dataset).draw(5, 3, seed=0).mean_weights.any()


@pytest.mark.long
def test_256_windows_of_a_200_mb_map_take_less_than_3_ms(tmp_path):
    settings = CollectionSettings(env="rb-v0", policy="demand", episodes=320, steps=5000)
    dataset = TrajectoryDataset.open(collect(settings, tmp_path / "set"))
    assert dataset.observations.nbytes > 200e6
    source, seconds = WindowSource(dataset), []
    table = source.table(32)
    for step in range(300):
        episodes, starts = table.places(hashed(torch.full((256,), step), torch.arange(256)))
        found = Places(episodes.numpy(), starts.numpy(), np.arange(256) % dataset.num_agents)
        begin = time.process_time()
        for read in (source.observations, source.actions, source.rewards):
            read(found, 31)
        seconds.append(time.process_time() - begin)
    assert np.median(seconds) < 3e-3
