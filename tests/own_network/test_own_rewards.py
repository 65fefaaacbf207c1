"""Rewards and graphs of one's own, in every task: checked, recorded by name, alike in batches."""

import copy
import dataclasses
import pickle

import numpy as np
import own_rewards
import pytest
from own_networks import play, write_csv

from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset
from networld_agent.data.__main__ import main as data
from networld_agent.worlds.make import worlds_of
from wirelessenvs import make_simulator
from wirelessenvs.scores import main as scores
from wirelessenvs.tasks import make_policy

TASKS = {
    "cbf-v0": {"num_cells": 7},
    "rb-v0": {},
    "slicing-v0": {"preset": "small", "num_users": 60, "slots_per_window": 60},
}
DOUBLED = "own_rewards:first_metric_doubled"
CASES = list(TASKS.items())


def stepped(task_id, num_envs=2, **arguments):
    simulator = make_simulator(task_id, num_envs, **TASKS[task_id], **arguments)
    simulator.reset(0)
    return simulator, simulator.step(actions_for(simulator))


def actions_for(simulator):
    space, shape = simulator.action_space, (simulator.num_envs, simulator.num_agents)
    return np.full(shape, 3) if hasattr(space, "n") else np.ones((*shape, *space.shape))


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
def test_a_function_and_its_name_are_one_reward(task_id, arguments):
    (plain, expected), (by_name, named), (by_value, given) = (
        stepped(task_id),
        stepped(task_id, reward=DOUBLED),
        stepped(task_id, reward=own_rewards.first_metric_doubled),
    )
    assert by_name.config == by_value.config != plain.config
    assert by_name.config.reward == DOUBLED
    first = plain.metric_names[0]
    for step in (named, given):
        np.testing.assert_array_equal(step.rewards, 2 * expected.metrics[first])
        np.testing.assert_array_equal(step.observations, expected.observations)
        np.testing.assert_equal(step.metrics, expected.metrics)


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
def test_a_batch_equals_its_single_environments(task_id, arguments):
    arguments = {**arguments, "reward": own_rewards.ahead_of_the_mean}
    batch = play(make_simulator(task_id, 3, **arguments), seed=5)
    for env in range(3):
        single = play(make_simulator(task_id, 1, **arguments), seed=5 + env)
        for one, other in zip(batch, single, strict=True):
            np.testing.assert_array_equal(one[env], other[0])


def test_inactive_environments_have_no_reward_and_functions_change_nothing():
    simulator = make_simulator("rb-v0", 2, reward=own_rewards.greedy)
    simulator.reset(0)
    step = simulator.step(actions_for(simulator), np.array([True, False]))
    assert step.rewards.tolist() == [[7.0] * 8, [0.0] * 8]
    assert not (step.metrics["generated"] == 7.0).all()


def test_a_function_without_a_name_plays_but_is_not_recorded():
    simulator, step = stepped("rb-v0", reward=lambda metrics: -metrics["waited"])
    np.testing.assert_array_equal(step.rewards, -step.metrics["waited"])
    assert copy.deepcopy(simulator).config == simulator.config
    with pytest.raises(ValueError, match=r"a function of a module \(module:function\) to be rec"):
        simulator.config.to_json()


def test_copies_and_pickles_of_a_simulator_keep_the_reward():
    simulator, _ = stepped("rb-v0", reward=DOUBLED)
    for clone in (copy.deepcopy(simulator), pickle.loads(pickle.dumps(simulator))):
        np.testing.assert_array_equal(
            clone.step(actions_for(clone)).rewards,
            copy.deepcopy(simulator).step(actions_for(simulator)).rewards,
        )


