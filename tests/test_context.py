"""Context: declared by every task, in the observation if asked for, and of no other effect."""

import numpy as np
import pytest
from task_cases import CASES

import wirelessenvs
from wirelessenvs import make_policy, make_simulator
from wirelessenvs.rb import POLICIES, RBConfig, RBSimulator
from wirelessenvs.rollout import run_policy


def both(task_id, arguments, num_envs=2):
    return [make_simulator(task_id, num_envs, **arguments, context=on) for on in (False, True)]


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
def test_it_follows_the_observation_and_changes_nothing_else(task_id, arguments):
    plain, told = both(task_id, arguments)
    context = told.context
    assert len(context.names) == len(context.units) == context.space.shape[0]
    assert context.values.shape == (told.num_agents, len(context.names))
    width = plain.observation_space.shape[0]
    assert told.observation_space.shape == (width + len(context.names),)
    first, second = plain.reset(3), told.reset(3)
    for _ in range(3):
        assert np.array_equal(second[..., :width], first)
        assert second.dtype == np.float32
        for rows in second:
            assert np.array_equal(rows[:, width:], context.values)
            assert told.observation_space.contains(rows[0])
        assert np.array_equal(plain.state(), told.state())
        actions = np.array([[plain.action_space.sample() for _ in plain.agents] for _ in range(2)])
        one, other = plain.step(actions), told.step(actions)
        assert np.array_equal(one.rewards, other.rewards)
        first, second = one.observations, other.observations


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
def test_environments_declare_it_whether_or_not_it_is_observed(task_id, arguments):
    for on in (False, True):
        env = wirelessenvs.make(task_id, context=on, **arguments)
        assert env.context_space.contains(env.context.values[0])
        assert env.context_space == make_simulator(task_id).context.space
        observations, _ = env.reset(seed=1)
        for agent in env.agents:
            assert env.observation_space(agent).contains(observations[agent])


def test_its_numbers_are_those_of_the_network():
    simulator = make_simulator("rb-v0", num_nodes=16, load=0.5, graph="ring-1")
    assert dict(zip(simulator.context.names, simulator.context.values[5], strict=True)) == {
        "num_nodes": 16, "fair_share": 2.5, "neighbors": 2, "mean_rate": 1.25,
    }  # fmt: skip
    conflict = make_simulator("rb-v0", preset="conflict").context
    assert np.allclose(conflict.values[:, 1], 1 / np.array([4, 4, 4, 5, 4, 3]))
    assert conflict.values[:, 2].tolist() == [3, 3, 3, 4, 3, 2]
    beams = make_simulator("cbf-v0", num_cells=7, correlation=-0.25).context
    assert beams.values[0].tolist() == [7, 6, -0.25, 8]
    assert beams.values[1].tolist() == [7, 3, -0.25, 8]
    slices = make_simulator("slicing-v0", preset="small", user_mix=(1, 1, 2)).context
    expected = [7, 6, 500 / 7, 0.25, 0.25, 0.5, 500]
    assert slices.values[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("task_id", ["cbf-v0", "rb-v0", "slicing-v0"])
def test_rules_play_as_before(task_id):
    arguments = {"cbf-v0": {"preset": "general", "num_cells": 7}, "slicing-v0": {"preset": "small"}}
    plain, told = both(task_id, arguments.get(task_id, {}))
    for name in ("random", "expert", "sweep" if task_id == "cbf-v0" else "random"):
        scores = [
            run_policy(simulator, make_policy(name, simulator), 4, 8)["reward"]
            for simulator in (plain, told)
        ]
        assert np.array_equal(*scores)


# ----------------------------------------------------------- units of the fair share (RB)
FAIR = [
    pytest.param({}, id="rb-8"),
    pytest.param({"num_nodes": 24, "load": 0.9}, id="rb-24"),
    pytest.param({"preset": "conflict"}, id="conflict"),
    pytest.param({"num_nodes": 7, "observation": "paper"}, id="paper"),
]


@pytest.mark.parametrize("arguments", FAIR)
def test_fair_shares_are_another_unit_of_the_same_frame(arguments):
    natural, fair = (
        RBSimulator(RBConfig.from_preset(**arguments, units=units), 2)
        for units in ("natural", "fair-share")
    )
    shares = natural.config.fair_shares
    assert np.allclose(shares, natural.context.values[:, 1])
    counts, multiples = natural.reset(5), fair.reset(5)
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert np.allclose(multiples[..., :3] * shares[:, None], counts[..., :3], rtol=1e-6)
        assert np.array_equal(multiples[..., 3:], counts[..., 3:])  # the age is in frames
        assert fair.observation_space.contains(multiples[0, 0])
        assert np.array_equal(natural.state(), fair.state())
        actions = rng.integers(0, natural.config.num_slots + 1, counts.shape[:2])
        requests = (actions / shares).astype(np.float32)[..., None]
        one, other = natural.step(actions), fair.step(requests)
        assert np.array_equal(one.rewards, other.rewards)
        assert np.array_equal(one.metrics["granted"], other.metrics["granted"])
        counts, multiples = one.observations, other.observations


@pytest.mark.parametrize("arguments", FAIR)
def test_every_rule_plays_alike_in_both_units(arguments):
    for name, policy in POLICIES.items():
        scores = []
        for units in ("natural", "fair-share"):
            simulator = RBSimulator(RBConfig.from_preset(**arguments, units=units), 2)
            scores.append(run_policy(simulator, policy(simulator.spec, 2), 100, 5)["reward"])
        assert np.array_equal(*scores), name


def test_requests_are_rounded_half_up_and_limited_by_the_radio():
    simulator = RBSimulator(RBConfig(units="fair-share", num_nodes=4, load=4.0))
    assert simulator.action_space.shape == (1,)
    simulator.reset(0)
    for request, granted in ((0.0, 0), (0.049, 0), (0.051, 1), (0.25, 3), (1.0, 10), (10.0, 10)):
        step = simulator.step(np.full((1, 4, 1), request))
        assert (step.metrics["granted"] == granted).all()
    with pytest.raises(
        ValueError, match="action of node_0, entry 0 must be between 0 and 10, got 11"
    ):
        simulator.step(np.full((1, 4, 1), 11.0))


def test_faults_are_sentences():
    with pytest.raises(TypeError, match="context must be True or False, got 'yes'"):
        make_simulator("cbf-v0", context="yes")
    with pytest.raises(ValueError, match="units must be one of 'natural', 'fair-share', got 'RBs'"):
        make_simulator("rb-v0", units="RBs")
