"""Windows, splits and collections: what is read is what was written, raw."""

import pickle
import time

import numpy as np
import pytest
from dataset_cases import SMALL, small_dataset

from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import (
    DatasetError,
    TrajectoryCollection,
    TrajectoryDataset,
    discounted_returns,
)
from wirelessenvs.tasks import TASKS


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def dataset():
    return TrajectoryDataset.open(small_dataset("rb-v0"))


@pytest.fixture(scope="module")
def dynamic(tmp_path_factory):
    overrides = {"num_cells": 7, "graph": "interferers", "num_interferers": 2}
    settings = CollectionSettings(env="cbf-v0", overrides=overrides, episodes=3, steps=12)
    return TrajectoryDataset.open(collect(settings, tmp_path_factory.mktemp("d") / "set"))


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """rb with 8 and 9 nodes, side by side in one folder."""
    folder = tmp_path_factory.mktemp("rb")
    for nodes, episodes in ((8, 4), (9, 2)):
        settings = CollectionSettings(
            env="rb-v0", preset=f"rb-{nodes}", episodes=episodes, steps=30 * (nodes - 7)
        )
        collect(settings, folder / f"rb-{nodes}")
    return folder


# ------------------------------------------------------------------------------ windows
@pytest.mark.parametrize("task", list(TASKS))
def test_windows_are_slices_of_single_agents_in_single_episodes(task):
    dataset = TrajectoryDataset.open(small_dataset(task))
    windows = dataset.windows(64, 9, rng())
    assert len(windows) == 64
    for b, (e, i, s) in enumerate(
        zip(windows.episodes, windows.agents, windows.starts, strict=True)
    ):
        assert s + 9 <= dataset.num_steps
        assert np.array_equal(windows.observations[b], dataset.observations[e, i, s : s + 9])
        assert np.array_equal(windows.actions[b], dataset.actions[e, i, s : s + 9])
        assert np.array_equal(windows.rewards[b], dataset.rewards[e, i, s : s + 9])


@pytest.mark.parametrize("task", list(TASKS))
def test_neighbors_are_the_mean_field_of_the_graph(task):
    dataset = TrajectoryDataset.open(small_dataset(task))
    windows = dataset.windows(64, 5, rng())
    joint = np.swapaxes(dataset.observations, 1, 2)
    means = dataset.graph.mean_field(joint.astype(np.float64))
    for b, (e, i, s) in enumerate(
        zip(windows.episodes, windows.agents, windows.starts, strict=True)
    ):
        np.testing.assert_allclose(windows.neighbors[b], means[e, s : s + 5, i], rtol=1e-5)


def test_neighbors_follow_a_graph_that_changes(dynamic):
    windows = dynamic.windows(100, 6, rng())
    adjacency = dynamic.array("adjacency")
    assert len({adjacency[e, t].tobytes() for e in range(3) for t in range(13)}) > 1
    for b, (e, i, s) in enumerate(
        zip(windows.episodes, windows.agents, windows.starts, strict=True)
    ):
        for h in range(6):
            heard = np.flatnonzero(adjacency[e, s + h, i])
            assert len(heard) == 2
            mean = dynamic.observations[e, heard, s + h].astype(np.float64).mean(0)
            np.testing.assert_allclose(windows.neighbors[b, h], mean, rtol=1e-5)


def test_values_stay_raw(dataset):
    windows = dataset.windows(4, 3, rng())
    assert windows.observations.dtype == windows.neighbors.dtype == np.float32
    assert windows.actions.dtype == np.int32
    assert windows.rewards.dtype == np.float64
    assert dataset.windows(4, 3, rng(), neighbors=False).neighbors is None


def test_every_window_is_equally_likely(dataset):
    few = dataset.first(2)
    windows = few.windows(40_000, 39, rng())
    cells = (windows.episodes * 4 + windows.agents) * 2 + windows.starts
    counts = np.bincount(cells, minlength=16)
    assert len(counts) == few.num_windows(39) == 16
    assert (np.abs(counts - 2500) < 5 * np.sqrt(2500)).all()


