"""What a policy is told by models whose faults are known."""

import numpy as np
import pytest
import torch
from linear_env import KnowingModel, LinearEnv

from benchmarks.baselines.mappo.config import MappoConfig
from benchmarks.baselines.mappo.policy import MappoPolicy
from benchmarks.baselines.shared.policy import PolicySpec
from benchmarks.studies.dima_diagnosis.model_checks import fork
from benchmarks.studies.dima_diagnosis.policy_checks import (
    Agreement,
    imagined_play,
    reward_effects,
    sampled_act,
)
from benchmarks.studies.dima_diagnosis.recording import record

PAY = 0.7


def policy(std=0.5):
    env = LinearEnv(1)
    torch.manual_seed(0)
    made = MappoPolicy(PolicySpec("linear", 3, env.action, MappoConfig(first_std=std)))
    torch.nn.init.normal_(made.network.head.weight, std=0.05)
    return made._ready()


def test_agreement_of_numbers_that_are_known():
    true = torch.tensor([1.0, -1.0, 2.0, -2.0])
    found = Agreement.of(0.5 * true, true)
    assert (found.slope, found.correlation, found.error) == pytest.approx((0.5, 1.0, 0.5))
    found = Agreement.of(torch.tensor([1.0, 1.0, 0.0, 0.0]), true)
    assert (found.slope, found.correlation) == pytest.approx((0.0, 0.0))


@pytest.mark.parametrize("share", [1.0, 0.4, 0.0])
def test_effects_on_the_reward_are_the_share_that_a_model_predicts(share):
    forks = fork(lambda: LinearEnv(6, pay=PAY), (4, 8), seed=0)
    for agent, gain in enumerate((1, 2)):
        changed = (forks.forked_actions[agent] - forks.actions)[:, agent, 0]
        found = forks.forked_rewards[agent] - forks.rewards
        torch.testing.assert_close(found.float(), PAY * gain * changed, atol=1e-5, rtol=1e-4)
    found = reward_effects(KnowingModel(share, pay=PAY, more=0.25), forks)
    for entry in (found.action, *found.by_agent):
        assert entry.slope == pytest.approx(share, abs=1e-4)
        assert entry.error == pytest.approx(1 - share, abs=1e-4)
    if share == 1:
        assert found.bias == pytest.approx(0.25, abs=1e-4)
        spread = forks.rewards.std(correction=0).item()
        assert found.level.error == pytest.approx(0.25 / spread, rel=1e-3)


def test_forks_follow_the_play_they_are_given():
    chosen = np.full((6, 2, 2), 0.5, np.float32)
    forks = fork(lambda: LinearEnv(6), (4,), seed=0, act=lambda _: chosen)
    assert (forks.actions == 0.5).all()
    assert (forks.context.actions == 0.5).all()
    assert (forks.forked_actions[1][:, 0] == 0.5).all()
    assert (forks.forked_actions[1][:, 1] != 0.5).any()


def test_a_perfect_model_promises_what_the_environment_gives():
    still = policy(std=1e-3)
    played = record(LinearEnv(8, noise=0.0, pay=PAY), 30, 0, sampled_act(still))
    found = imagined_play(KnowingModel(pay=PAY), still, played, horizon=6, starts=3)
    np.testing.assert_allclose(found.imagined, found.true, atol=0.1)
    assert found.same_choice == pytest.approx([1.0] * 6)
    assert found.same_as_before[-1] < 1
    promising = imagined_play(KnowingModel(pay=PAY, more=1.0), still, played, horizon=6, starts=3)
    gap = np.subtract(promising.imagined, promising.true)
    np.testing.assert_allclose(gap, 1.0, atol=0.1)


def test_a_policy_that_acts_at_random_has_the_entropy_of_its_deviation():
    loose = policy(std=0.5)
    played = record(LinearEnv(4), 20, 0, sampled_act(loose))
    found = imagined_play(KnowingModel(), loose, played, horizon=2, starts=2)
    wanted = 2 * (np.log(0.5) + 0.5 * np.log(2 * np.pi * np.e))
    assert found.entropy == pytest.approx(wanted, abs=1e-4)
