"""One's own network behind every façade; copies go on as the original; pictures without users."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from own_networks import ANTENNAS, SITES, channels, write_bank

import wirelessenvs
from wirelessenvs import make_simulator
from wirelessenvs.cbf.bank import save_bank
from wirelessenvs.rendering import Renderer
from wirelessenvs.tasks import get_task

BANK = {"sites": SITES, "num_antennas": ANTENNAS, "num_interferers": 3, "channel": "bank"}
SMALL = {"preset": "small", "num_users": 60, "slots_per_window": 60, "sites": SITES}


@pytest.fixture(params=["bank", "moving", "slicing-trace", "rb-trace"])
def case(request, tmp_path):
    rng = np.random.default_rng(0)
    return {
        "bank": lambda: ("cbf-v0", BANK | {"bank": write_bank(tmp_path / "bank.npz")}),
        "moving": lambda: ("cbf-v0", {"num_cells": 7, "speed_mps": 20.0, "layout_seed": None}),
        "slicing-trace": lambda: (
            "slicing-v0",
            SMALL | {"traffic": "trace", "trace": rng.poisson(60, (4, 3))},
        ),
        "rb-trace": lambda: ("rb-v0", {"traffic": "trace", "trace": rng.poisson(4, (9, 8))}),
    }[request.param]()


def actions_of(simulator, count):
    rng, space = np.random.default_rng(2), simulator.action_space
    shape = (count, simulator.num_envs, simulator.num_agents)
    if hasattr(space, "n"):
        return rng.integers(space.n, size=shape)
    return rng.uniform(0, 1, (*shape, *space.shape))


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_in_mid_episode_goes_on_identically(case, clone):
    task_id, arguments = case
    simulator = make_simulator(task_id, 2, **arguments)
    simulator.reset(3)
    actions = actions_of(simulator, 6)
    for action in actions[:3]:
        simulator.step(action)
    other = clone(simulator)
    for action in actions[3:]:
        one, two = simulator.step(action), other.step(action)
        np.testing.assert_array_equal(one.observations, two.observations)
        np.testing.assert_array_equal(one.rewards, two.rewards)


def test_every_facade_takes_the_same_arguments(case):
    task_id, arguments = case
    simulator = make_simulator(task_id, 1, **arguments)
    expected = simulator.reset([4])[0]
    name = get_task(task_id).gymnasium_id
    parallel = wirelessenvs.make(task_id, **arguments)
    observations, _ = parallel.reset(seed=4)
    np.testing.assert_array_equal(list(observations.values()), expected)
    np.testing.assert_array_equal(gymnasium.make(name, **arguments).reset(seed=4)[0], expected)
    batch = gymnasium.make_vec(name, num_envs=2, **arguments)
    np.testing.assert_array_equal(batch.reset(seed=4)[0][0], expected)
    space = parallel.observation_space(parallel.agents[0])
    assert all(space.contains(row) for row in expected)
    assert parallel.state_space.contains(parallel.state())


def test_a_bank_without_places_is_drawn_without_users(tmp_path):
    pytest.importorskip("matplotlib")
    path = save_bank(tmp_path / "bank.npz", *channels())
    simulator = make_simulator("cbf-v0", 1, **BANK, bank=path)
    simulator.reset(0)
    simulator.step(np.full((1, 5), 4))
    assert np.isnan(simulator.ue_positions).all()
    assert Renderer(get_task("cbf-v0").draw).frame(simulator).std() > 10