def test_equal_generators_give_equal_windows(dataset):
    a, b, c = (dataset.windows(32, 8, rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(a.observations, b.observations)
    assert not np.array_equal(a.starts, c.starts)


def test_a_window_may_fill_the_episode_but_not_exceed_it(dataset):
    assert (dataset.windows(8, 40, rng()).starts == 0).all()
    with pytest.raises(ValueError, match="horizon must be between 1 and 40, got 41"):
        dataset.windows(8, 41, rng())


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        (([5], [0], [0]), "episodes must be .* between 0 and 4, got 5"),
        (([0], [4], [0]), "agents must be .* between 0 and 3, got 4"),
        (([0], [0], [31]), "starts must be .* between 0 and 30, got 31"),
        (([0], [0], [-1]), "starts must be .* between 0 and 30, got -1"),
        (([0, 1], [0, 0], [0]), r"starts must be .*, got shape \(1,\)"),
    ],
)
def test_windows_outside_an_episode_are_refused(dataset, places, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataset.gather(*places, horizon=10)


def test_arrays_cannot_be_written(dataset):
    with pytest.raises(ValueError, match="read-only"):
        dataset.observations[0] = 0


def test_returns_are_discounted_from_the_first_step(dataset):
    rewards = dataset.windows(3, 4, rng()).rewards
    expected = rewards[:, 0] + 0.9 * (rewards[:, 1] + 0.9 * (rewards[:, 2] + 0.9 * rewards[:, 3]))
    np.testing.assert_allclose(discounted_returns(rewards, 0.9), expected)


# ------------------------------------------------------------------------------ subsets
def test_a_split_shares_out_whole_episodes(dataset):
    train, held_out = dataset.split(0.6, seed=3)
    assert sorted([*train.episodes, *held_out.episodes]) == [0, 1, 2, 3, 4]
    assert train.num_episodes == 3
    assert set(train.windows(500, 8, rng()).episodes) == set(train.episodes)
    assert set(held_out.windows(500, 8, rng()).episodes) == set(held_out.episodes)
    again, _ = dataset.split(0.6, seed=3)
    assert np.array_equal(train.episodes, again.episodes)


@pytest.mark.parametrize("share", [0.0, 0.05, 1.0])
def test_a_split_with_an_empty_part_is_refused(dataset, share):
    with pytest.raises(ValueError, match="leaves one part empty"):
        dataset.split(share)


def test_the_first_trajectories_are_a_data_set_over_the_same_map(dataset):
    few = dataset.first(2)
    assert few.observations is dataset.observations
    assert few.seeds == dataset.seeds[:2]
    assert few.num_windows(10) == 2 * 4 * 31
    assert set(few.windows(300, 8, rng()).episodes) == {0, 1}
    assert dataset.select([4, 2]).select([1]).episodes.tolist() == [2]
    with pytest.raises(ValueError, match="count must be between 1 and 5, got 6"):
        dataset.first(6)
    with pytest.raises(ValueError, match="episodes must be between 0 and 4"):
        dataset.select([5])


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


# -------------------------------------------------------------------------- collections
def test_networks_of_eight_and_nine_nodes_are_read_as_one(collection):
    both = TrajectoryCollection.open(collection, verify="full")
    assert [dataset.num_agents for dataset in both.datasets] == [8, 9]
    windows = both.windows(3000, 8, rng())
    assert windows.observations.shape == (3000, 8, 4)
    counts = np.array([4 * 8 * 23, 2 * 9 * 53])
    assert both.num_windows(8) == counts.sum()
    share = (windows.datasets == 0).mean()
    assert abs(share - counts[0] / counts.sum()) < 0.05
    for b in (0, 2999):
        part = both.datasets[windows.datasets[b]]
        e, i, s = windows.episodes[b], windows.agents[b], windows.starts[b]
        assert np.array_equal(windows.observations[b], part.observations[e, i, s : s + 8])
        assert np.array_equal(windows.actions[b], part.actions[e, i, s : s + 8])


def test_a_collection_splits_every_data_set(collection):
    left, right = TrajectoryCollection.open(collection).split(0.5)
    assert [part.num_episodes for part in left.datasets] == [2, 1]
    assert right.num_episodes == 3
    assert [part.num_episodes for part in left.first(1).datasets] == [1, 1]


def test_agents_that_differ_do_not_fit_into_one_collection(collection):
    with pytest.raises(DatasetError, match="an observation has 62 entries there, 4 here"):
        TrajectoryCollection.open(collection / "rb-8", small_dataset("cbf-v0"))
    with pytest.raises(ValueError, match="needs at least one data set"):
        TrajectoryCollection([])


def test_a_lone_agent_hears_nothing(tmp_path):
    overrides = {**SMALL["rb-v0"]["overrides"], "graph": np.zeros((4, 4)).tolist()}
    settings = CollectionSettings(env="rb-v0", overrides=overrides, episodes=1, steps=10)
    dataset = TrajectoryDataset.open(collect(settings, tmp_path / "set"))
    assert (dataset.windows(5, 3, rng()).neighbors == 0).all()


@pytest.mark.long
def test_256_windows_of_a_200_mb_map_take_less_than_3_ms(tmp_path):
    settings = CollectionSettings(env="rb-v0", policy="demand", episodes=320, steps=5000)
    dataset = TrajectoryDataset.open(collect(settings, tmp_path / "set"))
    assert dataset.observations.nbytes > 200e6
    generator, seconds = rng(), []
    for _ in range(300):
        begin = time.process_time()
        dataset.windows(256, 32, generator)
        seconds.append(time.process_time() - begin)
    assert np.median(seconds) < 3e-3
