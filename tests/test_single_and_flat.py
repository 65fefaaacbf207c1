"""Gymnasium for libraries that know one axis, or one agent: `flatten=True` and `AgentEnv`."""

import dataclasses

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from task_cases import CASES, TASK_CASES

from wirelessenvs.joint import JointEnv
from wirelessenvs.single import AgentEnv
from wirelessenvs.tasks import get_task, make_policy

STEPS = 5


# ------------------------------------------------------------------------------ flat
@pytest.mark.parametrize(("task_id", "arguments"), CASES)
def test_a_flat_environment_plays_what_the_joint_one_does(task_id, arguments):
    name = get_task(task_id).gymnasium_id
    plain = gymnasium.make(name, **arguments)
    flat = gymnasium.make(name, flatten=True, **arguments)
    assert [len(space.shape) for space in (flat.observation_space, flat.action_space)] == [1, 1]
    flat.action_space.seed(3)
    seen, flat_seen = plain.reset(seed=7)[0], flat.reset(seed=7)[0]
    for _ in range(STEPS):
        assert flat_seen.shape == flat.observation_space.shape
        assert flat_seen in flat.observation_space
        assert np.array_equal(flat_seen.reshape(seen.shape), seen)
        action = flat.action_space.sample()
        seen, reward, *ends, info = plain.step(action.reshape(plain.action_space.shape))
        flat_seen, flat_reward, *flat_ends, flat_info = flat.step(action)
        assert (reward, ends) == (flat_reward, flat_ends)
        assert np.array_equal(info["agent_rewards"], flat_info["agent_rewards"])
    # Bounds go with their entries.
    for kind in ("observation_space", "action_space"):
        wide, narrow = getattr(plain, kind), getattr(flat, kind)
        if isinstance(wide, gymnasium.spaces.Box):
            assert np.array_equal(wide.low.ravel(), narrow.low)
            assert np.array_equal(wide.high.ravel(), narrow.high)
        else:
            assert wide == narrow


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_gymnasium_finds_no_fault_with_a_flat_environment(task_id, arguments):
    check_env(JointEnv(task_id, flatten=True, **arguments), skip_render_check=True)


def test_a_flat_environment_names_what_it_was_given_and_takes():
    env = JointEnv("slicing-v0", preset="small", flatten=True)
    env.reset(seed=0)
    state, shape = env.state(), env.action_space.shape
    with pytest.raises(ValueError, match=rf"action must have shape \({shape[0]},\), got"):
        env.step(np.zeros((shape[0] // 3, 3)))
    with pytest.raises(ValueError, match=r"action of .* must be between 0 and"):
        env.step(np.full(shape, -1.0))
    assert np.array_equal(env.state(), state)
    with pytest.raises(ValueError, match="actions must form one array"):
        env.step([[1.0], 2.0])
    with pytest.raises(TypeError, match="flatten must be"):
        JointEnv("rb-v0", flatten="yes")


# ------------------------------------------------------------------------- one agent
@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_one_agent_among_others_plays_what_the_team_does(task_id, arguments):
    env = AgentEnv(task_id, others="expert", **arguments)
    agent = env.simulator.agents[2]
    env = AgentEnv(task_id, agent=agent, others="expert", **arguments)
    team = JointEnv(task_id, **arguments)
    expert = make_policy("expert", team)
    assert env.observation_space == team.simulator.observation_space
    assert env.action_space == team.simulator.action_space
    seen, joint = env.reset(seed=11)[0], team.reset(seed=11)[0]
    expert.reset()
    env.action_space.seed(4)
    for _ in range(STEPS):
        assert np.array_equal(seen, joint[2])
        actions = expert(joint[None], team.simulator.privileged(expert.information))[0]
        actions[2] = env.action_space.sample()
        seen, reward, ended, over, info = env.step(actions[2])
        joint, _, _, joint_over, joint_info = team.step(actions)
        assert (reward, ended, over) == (joint_info["agent_rewards"][2], False, joint_over)
        assert info == {
            name: values[2] for name, values in joint_info.items() if name != "agent_rewards"
        }


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_gymnasium_finds_no_fault_with_one_agent(task_id, arguments):
    check_env(AgentEnv(task_id, others="random", **arguments), skip_render_check=True)


def test_a_seed_fixes_what_random_others_do():
    env = AgentEnv("rb-v0", others="random")

    def rewards(seed):
        env.reset(seed=seed)
        return [env.step(3)[1] for _ in range(20)]

    first = rewards(5)
    assert rewards(6) != first
    assert rewards(5) == first


def test_one_agent_is_refused_an_action_or_a_name_that_does_not_exist():
    env = AgentEnv("rb-v0", others="demand")
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(0)
    env.reset(seed=0)
    state = env.state()
    for action, sentence in ((11, "node_0"), (-1, "node_0"), ("2", "must be integers")):
        with pytest.raises((ValueError, TypeError), match=sentence):
            env.step(action)
    assert np.array_equal(env.state(), state)
    with pytest.raises(ValueError, match="agent must be one of 'node_0'"):
        AgentEnv("rb-v0", agent="nobody")
    with pytest.raises(ValueError, match="others must be one of"):
        AgentEnv("rb-v0", others="nobody")
    with pytest.raises(TypeError, match="flatten is not for one agent"):
        AgentEnv("rb-v0", flatten=True)


@pytest.mark.parametrize("action", [3.0, 2.6])
def test_one_agent_of_rb_rounds_reals_as_the_team_does(action):
    states = []
    for given in (action, 3):
        env = AgentEnv("rb-v0", others="random")
        env.reset(seed=1)
        env.step(given)
        states.append(env.state())
    assert np.array_equal(*states)


def test_an_agent_takes_its_length_of_episodes_from_gymnasium():
    known = gymnasium.spec("wirelessenvs/RB-v0")
    spec = dataclasses.replace(
        known,
        entry_point="wirelessenvs.single:AgentEnv",
        kwargs={**known.kwargs, "others": "random"},
    )
    env = gymnasium.make(spec, max_episode_steps=3000)
    assert env.unwrapped.simulator.config.max_steps == env.spec.max_episode_steps == 3000
