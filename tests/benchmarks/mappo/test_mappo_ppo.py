"""The clipped update, actors and games whose best play is known."""

import math

import pytest
import torch
from team_cases import MatrixGame, Target

from benchmarks.baselines.mappo.actor import TeamActor
from benchmarks.baselines.mappo.config import MappoConfig
from benchmarks.baselines.mappo.learner import MappoLearner
from benchmarks.baselines.mappo.ppo import clipped_objective
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.training_loop import Counters
from networld_agent.model.task_spec import ActionSpec


def test_beyond_the_clip_nothing_is_gained():
    ratio = torch.tensor([0.5, 0.85, 1.0, 1.15, 1.5], requires_grad=True)
    clipped_objective(ratio, torch.tensor(2.0), 0.2).sum().backward()
    assert ratio.grad.tolist() == [2.0, 2.0, 2.0, 2.0, 0.0]
    ratio.grad = None
    clipped_objective(ratio, torch.tensor(-2.0), 0.2).sum().backward()
    assert ratio.grad.tolist() == [0.0, -2.0, -2.0, -2.0, -2.0]


def test_log_densities_of_choices_are_those_of_a_softmax():
    torch.manual_seed(0)
    actor = TeamActor(3, 8, ActionCodec(ActionSpec("discrete", sizes=(4,))))
    torch.nn.init.normal_(actor.head.weight)
    inputs = torch.randn(1, 3).expand(20_000, 3)
    with torch.no_grad():
        actions, log_probs = actor.sample(inputs)
        shares = torch.bincount(actions, minlength=4) / len(actions)
        wanted = torch.softmax(actor(inputs[:1])[0], -1)
        again, entropy = actor.evaluate(inputs, actions)
    assert (shares - wanted).abs().max() < 0.015
    torch.testing.assert_close(log_probs, wanted[actions].log())
    torch.testing.assert_close(again, log_probs)
    torch.testing.assert_close(entropy[0], -(wanted * wanted.log()).sum())


def test_log_densities_of_reals_are_gaussian():
    torch.manual_seed(0)
    codec = ActionCodec(ActionSpec("box", low=(0.0, 0.0), high=(1.0, 1.0)))
    actor = TeamActor(3, 8, codec, first_std=0.3)
    inputs = torch.randn(50, 2, 3)
    with torch.no_grad():
        actions, log_probs = actor.sample(inputs)
        normal = torch.distributions.Normal(actor(inputs), 0.3)
        _, entropy = actor.evaluate(inputs, actions)
    torch.testing.assert_close(log_probs, normal.log_prob(actions).sum(-1))
    torch.testing.assert_close(entropy, normal.entropy().sum(-1))
    assert entropy[0, 0] == pytest.approx(
        2 * (math.log(0.3) + 0.5 * math.log(2 * math.pi * math.e))
    )


def trained(env, rounds, **options):
    config = MappoConfig(
        num_envs=env.batch, rollout=4, hidden_size=32, learning_rate=3e-3, entropy=0.003, **options
    )
    learner = MappoLearner(env, config)
    learner.start(Counters(), None)
    for index in range(rounds):
        torch.manual_seed(index)
        values = learner.round()
    return learner, values


@pytest.mark.parametrize("independent", [False, True])
def test_a_matrix_game_ends_at_a_joint_action_that_no_agent_improves_alone(independent):
    learner, values = trained(MatrixGame(32), 80, independent=independent)
    observations, _ = learner.env.reset(0)
    first, second = learner.policy().act_on(observations)[0]
    rewards = MatrixGame.REWARDS
    assert rewards[first, second] == max(rewards[first].max(), rewards[:, second].max())
    assert rewards[first, second] == 8.0
    assert values["reward"] > 7.0


def test_a_real_action_finds_its_optimum():
    learner, _ = trained(Target(64), 120, clip=0.1)
    observations, _ = learner.env.reset(0)
    found = learner.policy().act_on(observations)[0, 0, 0] / 10
    assert abs(found - Target.POINT) < 0.05


def test_the_critic_learns_the_value_of_a_state():
    """Reward minus the squared distance: with deviation 0.5 and a still mean, about -0.6."""
    learner, _ = trained(Target(64), 60, clip=0.1)
    state = torch.ones(200, 1, 1)
    value = learner.ppo.values(learner.critic_scaling(state)).mean()
    deviation = learner.ppo.actor.log_std.exp().item()
    mean = learner.ppo.actor(learner.scaling(torch.ones(1, 1, 1))).item()
    wanted = -((mean - Target.POINT) ** 2) - deviation**2
    assert value.item() == pytest.approx(wanted, abs=0.1)
