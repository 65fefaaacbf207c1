"""Every task in every configuration passes the public conformance suites of its libraries."""

import importlib
import warnings

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
)
from pettingzoo.test.state_test import state_test
from task_cases import CASES, TASK_CASES

import wirelessenvs
from wirelessenvs.tasks import get_task


def module_of(task_id):
    return importlib.import_module(get_task(task_id).module)


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
@pytest.mark.filterwarnings("ignore:reset ignores the unknown option")
def test_parallel_api(task_id, arguments):
    parallel_api_test(wirelessenvs.make(task_id, max_cycles=30, **arguments), num_cycles=40)


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_aec_api_via_conversion(task_id, arguments):
    api_test(module_of(task_id).env(max_cycles=20, **arguments), num_cycles=30)


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
def test_seeds(task_id, arguments):
    seed_test(lambda: module_of(task_id).env(**arguments), num_cycles=5)
    parallel_seed_test(lambda: wirelessenvs.make(task_id, **arguments), num_cycles=5)


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
def test_state(task_id, arguments):
    state_test(
        module_of(task_id).env(**arguments), wirelessenvs.make(task_id, **arguments), num_cycles=5
    )


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_max_cycles(task_id, arguments):
    class Module:
        """The task's module with the case's arguments."""

        @staticmethod
        def parallel_env(**kwargs):
            return module_of(task_id).parallel_env(**arguments, **kwargs)

        @staticmethod
        def env(**kwargs):
            return module_of(task_id).env(**arguments, **kwargs)

    max_cycles_test(Module)


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
@pytest.mark.filterwarnings("ignore:no window can be shown here")
def test_render(task_id, arguments):
    render_test(lambda **kwargs: module_of(task_id).raw_env(**arguments, **kwargs))


@pytest.mark.parametrize(("task_id", "arguments"), CASES)
def test_gymnasium_checker_passes_without_a_warning(task_id, arguments):
    env = gymnasium.make(get_task(task_id).gymnasium_id, **arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*Box.*infinity.*")
        warnings.filterwarnings("ignore", message=".*For Box action spaces, we recommend.*")
        warnings.filterwarnings("ignore", message=".*not normalized.*")
        check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_supersuit_vectorises(task_id, arguments):
    supersuit = pytest.importorskip("supersuit")
    env = wirelessenvs.make(task_id, max_cycles=5, **arguments)
    num_agents = len(env.possible_agents)
    vector = supersuit.pettingzoo_env_to_vec_env_v1(env)
    batch = supersuit.concat_vec_envs_v1(vector, 2, num_cpus=1, base_class="gymnasium")
    observations, _ = batch.reset(seed=0)
    assert observations.shape == (
        2 * num_agents,
        *env.observation_space(env.possible_agents[0]).shape,
    )
    rng = np.random.default_rng(0)
    space = vector.action_space
    space.seed(int(rng.integers(100)))
    ends = 0
    for _ in range(12):
        actions = np.stack([space.sample() for _ in range(2 * num_agents)])
        observations, rewards, _, truncations, _ = batch.step(actions)
        assert np.isfinite(observations).all()
        assert np.isfinite(rewards).all()
        ends += int(truncations.all())
    assert ends == 2


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_every_way_to_create_gives_the_same_environment(task_id, arguments):
    made = [
        wirelessenvs.make(task_id, **arguments),
        wirelessenvs.make(task_id.replace("-", "_"), **arguments),
        module_of(task_id).parallel_env(**arguments),
    ]
    if hasattr(pettingzoo, "make"):
        made.append(pettingzoo.make("parallel", f"wirelessenvs/{task_id}", **arguments))
        aec = pettingzoo.make("aec", f"wirelessenvs/{task_id}", **arguments)
        assert isinstance(aec, pettingzoo.AECEnv)
    rollouts = []
    for env in made:
        observations, _ = env.reset(seed=5)
        actions = {}
        for index, agent in enumerate(env.agents):
            env.action_space(agent).seed(index)
            actions[agent] = env.action_space(agent).sample()
        after, rewards, *_ = env.step(actions)
        rollouts.append(([*observations.values(), *after.values()], list(rewards.values())))
    joint = gymnasium.make(get_task(task_id).gymnasium_id, **arguments)
    observation, _ = joint.reset(seed=5)
    after, reward, *_ = joint.step(np.stack(list(actions.values())))
    vector = gymnasium.make_vec(get_task(task_id).gymnasium_id, num_envs=2, **arguments)
    assert isinstance(vector.unwrapped, wirelessenvs.vector.WirelessVectorEnv)
    first, _ = vector.reset(seed=5)
    for other in rollouts[1:]:
        assert np.array_equal(other[0], rollouts[0][0])
        assert other[1] == rollouts[0][1]
    assert np.array_equal([*observation, *after], rollouts[0][0])
    assert reward == pytest.approx(np.mean(rollouts[0][1]), rel=1e-12)
    assert np.array_equal(first[0], observation)
