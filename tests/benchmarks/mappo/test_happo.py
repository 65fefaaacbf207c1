"""HAPPO beside MAPPO, and in games whose best play is known."""

import copy
import dataclasses

import pytest
import torch
from team_cases import MatrixGame, Target

from benchmarks.baselines import load_policy
from benchmarks.baselines.mappo import train
from benchmarks.baselines.mappo.actor import TeamActor
from benchmarks.baselines.mappo.config import MappoConfig
from benchmarks.baselines.mappo.happo import HappoConfig, HappoLearner, HappoPPO, SeparateActors
from benchmarks.baselines.mappo.learner import MappoLearner
from benchmarks.baselines.mappo.ppo import Experience
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.training_loop import Counters
from networld_agent.model.task_spec import ActionSpec

REAL = ActionCodec(ActionSpec("box", low=(-1.0, -1.0), high=(1.0, 1.0)))


def trained(learner, rounds):
    learner.start(Counters(), None)
    for index in range(rounds):
        torch.manual_seed(index)
        values = learner.round()
    return learner, values


def test_with_one_agent_it_is_mappo_to_the_bit():
    sizes = {"num_envs": 16, "rollout": 4, "hidden_size": 16, "batch_size": 24, "seed": 3}
    mappo, told = trained(MappoLearner(Target(16), MappoConfig(**sizes)), 12)
    happo, same = trained(HappoLearner(Target(16), HappoConfig(**sizes)), 12)
    assert told == same
    pairs = zip(mappo.module.state_dict().items(), happo.module.state_dict().items(), strict=True)
    for (name, one), (other, two) in pairs:
        assert name == other.replace("actor.0.", "actor.")
        assert torch.equal(one, two), name


def experience(agents, rows):
    generator = torch.Generator().manual_seed(1)

    def draw(*shape):
        return torch.randn(rows, *shape, generator=generator)

    return Experience(draw(agents, 3), draw(agents, 2), draw(agents) - 2, draw(1, 5), draw(1),
                      draw(1))  # fmt: skip


def policies(agents, config):
    torch.manual_seed(0)
    actors = SeparateActors(TeamActor.of(3, REAL, config) for _ in range(agents))
    ppo = HappoPPO(actors, 5, config)
    ppo.make_optimizers()
    return ppo


def test_an_agents_advantages_carry_the_ratios_of_those_before_it(monkeypatch):
    """All three agents, in the order drawn, against the products formed by hand."""
    config = HappoConfig(hidden_size=8, batch_size=10, epochs=2, learning_rate=3e-2)
    ppo, steps, given = policies(3, config), experience(3, 30), []
    real = HappoPPO.passes

    def watched(self, batch, actor, critic):
        given.append((next(i for i, a in enumerate(self.actor) if a is actor), batch, critic))
        return real(self, batch, actor, critic)

    monkeypatch.setattr(HappoPPO, "passes", watched)
    torch.manual_seed(5)
    ppo.update(steps)
    torch.manual_seed(5)
    order = [agent for agent, _, _ in given]
    assert order == torch.randperm(3).tolist() != [0, 1, 2]
    assert [critic for _, _, critic in given] == [True, False, False]
    wanted = (steps.advantages - steps.advantages.mean()) / steps.advantages.std(correction=0)
    for agent, batch, _ in given:
        torch.testing.assert_close(batch.advantages, wanted)
        assert torch.equal(batch.inputs[:, 0], steps.inputs[:, agent])
        assert torch.equal(batch.actions[:, 0], steps.actions[:, agent])
        # An agent that had its turn does not move any more.
        with torch.no_grad():
            now, _ = ppo.actor[agent].evaluate(steps.inputs[:, agent], steps.actions[:, agent])
        wanted = wanted * torch.exp(now - steps.log_probs[:, agent])[:, None]


