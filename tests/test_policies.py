"""Policies act legally, know only what they declare, and batch like single ones."""

from dataclasses import replace

import numpy as np
import pytest

from wirelessenvs import Information, Privileged, make_policy, make_simulator
from wirelessenvs.tasks import TASKS

#: Settings under which each task's policies can play; the first that a policy accepts is used.
SETTINGS = {
    "cbf-v0": [
        {"preset": "general", "num_cells": 7},
        {"preset": "general", "num_cells": 7, "action": "beam"},
    ],
    "rb-v0": [{"preset": "rb-8"}, {"preset": "conflict"}],
    "slicing-v0": [{"preset": "small"}],
}
POLICIES = [(task_id, name) for task_id, task in TASKS.items() for name in task.policies]


def build(task_id, name, num_envs):
    """Simulator and policy in the first settings that suit."""
    for settings in SETTINGS[task_id]:
        simulator = make_simulator(task_id, num_envs, **settings)
        try:
            return simulator, make_policy(name, simulator, seed=5)
        except ValueError as error:
            refusal = error
    raise AssertionError(f"{name} plays no settings: {refusal}")


def act(simulator, policy, observations):
    return policy(observations, simulator.privileged(policy.information))


@pytest.mark.parametrize(("task_id", "name"), POLICIES)
def test_actions_are_legal_and_every_policy_documents_itself(task_id, name):
    simulator, policy = build(task_id, name, 2)
    assert policy.name == name
    assert type(policy).__doc__
    observations = simulator.reset(0)
    for _ in range(4):
        actions = act(simulator, policy, observations)
        assert actions.shape[:2] == (2, simulator.num_agents)
        observations = simulator.step(actions).observations


@pytest.mark.parametrize(("task_id", "name"), POLICIES)
def test_privileged_data_reaches_exactly_the_declared_class(task_id, name):
    simulator, policy = build(task_id, name, 1)
    observations = simulator.reset(0)
    mine = simulator.privileged(policy.information)
    if policy.information in (Information.LOCAL, Information.NEIGHBORS):
        assert mine is None
        with pytest.raises(ValueError, match="must not see privileged data"):
            policy(observations, Privileged(Information.GENIE))
        return
    assert mine.information == policy.information
    with pytest.raises(ValueError, match=f"needs privileged data of class {policy.information}"):
        policy(observations, None)
    for other in Information:
        if other != policy.information:
            with pytest.raises(ValueError, match="needs privileged data"):
                policy(observations, replace(mine, information=other))


@pytest.mark.parametrize(
    ("task_id", "name"),
    [
        (task_id, name)
        for task_id, name in POLICIES
        if TASKS[task_id].policies[name].information in (Information.LOCAL, Information.NEIGHBORS)
        and name != "random"
    ],
)
def test_an_agent_acts_only_on_what_it_hears(task_id, name):
    simulator, policy = build(task_id, name, 1)
    _, twin = build(task_id, name, 1)
    observations = simulator.reset(0)
    reach = 0 if policy.information is Information.LOCAL else 1
    unheard = simulator.graph.hops[0] > reach
    assert unheard.any()
    rng = np.random.default_rng(0)
    space = simulator.observation_space
    low = np.where(np.isfinite(space.low), space.low, -5)
    high = np.where(np.isfinite(space.high), space.high, 5)
    for _ in range(5):
        changed = observations.copy()
        shape = (int(unheard.sum()), *space.shape)
        changed[0, unheard] = rng.uniform(low, np.maximum(high, low), shape)
        actions = act(simulator, policy, observations)
        assert np.array_equal(actions[0, 0], act(simulator, twin, changed)[0, 0])
        observations = simulator.step(actions).observations


@pytest.mark.parametrize(
    ("task_id", "name"), [(task_id, name) for task_id, name in POLICIES if name != "random"]
)
def test_a_batched_policy_equals_single_ones_and_forgets_by_mask(task_id, name):
    simulator, policy = build(task_id, name, 2)
    singles = [build(task_id, name, 1) for _ in range(2)]
    observations = simulator.reset(21)
    lone = [single.reset([21 + b]) for b, (single, _) in enumerate(singles)]
    for step in range(6):
        if step == 3:
            mask = np.array([False, True])
            observations = simulator.reset(mask=mask)
            policy.reset(mask)
            lone[1] = singles[1][0].reset()
            singles[1][1].reset()
        actions = act(simulator, policy, observations)
        for b, (single, alone) in enumerate(singles):
            assert np.array_equal(actions[b], act(single, alone, lone[b])[0])
            lone[b] = single.step(actions[b : b + 1]).observations
        observations = simulator.step(actions).observations
        assert np.array_equal(observations, np.concatenate(lone))


@pytest.mark.parametrize("task_id", TASKS)
def test_random_policies_repeat_with_their_seed(task_id):
    simulator = make_simulator(task_id, 2, **SETTINGS[task_id][0])
    observations = simulator.reset(0)
    first, again, other = (
        make_policy("random", simulator, seed=seed)(observations) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_unknown_policies_list_what_exists():
    simulator = make_simulator("rb-v0")
    with pytest.raises(ValueError, match="policy must be one of 'random'"):
        make_policy("oracle-of-delphi", simulator)
    with pytest.raises(TypeError, match="source must be a simulator or an environment, got 3"):
        make_policy("random", 3)


def test_policies_refuse_observations_of_another_shape():
    simulator = make_simulator("rb-v0", 2)
    policy = make_policy("demand", simulator)
    with pytest.raises(ValueError, match=r"observations must have shape \(2, 8, 4\)"):
        policy(simulator.reset(0)[:1])
