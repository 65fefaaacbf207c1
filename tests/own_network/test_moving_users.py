"""Walking users of beamforming: within their cells, at their speed, with channels that follow."""

import numpy as np
import pytest
from own_networks import SITES, play

from wirelessenvs import make_simulator
from wirelessenvs.tasks import make_policy

NETWORK = {"sites": SITES, "num_interferers": 3, "speed_mps": 30.0}


def gains(simulator):
    """`(B, K, K)` mean power gains of the coming slot's links, over antennas."""
    n = simulator.num_agents
    return 2 * (simulator._factors**2).sum((1, 2, 3)).reshape(-1, n, n) / 4


@pytest.mark.parametrize("seed", [2019, None])
def test_users_walk_at_their_speed_within_their_cells(seed):
    simulator = make_simulator("cbf-v0", 4, **NETWORK, layout_seed=seed)
    simulator.reset(0)
    before, walked = simulator.ue_positions.copy(), []
    for _ in range(400):
        simulator.step(np.zeros((4, 5), int))
        after = simulator.ue_positions.copy()
        walked.append(np.hypot(*(after - before).transpose(2, 0, 1)))
        before = after
        away = np.hypot(*(after - SITES).transpose(2, 0, 1))
        assert (away <= simulator.config.cells.radii_m + 1e-9).all()
        assert (away >= simulator.config.min_distance_m - 1e-9).all()
    walked = np.array(walked)
    moving = walked > 1e-9
    np.testing.assert_allclose(walked[moving], 30 * 0.02, rtol=1e-6)
    assert 0.8 < moving.mean() < 1.0
    assert simulator.ue_positions.std(0).min() > 1.0  # every environment has its own walk


def test_path_loss_follows_the_distance():
    simulator = make_simulator("cbf-v0", 2, **NETWORK, shadowing_db=0.0)
    simulator.reset(0)
    for _ in range(20):
        simulator.step(np.zeros((2, 5), int))
    offset = simulator.ue_positions[:, None] - SITES[:, None]
    distance_km = np.hypot(offset[..., 0], offset[..., 1]) / 1000
    expected = 10 ** (-(120.9 + 37.6 * np.log10(distance_km)) / 10)
    np.testing.assert_allclose(gains(simulator), expected, rtol=1e-9)


def test_shadowing_keeps_its_law_and_forgets_with_the_distance():
    simulator = make_simulator(
        "cbf-v0", 30, **NETWORK, path_loss_slope_db=0.0, layout_seed=None, shadowing_distance_m=12.0
    )
    simulator.reset(0)
    shadowing = []
    for _ in range(41):
        shadowing.append(-10 * np.log10(gains(simulator)) - 120.9)
        simulator.step(np.zeros((30, 5), int))
    shadowing = np.array(shadowing)
    assert shadowing[0].std() == pytest.approx(8, rel=0.1)
    assert shadowing[-1].std() == pytest.approx(8, rel=0.1)
    for slots in (10, 20):
        together = (shadowing[:-slots] * shadowing[slots:]).mean() / 64
        assert together == pytest.approx(np.exp(-slots * 0.6 / 12), abs=0.08)


def test_a_batch_equals_its_single_environments_and_actions_change_no_walk():
    arguments = {**NETWORK, "layout_seed": None}
    batch = play(make_simulator("cbf-v0", 3, **arguments), seed=5)
    for env in range(3):
        simulator = make_simulator("cbf-v0", 1, **arguments)
        for one, other in zip(batch, play(simulator, seed=5 + env), strict=True):
            np.testing.assert_array_equal(one[env], other[0])
    idle = make_simulator("cbf-v0", 1, **arguments)
    idle.reset(7)
    for _ in range(4):
        idle.step(np.zeros((1, 5), int))
    np.testing.assert_array_equal(idle.ue_positions, simulator.ue_positions)


def test_inactive_environments_stand_still():
    simulator = make_simulator("cbf-v0", 2, **NETWORK)
    simulator.reset(0)
    before = simulator.ue_positions.copy()
    simulator.step(np.zeros((2, 5), int), np.array([True, False]))
    np.testing.assert_array_equal(simulator.ue_positions[1], before[1])
    assert not np.array_equal(simulator.ue_positions[0], before[0])


def test_the_expert_plays_among_walking_users():
    simulator = make_simulator("cbf-v0", 2, num_cells=7, speed_mps=1.4)
    expert = make_policy("expert", simulator)
    observations = simulator.reset(0)
    for _ in range(3):
        step = simulator.step(expert(observations, simulator.privileged(expert.information)))
        observations = step.observations
    assert step.metrics["rate"].mean() > 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"correlation": 1.0},
            r"speed_mps must be 0 where channels never change \(rho = 1\), got 30",
        ),
        ({"correlation": -1}, r"never change \(rho = -1\)"),
        ({"doppler_hz": 0.0}, r"never change \(rho = 1\)"),
        (
            {"speed_mps": 100.0, "slot_s": 1.0, "cell_radius_m": 40.0},
            r"at most the smallest cell's radius \(40 m\) in a slot, got 100 m\.$",
        ),
    ],
)
def test_users_who_could_not_walk_are_told(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        make_simulator("cbf-v0", 1, **{**NETWORK, **arguments})
    make_simulator("cbf-v0", 1, **{**NETWORK, **arguments, "speed_mps": 0})


def test_a_distance_without_effect_is_told():
    still, sentence = (
        {"num_cells": 7, "shadowing_distance_m": 20},
        r"50 without speed_mps.* got 20\.$",
    )
    with pytest.raises(ValueError, match=sentence):
        make_simulator("cbf-v0", 1, **still)
    make_simulator("cbf-v0", 1, **still, speed_mps=1)
