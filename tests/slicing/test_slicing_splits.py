"""Bandwidths, units, resource blocks and lists of splits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirelessenvs.slicing import SlicingConfig, SlicingSimulator
from wirelessenvs.slicing.splits import (
    all_splits,
    block_splits,
    nearest_units,
    split_index,
    units_to_blocks,
)

bandwidth = st.floats(0.0, 1e7)
units = st.integers(3, 60)


@given(st.tuples(bandwidth, bandwidth, bandwidth), units)
def test_every_action_becomes_a_split_of_the_whole_band(action, num_units):
    split = nearest_units(np.array(action), num_units)
    assert split.sum() == num_units
    assert split.min() >= 1


@given(st.tuples(bandwidth, bandwidth, bandwidth), units)
def test_every_slice_is_within_one_unit_of_its_share(action, num_units):
    action = np.array(action)
    if action.sum() == 0:
        return
    share = action / action.sum() * num_units
    if share.min() >= 1:
        assert np.abs(nearest_units(action, num_units) - share).max() < 1 + 1e-6


@pytest.mark.parametrize("num_units", [3, 10, 50])
def test_whole_splits_are_unchanged(num_units):
    splits = all_splits(num_units)
    assert nearest_units(splits * (1e7 / num_units), num_units).tolist() == splits.tolist()


def test_greater_bandwidths_get_no_fewer_units():
    action = np.random.default_rng(0).uniform(0, 1e7, (500, 3))
    split = nearest_units(action, 50)
    ascending = np.take_along_axis(split, np.argsort(action, axis=1), axis=1)
    assert (np.diff(ascending, axis=1) >= 0).all()


@pytest.mark.parametrize(
    ("action", "split"),
    [
        ([0.0, 0.0, 0.0], [16, 17, 17]),
        ([1.0, 1.0, 1.0], [16, 17, 17]),  # the later slice gets the odd unit
        ([0.0, 0.0, 1e7], [1, 1, 48]),
        ([1e7, 5e-324, 0.0], [48, 1, 1]),
        ([2.5e6, 2.5e6, 5e6], [12, 13, 25]),
    ],
)
def test_projection_by_hand(action, split):
    assert nearest_units(np.array(action), 50).tolist() == split


def test_there_are_36_splits_at_1_mhz_and_1176_at_200_khz():
    for num_units, number in ((10, 36), (50, 1176)):
        splits = all_splits(num_units)
        assert len(splits) == len(np.unique(splits, axis=0)) == number
        assert (splits.sum(1) == num_units).all()
        assert (splits >= 1).all()
        assert split_index(splits, num_units).tolist() == list(range(number))


def test_a_slice_schedules_the_whole_resource_blocks_of_its_band():
    blocks = units_to_blocks(50, 200e3, 180e3)
    assert [int(blocks[u]) for u in (1, 9, 10, 17, 48, 50)] == [1, 10, 11, 18, 53, 55]
    assert units_to_blocks(10, 1e6, 180e3)[1] == 5
    # Hertz that divide exactly must not lose a block to rounding.
    assert units_to_blocks(50, 180e3, 180e3).tolist() == list(range(51))


def test_block_splits_reach_every_outcome():
    """However fine the units, the reduced list holds a split at least as large in every slice."""
    blocks = units_to_blocks(100, 100e3, 180e3)
    choices, reduced = block_splits(blocks)
    everything = {tuple(row) for row in blocks[all_splits(100)].tolist()}
    kept = blocks[reduced]
    assert len(reduced) < len(all_splits(100)) / 2
    assert set(np.unique(kept)) <= set(choices.tolist())
    for outcome in everything:
        assert (kept >= np.array(outcome)).all(1).any()


def test_discrete_and_continuous_actions_mean_the_same():
    steps = []
    for action in ("continuous", "discrete"):
        config = SlicingConfig.from_preset("small", action=action)
        simulator = SlicingSimulator(config, 2)
        simulator.reset(4)
        index = np.random.default_rng(0).integers(1176, size=(2, 7))
        actions = index if action == "discrete" else all_splits(50)[index] * 200e3
        steps.append(simulator.step(actions))
    assert np.array_equal(steps[0].observations, steps[1].observations)
    assert np.array_equal(steps[0].rewards, steps[1].rewards)


def test_discrete_spaces_have_the_sizes_of_the_sources():
    for unit_hz, number in ((1e6, 36), (200e3, 1176)):
        config = SlicingConfig(action="discrete", unit_hz=unit_hz, num_users=10)
        assert SlicingSimulator(config).action_space.n == number