def test_an_update_is_that_of_the_authors_release():
    """Beside HARL (`pip install harl-aht`): equal actors and steps, three agents in one order."""
    harl = pytest.importorskip("harl.algorithms.actors.happo")
    config = HappoConfig(
        hidden_size=8, batch_size=30, epochs=3, learning_rate=3e-2, max_gradient=0.5
    )
    ppo, steps = policies(3, config), experience(3, 30)
    theirs = copy.deepcopy(ppo.actor)
    advantages = steps.advantages - steps.advantages.mean()
    advantages = advantages / (steps.advantages.std(correction=0) + 1e-8)
    torch.manual_seed(5)
    ppo.update(steps)
    torch.manual_seed(5)
    factor = torch.ones(30, 1)
    for agent in torch.randperm(3).tolist():
        actor = theirs[agent]
        obs, taken, old = (t[:, agent] for t in (steps.inputs, steps.actions, steps.log_probs))

        def evaluated(obs, rnn, taken, *_, actor=actor):
            log_probs, entropy = actor.evaluate(obs, taken)
            return log_probs[:, None], entropy.mean(), None

        # Without its own networks: only its update is compared.
        method = harl.HAPPO.__new__(harl.HAPPO)
        vars(method).update(
            actor=actor, clip_param=config.clip, entropy_coef=config.entropy,
            use_max_grad_norm=True, max_grad_norm=config.max_gradient, action_aggregation="prod",
            use_policy_active_masks=False, tpdv={"dtype": torch.float32, "device": "cpu"},
            evaluate_actions=evaluated,
            actor_optimizer=torch.optim.Adam(actor.parameters(), config.learning_rate, eps=1e-5),
        )  # fmt: skip
        ones = torch.ones(30, 1)
        for _ in range(config.epochs):
            given = (ones, old[:, None], advantages, None, factor)
            method.update((obs, None, taken, None, *(
                None if part is None else part.numpy() for part in given
            )))  # fmt: skip
        with torch.no_grad():
            factor = factor * torch.exp(evaluated(obs, None, taken)[0] - old[:, None])
    for one, two in zip(ppo.actor.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=1e-6, rtol=1e-5)


def test_a_turn_moves_its_agent_alone():
    ppo, steps = policies(2, HappoConfig(hidden_size=8, epochs=1)), experience(2, 30)
    before = copy.deepcopy(ppo.actor.state_dict())
    own = dataclasses.replace(
        steps, inputs=steps.inputs[:, :1], actions=steps.actions[:, :1],
        log_probs=steps.log_probs[:, :1],
    )  # fmt: skip
    ppo.passes(own, ppo.actor[0])
    for name, value in ppo.actor.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("1."), name


def test_a_matrix_game_ends_at_a_joint_action_that_no_agent_improves_alone():
    sizes = {"num_envs": 32, "rollout": 4, "hidden_size": 32, "learning_rate": 3e-3}
    learner, values = trained(HappoLearner(MatrixGame(32), HappoConfig(entropy=0.003, **sizes)), 80)
    observations, _ = learner.env.reset(0)
    first, second = learner.policy().act_on(observations)[0]
    rewards = MatrixGame.REWARDS
    assert rewards[first, second] == max(rewards[first].max(), rewards[:, second].max()) == 8.0
    assert values["reward"] > 7.0


def test_the_command_trains_and_the_policy_is_its_teams(tmp_path, capsys):
    arguments = [
        "--env", "team_cases:Countdown", "--env-set", "length=5", "--steps", "2000", "--happo",
        "--set", "num_envs=8", "--set", "rollout=15", "--set", "hidden_size=16",
        "--set", "learning_rate=0.003", "--episodes", "4", "--out", str(tmp_path / "run"),
    ]  # fmt: skip
    assert train.main(arguments) == 0
    said = capsys.readouterr().out
    assert "happo returns" in said
    policy = load_policy(tmp_path / "run")
    observations, _ = HappoLearner(MatrixGame(2), HappoConfig(num_envs=2)).env.reset(0)
    assert policy.act_on(observations).shape == (2, 2)
    with pytest.raises(ValueError, match="has actors of 2 agents, got 1 agents"):
        policy.act_on(observations[:, :1])
    assert train.main([a for a in arguments if a != "--happo"]) == 2
    assert "method is 'happo' there, 'mappo' here" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        train.main([*arguments, "--independent"])
    with pytest.raises(ValueError, match="independent must be False"):
        HappoConfig(independent=True)
