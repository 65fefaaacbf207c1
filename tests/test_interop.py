"""Training libraries run on every task as their users would run them."""

import warnings

import numpy as np
import pytest
from task_cases import TASK_CASES

import wirelessenvs

pytestmark = pytest.mark.interop


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_stable_baselines_ppo_learns_through_supersuit(task_id, arguments):
    supersuit = pytest.importorskip("supersuit")
    ppo = pytest.importorskip("stable_baselines3").PPO
    env = wirelessenvs.make(task_id, max_steps=50, **arguments)
    vector = supersuit.pettingzoo_env_to_vec_env_v1(env)
    batch = supersuit.concat_vec_envs_v1(vector, 2, num_cpus=1, base_class="stable_baselines3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ppo("MlpPolicy", batch, n_steps=32, batch_size=64, n_epochs=1, device="cpu")
        before = [parameter.detach().clone() for parameter in model.policy.parameters()]
        model.learn(2 * len(env.possible_agents) * 32)
    assert any((a != b).any() for a, b in zip(before, model.policy.parameters(), strict=True))
    actions, _ = model.predict(batch.reset())
    assert len(actions) == 2 * len(env.possible_agents)


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_torchrl_rolls_out_through_its_pettingzoo_wrapper(task_id, arguments):
    wrapper = pytest.importorskip("torchrl.envs.libs.pettingzoo").PettingZooWrapper
    env = wirelessenvs.make(task_id, max_steps=50, **arguments)
    agents = env.possible_agents
    wrapped = wrapper(env, group_map={"agents": list(agents)}, use_mask=False, device="cpu")
    wrapped.set_seed(0)
    rollout = wrapped.rollout(5)
    assert rollout.batch_size[0] == 5
    observations = rollout["agents", "observation"]
    assert observations.shape[:2] == (5, len(agents))
    assert np.isfinite(rollout["next", "agents", "reward"].numpy()).all()
