"""Random streams: named, independent, reproducible without state."""

import numpy as np

from wirelessenvs.streams import Streams, episode_streams


def draws(streams):
    return [generator.random(50) for generator in streams]


def test_same_seed_and_episode_give_the_same_draws():
    assert np.array_equal(draws(episode_streams(7, 3)), draws(episode_streams(7, 3)))


def test_streams_equal_those_spawned_from_a_seed_sequence():
    root = np.random.SeedSequence(7)
    for episode in range(3):
        children = root.spawn(1)[0].spawn(len(Streams._fields))
        spawned = [np.random.Generator(np.random.SFC64(child)).random(50) for child in children]
        assert np.array_equal(draws(episode_streams(7, episode)), spawned)


def test_streams_seeds_and_episodes_do_not_correlate():
    rows = np.array(
        [
            generator.standard_normal(4000)
            for seed in (0, 1, 2)
            for episode in (0, 1)
            for generator in episode_streams(seed, episode)
        ]
    )
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)


def test_huge_seeds_are_taken():
    assert not np.array_equal(
        draws(episode_streams(2**200, 0)), draws(episode_streams(2**200 + 1, 0))
    )
