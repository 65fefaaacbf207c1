"""Preferring good trajectories: the shares, the windows that are drawn, and what is held out."""

import dataclasses

import numpy as np
import pytest
from dataset_cases import small_dataset
from hypothesis import given
from hypothesis import strategies as st
from training_cases import TINY

from networld_agent.data import TrajectoryDataset
from networld_agent.data.trajectory_weights import trajectory_weights
from networld_agent.data.windows import WindowSource, held_out_split
from networld_agent.training.batches import BatchSampler

REWARDS = st.lists(st.floats(-50, 50).map(lambda x: round(x, 3)), min_size=1, max_size=12)


@pytest.fixture
def data():
    return TrajectoryDataset.open(small_dataset("rb-v0"))


def episode_means(data):
    return np.array([data.rewards[e].mean() for e in data.episodes])


# --------------------------------------------------------------------------- shares
@given(REWARDS, st.floats(0.05, 5), st.floats(0.1, 10), st.floats(-20, 20))
def test_shares_are_exponential_in_the_scaled_reward_whatever_its_unit(
    rewards, temperature, scale, shift
):
    means = np.array(rewards)
    weights = trajectory_weights(means, temperature)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    np.testing.assert_allclose(
        trajectory_weights(scale * means + shift, temperature), weights, rtol=1e-4, atol=1e-9
    )
    if np.ptp(means) > 0.01:
        best, worst = means.argmax(), means.argmin()
        ratio = weights[best] / weights[worst]
        assert np.log(ratio) == pytest.approx(1 / temperature, rel=1e-6)


@pytest.mark.parametrize(("means", "temperature"), [([1.0, 5.0, 9.0], 0.0), ([2.0] * 4, 0.1)])
def test_without_a_preference_all_shares_are_equal(means, temperature):
    weights = trajectory_weights(np.array(means), temperature)
    assert weights.tolist() == [1 / len(means)] * len(means)


# -------------------------------------------------------------------------- windows
def test_windows_come_from_trajectories_as_often_as_their_shares_say(data, monkeypatch):
    source = WindowSource(data, temperature=0.5)
    monkeypatch.setattr(source, "gather", lambda places, horizon: places)
    drawn = source.draw(40_000, 8, seed=0)
    episodes, starts = drawn.episodes, drawn.starts
    expected = trajectory_weights(episode_means(data), 0.5)
    seen = np.bincount(episodes, minlength=len(expected)) / len(episodes)
    np.testing.assert_allclose(seen, expected, atol=0.01)
    # Within a trajectory all starts alike, the last window included.
    counts = np.bincount(starts, minlength=34)
    assert len(counts) == 34
    assert counts.min() > 0.8 * len(starts) / 34


def test_longer_segments_are_drawn_from_more_often(data, monkeypatch):
    source = WindowSource(data, [(0, 0, 11), (0, 0, 41)], temperature=1e6)
    monkeypatch.setattr(source, "gather", lambda places, horizon: places)
    late = np.mean(source.draw(20_000, 8, seed=0).starts >= 4)
    assert late == pytest.approx(30 / 38, abs=0.01)


def test_equal_steps_draw_equal_batches(data):
    def sampler():
        return BatchSampler([WindowSource(data, temperature=0.2)], TINY, 64, seed=3)

    first, again = sampler()(5).parts[0], sampler()(5).parts[0]
    assert np.array_equal(first.observations, again.observations)
    assert not np.array_equal(first.observations, sampler()(6).parts[0].observations)


# ------------------------------------------------------------------------- held out
def test_the_last_fifth_of_the_best_trajectory_is_held_out(data):
    best = int(episode_means(data)[:4].argmax())
    train, held_out = held_out_split(data, 4, 4, None, temperature=0.1)
    assert held_out.segments.tolist() == [[best, 33, 41]]
    assert sorted(train.segments[:, 0]) == [0, 1, 2, 3]
    for episode, start, end in train.segments:
        assert (start, end) == ((0, 33) if episode == best else (0, 41))


def test_too_short_trajectories_are_all_trained_on(data):
    train, held_out = held_out_split(data, 8, 3, 10, temperature=0.1)
    assert train.segments.tolist() == [[e, 0, 11] for e in range(3)]
    assert held_out is None


def test_without_a_temperature_all_windows_are_drawn_alike(data, monkeypatch):
    source = WindowSource(data)
    monkeypatch.setattr(source, "gather", lambda places, horizon: places)
    drawn = source.draw(17_000, 8, seed=4)
    seen = np.bincount(34 * drawn.episodes + drawn.starts, minlength=5 * 34)
    # 100 of each are expected: chi-squared over 169 degrees of freedom, at one in a thousand.
    assert ((seen - 100) ** 2 / 100).sum() < 230


def test_a_negative_temperature_is_refused():
    from networld_agent.training.config import TrainingConfig

    with pytest.raises(ValueError, match="trajectory_temperature must be at least 0"):
        dataclasses.replace(TrainingConfig(), trajectory_temperature=-0.1)
