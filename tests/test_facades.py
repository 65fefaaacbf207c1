"""The three façades agree with each other, and keep their libraries' contracts."""

import copy
import pickle
import random

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from task_cases import CASES, TASK_CASES

import wirelessenvs
from wirelessenvs.joint import JointEnv


def batch_of_actions(simulator, rng, num_envs):
    """`(B, N, ...)` random legal actions."""
    space = simulator.action_space
    shape = (num_envs, simulator.num_agents)
    if hasattr(space, "n"):
        return rng.integers(0, space.n, shape)
    return rng.uniform(space.low, space.high, (*shape, *space.shape)).astype(np.float32)


def play(env, actions, seed=3):
    """Whole rollout of a parallel environment as one list of arrays."""
    observations, _ = env.reset(seed=seed)
    trace = [np.stack(list(observations.values()))]
    for joint in actions:
        step = env.step(dict(zip(env.agents, joint, strict=True)))
        observations, rewards, _, _, infos = step
        trace += [
            np.stack(list(observations.values())),
            np.array(list(rewards.values())),
            np.array([list(info.values()) for info in infos.values()]),
        ]
        if not env.agents:
            env.reset()
    return trace


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
def test_a_seed_determines_whole_episodes_whatever_the_global_state(task_id, arguments):
    env = wirelessenvs.make(task_id, max_steps=20, **arguments)
    actions = batch_of_actions(env.simulator, np.random.default_rng(0), 50)
    np.random.seed(1)  # noqa: NPY002, the global state is the point
    random.seed(1)
    first = play(env, actions)
    np.random.seed(2)  # noqa: NPY002
    random.seed(2)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    second = play(wirelessenvs.make(task_id, max_steps=20, **arguments), actions)
    assert same(first, second)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert not same(first, play(env, actions, seed=4))


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_a_batch_equals_its_single_environments_through_autoresets(task_id, arguments, mode):
    num_envs, length, steps = 3, 7, 30
    vector = wirelessenvs.make_vec(
        task_id, num_envs, autoreset_mode=mode, max_steps=length, **arguments
    )
    singles = [JointEnv(task_id, max_steps=length, **arguments) for _ in range(num_envs)]
    observations, _ = vector.reset(seed=11)
    expected = np.stack([env.reset(seed=11 + b)[0] for b, env in enumerate(singles)])
    assert np.array_equal(observations, expected)
    rng = np.random.default_rng(1)
    over = [False] * num_envs
    for step in range(steps):
        actions = batch_of_actions(vector.simulator, rng, num_envs)
        if step == 4:  # out of lockstep: one environment starts again on its own
            mask = np.array([False, True, False])
            observations, _ = vector.reset(options={"reset_mask": mask})
            assert np.array_equal(observations[1], singles[1].reset()[0])
        observations, rewards, terminated, truncated, infos = vector.step(actions)
        assert not terminated.any()
        for b, env in enumerate(singles):
            if over[b]:
                assert np.array_equal(observations[b], env.reset()[0])
                assert rewards[b] == 0
                assert not truncated[b]
                assert not infos["_agent_rewards"][b]
                over[b] = False
                continue
            single, reward, _, end, info = env.step(actions[b])
            assert rewards[b] == reward
            assert truncated[b] == end
            for name in (*vector.simulator.metric_names, "agent_rewards"):
                assert np.array_equal(infos[name][b], info[name]), name
            if end and mode is AutoresetMode.SAME_STEP:
                assert np.array_equal(infos["final_obs"][b], single)
                assert infos["_final_obs"][b]
                single = env.reset()[0]
            elif end:
                over[b] = True
            assert np.array_equal(observations[b], single)
        assert np.array_equal(vector.state()[0], singles[0].state())