BAD = [
    ("own_rewards:complex_numbers", r"must return 8 numbers, one per agent, got an array of comp"),
    ("own_rewards:words", r"must return 8 numbers, one per agent, got \['1'"),
    ("own_rewards:leaves", r"raised SystemExit: 0\."),
    ("lines_module:f", r"cannot be loaded: one line and another\."),
    ("leaving_module:f", r"cannot be loaded: SystemExit\."),
    ("own_rewards:one_number", r"must return 8 numbers, one per agent, got shape \(\)"),
    ("own_rewards:nothing", r"must return 8 numbers, one per agent, got shape \(\)|got None"),
    ("own_rewards:missing", r"raised KeyError: 'no such metric'"),
    ("own_rewards:absent", r"reward 'own_rewards:absent' cannot be loaded"),
    ("no_module:f", r"reward 'no_module:f' cannot be loaded"),
    ("nope", r"reward must be one of 'own', 'neighbors', 'global', got 'nope' \(or module:func"),
    (3, r"reward must be one of .* got 3 \(or module:function"),
]


@pytest.mark.parametrize(("reward", "sentence"), BAD)
def test_a_reward_that_does_not_fit_is_told_before_any_step(
    reward, sentence, tmp_path, monkeypatch
):
    (tmp_path / "lines_module.py").write_text("raise RuntimeError('one line\\n  and another')")
    (tmp_path / "leaving_module.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=sentence) as caught:
        make_simulator("rb-v0", reward=reward)
    assert str(caught.value).endswith(".")


def test_what_is_no_number_is_told_with_the_agent():
    simulator = make_simulator("rb-v0", reward="own_rewards:not_a_number")
    with pytest.raises(ValueError, match=r"must return finite numbers, got nan for node_1\.$"):
        play(simulator, steps=9)
    assert simulator.elapsed[0] > 0  # the step has been made


def test_what_would_overflow_is_told_with_the_agent():
    simulator = make_simulator("rb-v0", reward="own_rewards:huge")
    with pytest.raises(ValueError, match=r"between -1e\+30 and 1e\+30, got -1e\+308 for node_1\.$"):
        play(simulator, steps=9)


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
def test_the_expert_plays_and_says_for_what(task_id, arguments):
    simulator = make_simulator(task_id, 1, **arguments, reward=DOUBLED)
    with pytest.warns(UserWarning, match="does well by the built-in reward '(official|own|ssr)'"):
        expert = make_policy("expert", simulator)
    plain = make_simulator(task_id, 1, **arguments)
    other = make_policy("expert", plain)
    acted = []
    for policy, played in ((expert, simulator), (other, plain)):
        observations = played.reset(0)
        acted.append(policy(observations, played.privileged(policy.information)))
    np.testing.assert_array_equal(*acted)


def test_a_data_set_names_the_reward_and_loads_it_only_if_trusted(tmp_path):
    with pytest.warns(UserWarning, match="built-in reward"):
        path = collect(
            CollectionSettings(
                env="rb-v0", overrides={"reward": DOUBLED}, policy="expert", episodes=2, steps=6
            ),
            tmp_path / "data",
        )
    dataset = TrajectoryDataset.open(path)
    assert dataset.names_code
    assert dataset.description.environment["config"]["reward"] == DOUBLED
    for load in (dataset.make_simulator, dataset.make_env):
        with pytest.raises(ValueError, match=r"code that this data set names: pass trusted=True"):
            load()
        load(trusted=True)
    assert worlds_of(dataset, 1, 5) is None
    np.testing.assert_array_equal(dataset.rewards, 2.0 * dataset.metric("served"))


def test_an_export_that_minari_cannot_play_warns(tmp_path, capsys):
    pytest.importorskip("minari")
    settings = CollectionSettings(
        env="rb-v0", overrides={"reward": DOUBLED}, policy="demand", episodes=2, steps=6
    )
    path = collect(settings, tmp_path / "data")
    command = ["export", str(path), "--root", str(tmp_path), "--minari-id"]
    assert data([*command, "rb/own-v0"]) == 0
    told = capsys.readouterr().err
    assert told.startswith("warning: recover_environment() of rb/own-v0 will fail: ")
    assert told.count("\n") == 1
    plain = collect(dataclasses.replace(settings, overrides={}), tmp_path / "plain")
    command[1] = str(plain)
    assert data([*command, "rb/plain-v0"]) == 0
    assert "warning" not in capsys.readouterr().err


def test_commands_warn_in_one_sentence(capsys):
    command = ["rb-v0", "--policy", "expert", "--episodes", "1", "--steps", "2"]
    assert scores([*command, "--set", f"reward={DOUBLED}"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told
    assert all(line.startswith("warning: policy 'expert' ") for line in told), told


# ------------------------------------------------------------------------------ graphs
RING = np.roll(np.eye(7, dtype=int), 1, axis=1)  # agent i hears agent i + 1


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
def test_any_graph_in_every_task(task_id, arguments, tmp_path):
    n = make_simulator(task_id, **arguments).num_agents
    ring = np.roll(np.eye(n, dtype=int), 1, axis=1)
    given = [ring, ring.tolist(), write_csv(tmp_path / "graph.csv", ring)]
    simulators = [make_simulator(task_id, 2, **arguments, adjacency=one) for one in given]
    assert len({simulator.config for simulator in simulators}) == 1
    for simulator in simulators:
        np.testing.assert_array_equal(simulator.graph.adjacency, ring)
        np.testing.assert_array_equal(simulator.adjacency, [ring, ring])
        assert simulator.context.values[:, simulator.context.names.index("neighbors")].max() == 1
    plain = make_simulator(task_id, 2, **arguments)
    if plain.graph.positions is not None:
        np.testing.assert_array_equal(simulators[0].graph.positions, plain.graph.positions)
    # Who hears whom changes nothing else.
    for one, other in zip(play(plain), play(simulators[0]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_rewards_of_neighbours_follow_a_graph_of_ones_own():
    ring = np.roll(np.eye(8, dtype=int), 1, axis=1)
    _, own = stepped("rb-v0")
    _, mixed = stepped("rb-v0", reward="neighbors", adjacency=ring)
    np.testing.assert_allclose(mixed.rewards, (own.rewards + np.roll(own.rewards, -1, 1)) / 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"adjacency": RING[:6]}, r"adjacency must have shape \(7, 7\), got \(6, 7\)"),
        ({"adjacency": 2 * RING}, r"between 0 and 1 in every entry, got 2 in row 0, column 1"),
        ({"adjacency": RING / 2}, r"adjacency must hold whole numbers, got 0.5 in row 0, column 1"),
        ({"adjacency": np.eye(7)}, r"adjacency must be zero on the diagonal, got 1 for agent 0"),
        ({"adjacency": "lost.csv"}, r"adjacency must name a file: 'lost.csv' cannot be read"),
        ({"adjacency": RING, "graph": "interferers"}, r"adjacency must be None with graph='int"),
    ],
)
def test_a_graph_that_does_not_fit_is_told_in_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        make_simulator("cbf-v0", num_cells=7, **arguments)
    assert str(caught.value).endswith(".")


def test_a_data_set_holds_the_graph_and_makes_its_simulator_again(tmp_path):
    ring = np.roll(np.eye(8, dtype=int), 1, axis=1)
    path = collect(
        CollectionSettings(
            env="rb-v0",
            overrides={"adjacency": write_csv(tmp_path / "graph.csv", ring)},
            policy="demand",
            episodes=2,
            steps=6,
        ),
        tmp_path / "data",
    )
    (tmp_path / "graph.csv").unlink()
    dataset = TrajectoryDataset.open(path)
    np.testing.assert_array_equal(dataset.graph.adjacency, ring)
    simulator = dataset.make_simulator(2)
    np.testing.assert_array_equal(simulator.graph.adjacency, ring)
    config = simulator.config
    assert dataclasses.replace(config) == config
