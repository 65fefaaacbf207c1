"""Cells, users and how they move."""

import numpy as np
import pytest

from wirelessenvs.slicing import SlicingConfig, SlicingSimulator
from wirelessenvs.slicing.mobility import path_loss_db

EQUAL = 10e6 / 3


def test_19_cells_have_the_degrees_of_the_hexagonal_grid():
    graph = SlicingSimulator(SlicingConfig(num_users=1)).graph
    degrees, times = np.unique(graph.degrees, return_counts=True)
    assert dict(zip(degrees.tolist(), times.tolist(), strict=True)) == {3: 6, 4: 6, 6: 7}
    assert graph.adjacency.sum() == 2 * 42
    distance = np.linalg.norm(graph.positions[:, None] - graph.positions[None], axis=-1)
    assert distance[graph.adjacency] == pytest.approx(69.28, abs=0.01)


@pytest.mark.parametrize("num_cells", [1, 7, 19, 37, 61])
def test_any_number_of_rings_runs(num_cells):
    config = SlicingConfig(num_cells=num_cells, num_users=200, slots_per_window=50)
    simulator = SlicingSimulator(config)
    assert simulator.reset(0).shape == (1, num_cells, 12)
    step = simulator.step(np.full((1, num_cells, 3), EQUAL))
    assert simulator.observation_space.contains(step.observations[0, 0])
    assert step.metrics["demand_video"].sum() > 0


def test_users_hand_over_as_often_as_the_model_says():
    simulator = SlicingSimulator(SlicingConfig(slots_per_window=2, slot_s=0.5), 8)
    simulator.reset(0)
    moved, steps = np.zeros(3), 25
    for _ in range(steps):
        before = simulator.cells.copy()
        simulator.step(np.full((8, 19, 3), EQUAL))
        changed = before != simulator.cells
        moved += [changed[simulator.slices == s].mean() for s in range(3)]
    np.testing.assert_allclose(moved / steps, [0.012, 0.046, 0.092], rtol=0.06)


def test_users_stay_in_their_box_and_are_served_by_the_nearest_cell():
    simulator = SlicingSimulator(SlicingConfig(slots_per_window=20, slot_s=0.5, num_users=300))
    simulator.reset(1)
    for _ in range(20):
        simulator.step(np.full((1, 19, 3), EQUAL))
        assert (np.abs(simulator.positions[0]) <= simulator.box_half).all()
        offsets = simulator.positions[0][:, None] - simulator.sites
        distance = np.linalg.norm(offsets, axis=-1)
        assert np.array_equal(distance.argmin(1), simulator.cells[0])


def test_users_walk_straight_at_the_speed_of_their_class():
    simulator = SlicingSimulator(SlicingConfig(num_users=300))
    simulator.reset(1)
    start = simulator.positions.copy()
    direction = simulator.displacement.copy()
    simulator.step(np.full((1, 19, 3), EQUAL))
    straight = (simulator.displacement == direction).all(-1)
    walked = np.linalg.norm(simulator.positions - start, axis=-1)
    expected = np.array([1.0, 4.0, 8.0])[simulator.slices]
    np.testing.assert_allclose(walked[straight], expected[straight], rtol=1e-9)
    assert straight.mean() > 0.9


def test_users_of_the_single_cell_preset_stand_still():
    simulator = SlicingSimulator(SlicingConfig.from_preset("single-bs"))
    simulator.reset(1)
    start = simulator.positions.copy()
    simulator.step(np.full((1, 1, 3), EQUAL))
    assert np.array_equal(simulator.positions, start)


def test_classes_are_drawn_in_the_proportions_of_the_mix():
    simulator = SlicingSimulator(SlicingConfig(num_users=30_000, slots_per_window=2))
    simulator.reset(1)
    share = np.bincount(simulator.slices[0], minlength=3) / 30_000
    np.testing.assert_allclose(share, [1 / 6, 2 / 6, 3 / 6], atol=0.01)


def test_snr_is_the_link_budget_by_hand():
    """46 dBm + 20 dB - (145.4 + 37.5 log10 0.02) dB - (-174 dBm/Hz + 10 log10 180 kHz)."""
    assert path_loss_db(np.array([20.0]))[0] == pytest.approx(81.69, abs=0.01)
    simulator = SlicingSimulator(SlicingConfig(num_cells=1, num_users=50))
    simulator.reset(2)
    distance = np.linalg.norm(simulator.positions[0], axis=-1)
    expected_db = 46 + 20 - path_loss_db(distance) + 174 - 10 * np.log10(180e3)
    np.testing.assert_allclose(10 * simulator.users.log_snr[0], expected_db, rtol=1e-12)


def test_users_out_of_coverage_send_nothing():
    config = SlicingConfig.from_preset("lstm-a2c", speeds_mps=(0.0, 0.0, 0.0))
    simulator = SlicingSimulator(config)
    simulator.reset(5)
    inside = np.linalg.norm(simulator.positions[0], axis=-1) <= 40
    assert inside.mean() == pytest.approx(np.pi * 40**2 / 240**2, abs=0.03)
    assert np.array_equal(simulator.cells[0] >= 0, inside)
    assert simulator.privileged("central").users.sum() == inside.sum()