def test_without_autoreset_a_finished_environment_must_be_reset_by_mask():
    env = wirelessenvs.make_vec("rb-v0", 2, autoreset_mode="Disabled", max_steps=2)
    env.reset(seed=0)
    actions = np.zeros((2, 8), np.int64)
    env.step(actions)
    assert env.step(actions)[3].all()
    with pytest.raises(RuntimeError, match="environment 0 is over: reset it"):
        env.step(actions)
    env.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(RuntimeError, match="environment 1 is over"):
        env.step(actions)
    env.reset(options={"reset_mask": np.array([False, True])})
    env.step(actions)


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_in_mid_episode_goes_on_identically(task_id, arguments, clone):
    env = wirelessenvs.make(task_id, max_steps=9, **arguments)
    rng = np.random.default_rng(2)
    actions = batch_of_actions(env.simulator, rng, 20)
    env.reset(seed=1)
    for joint in actions[:5]:
        env.step(dict(zip(env.agents, joint, strict=True)))
    other = clone(env)
    for joint in actions[5:]:
        results = []
        for one in (env, other):
            if not one.agents:
                one.reset()
            results.append(one.step(dict(zip(one.agents, joint, strict=True))))
        first, second = results
        assert same(list(first[0].values()), list(second[0].values()))
        assert first[1:] == second[1:]


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
def test_observations_states_and_rewards_are_typed_finite_and_in_their_spaces(task_id, arguments):
    env = wirelessenvs.make(task_id, **arguments)
    observations, _ = env.reset(seed=0)
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(20):
        for agent, observation in observations.items():
            assert env.observation_space(agent).contains(observation)
        assert env.state_space.contains(env.state())
        kept.append((observations, {agent: row.copy() for agent, row in observations.items()}))
        joint = batch_of_actions(env.simulator, rng, 1)[0]
        observations, rewards, _, _, infos = env.step(dict(zip(env.agents, joint, strict=True)))
        for agent in env.agents:
            assert type(rewards[agent]) is float
            assert np.isfinite(rewards[agent])
            assert tuple(infos[agent]) == env.simulator.metric_names
            assert all(np.isfinite(list(infos[agent].values())))
    for returned, copied in kept:  # nothing handed out earlier has changed since
        assert all(np.array_equal(returned[agent], copied[agent]) for agent in copied)


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_dictionary_observations_carry_the_adjacency(task_id, arguments):
    env = wirelessenvs.make(task_id, dict_observation=True, **arguments)
    plain = wirelessenvs.make(task_id, **arguments)
    observations, _ = env.reset(seed=0)
    expected, _ = plain.reset(seed=0)
    for agent in env.agents:
        assert env.observation_space(agent).contains(observations[agent])
        assert np.array_equal(observations[agent]["observation"], expected[agent])
        assert np.array_equal(observations[agent]["adjacency"], env.graph.adjacency)


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_graph_names_the_agents_in_order(task_id, arguments):
    env = wirelessenvs.make(task_id, **arguments)
    assert list(env.graph.agents) == env.possible_agents
    assert env.simulator.adjacency.shape == (1, len(env.possible_agents), len(env.possible_agents))


def test_a_finished_parallel_environment_has_no_agents_and_steps_to_nothing():
    env = wirelessenvs.make("rb-v0", max_cycles=1)
    with pytest.raises(RuntimeError, match="before reset"):
        env.step({})
    env.reset(seed=0)
    *_, truncations, _ = env.step(dict.fromkeys(env.agents, 0))
    assert all(truncations.values())
    assert env.agents == []
    assert env.step({}) == ({}, {}, {}, {}, {})


def test_an_unseeded_joint_environment_names_the_seed_that_repeats_it():
    env = JointEnv("rb-v0")
    actions = np.full((10, 8), 4)

    def rewards():
        return [env.step(action)[1] for action in actions]

    env.reset()
    first = rewards()
    env.reset(seed=env.np_random_seed)
    assert rewards() == first
    env.reset()
    assert rewards() != first


def test_unknown_reset_options_warn_and_wrong_ones_raise():
    env = wirelessenvs.make("rb-v0")
    with pytest.warns(UserWarning, match="ignores the unknown option 'layout'"):
        env.reset(seed=0, options={"layout": 1})
    with pytest.raises(TypeError, match="options must be a dictionary"):
        env.reset(options=[1])


def test_rendering_without_a_mode_warns():
    env = wirelessenvs.make("rb-v0")
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render does nothing"):
        assert env.render() is None


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_frames_show_what_happens(task_id, arguments):
    env = wirelessenvs.make(task_id, render_mode="rgb_array", **arguments)
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    frames = []
    for _ in range(3):
        joint = batch_of_actions(env.simulator, rng, 1)[0]
        env.step(dict(zip(env.agents, joint, strict=True)))
        frames.append(env.render())
    assert frames[0].dtype == np.uint8
    assert frames[0].std() > 10
    assert (frames[0] != frames[1]).any()
    assert (frames[1] != frames[2]).any()
    env.close()
