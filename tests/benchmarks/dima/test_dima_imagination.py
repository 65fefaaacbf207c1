"""Imagination in a world model that is exact, where the outcome is known."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from benchmarks.baselines.dima.imagination import critic_size, imagine, improve
from benchmarks.baselines.dima.memory import Start
from benchmarks.baselines.dima.policy_config import ImaginationConfig
from benchmarks.baselines.dima.sequences import Context, WorldSpec
from benchmarks.baselines.dima.world_model import ImaginedStep
from benchmarks.baselines.mappo.actor import TeamActor
from benchmarks.baselines.mappo.ppo import TeamPPO
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from networld_agent.model.task_spec import ActionSpec


class Exact:
    """Two agents push a point: s' = s + 0.1 (a_1 - a_2), reward -s'^2; ends beyond `wall`."""

    def __init__(self, wall=1e9, choices=0):
        size = {"num_choices": choices} if choices else {"action_size": 1}
        self.spec, self.wall = WorldSpec("exact", 2, 1, 2, **size), wall

    def begin(self, context):
        self.state = context.states[:, -1]

    def step(self, actions) -> ImaginedStep:
        pushes = actions[..., 0] if not self.spec.discrete else actions.float() - 1
        self.state = self.state + 0.1 * (pushes[:, :1] - pushes[:, 1:])
        reward = -self.state[:, 0].square()
        over = (self.state.abs() > self.wall).float()[:, 0]
        return ImaginedStep(self.state, observations(self.state), reward, over)

    def scaled_states(self, states) -> Tensor:
        return states


def observations(state):
    """Each agent sees the point, and which one it is."""
    who = torch.tensor([1.0, -1.0]).expand(len(state), 2)
    return torch.stack([state.expand(-1, 2) * who, who], -1)


def starts(count, choices=0):
    states = torch.zeros(count, 3, 1)
    states[:, -1, 0] = torch.linspace(-1, 1, count)
    actions = torch.zeros(count, 2, 2, dtype=torch.int64) if choices else torch.ones(count, 2, 2, 1)
    valid = torch.ones(count, 3, dtype=torch.bool)
    valid[0, :2] = False
    return Start(Context(states, actions, valid), observations(states[:, -1]))


def learner(model, **options):
    torch.manual_seed(0)
    choices = model.spec.num_choices
    action = (
        ActionSpec("discrete", sizes=(choices,))
        if choices
        else ActionSpec("box", low=(-1.0,), high=(1.0,))
    )
    config = ImaginationConfig(hidden_size=32, **options)
    actor = TeamActor.of(2, ActionCodec(action), config)
    ppo = TeamPPO(actor, critic_size(model, config), config)
    ppo.make_optimizers()
    return ppo, ObservationScaling(2)


@pytest.mark.parametrize("choices", [0, 3])
def test_imagined_steps_are_those_of_the_model(choices):
    model = Exact(choices=choices)
    ppo, scaling = learner(model)
    start = starts(5, choices)
    found = imagine(model, ppo, scaling, start, 4)
    assert found.critic_inputs.shape == (5, 5, 1 + 2 * (choices or 1))
    state = start.context.states[:, -1, 0]
    torch.testing.assert_close(found.critic_inputs[0, :, 0], state)
    first = found.critic_inputs[0, :, 1:]
    assert not first[0].any(), "nobody has acted in an episode that has just begun"
    wanted = [1.0, 0, 0, 1.0, 0, 0] if choices else [1.0, 1.0]
    assert first[1:].tolist() == [wanted] * 4
    for t in range(4):
        actions = found.actions[t]
        legal = actions.clamp(-1, 1)[..., 0] if not choices else actions.float() - 1
        state = state + 0.1 * (legal[:, 0] - legal[:, 1])
        torch.testing.assert_close(found.rewards[t], -state.square())
        torch.testing.assert_close(found.critic_inputs[t + 1, :, 0], state)
        shown = (
            torch.nn.functional.one_hot(actions, 3).flatten(1).float()
            if choices
            else actions.clamp(-1, 1).flatten(1)
        )
        torch.testing.assert_close(found.critic_inputs[t + 1, :, 1:], shown)
    assert found.alive.all()


def test_the_critic_can_be_shown_the_state_alone():
    model = Exact()
    ppo, scaling = learner(model, critic_actions=False)
    found = imagine(model, ppo, scaling, starts(5), 4)
    assert found.critic_inputs.shape == (5, 5, 1)
    torch.testing.assert_close(found.rewards, -found.critic_inputs[1:, :, 0].square())
    assert torch.isfinite(improve(ppo, found)["value_loss"])


def test_what_follows_an_end_is_not_learnt_from():
    model = Exact(wall=0.9)
    ppo, scaling = learner(model)
    found = imagine(model, ppo, scaling, starts(21), 6)
    positions = found.critic_inputs[1:, :, 0].abs() > 0.9
    torch.testing.assert_close(found.terminated, positions)
    for b in range(21):
        ends = positions[:, b].nonzero()
        last = int(ends[0]) if len(ends) else 5
        assert found.alive[:, b].tolist() == [t <= last for t in range(6)]
    assert not found.alive.all()
    taken = {}
    ppo.update = lambda experience: taken.update(rows=len(experience)) or {}
    improve(ppo, found)
    assert taken["rows"] == int(found.alive.sum())


@pytest.mark.parametrize("choices", [0, 3])
def test_a_policy_learnt_in_an_exact_model_brings_the_point_home(choices):
    model = Exact(choices=choices)
    ppo, scaling = learner(model, learning_rate=3e-3, gamma=0.9, starts=64)
    start, first = starts(64, choices), None
    for _ in range(25):
        values = improve(ppo, imagine(model, ppo, scaling, start, 10))
        first = first or float(values["imagined_reward"])
    state = torch.tensor([[0.8], [-0.8]])
    best = ppo.actor.best(scaling(observations(state)))
    pushes = best.clamp(-1, 1)[..., 0] if not choices else best - 1
    assert pushes[0, 0] < 0 < pushes[0, 1], "from the right, both push left"
    assert pushes[1, 1] < 0 < pushes[1, 0]
    assert float(values["imagined_reward"]) > 0.6 * first


def test_values_of_an_exact_model_are_its_discounted_rewards():
    """With a point that nobody can move (choice 1 pushes by 0), V = -s^2 / (1 - gamma)."""
    model = Exact(choices=3)
    ppo, scaling = learner(model, learning_rate=3e-3, gamma=0.8, clip=0.1)
    still = SimpleNamespace(
        sample=lambda x: (torch.ones(x.shape[:-1], dtype=torch.int64), torch.zeros(x.shape[:-1]))
    )
    actor, ppo.actor = ppo.actor, None
    del ppo._modules["actor"]
    for _ in range(60):
        ppo.__dict__["actor"] = still
        found = imagine(model, ppo, scaling, starts(64, 3), 5)
        ppo.__dict__["actor"] = actor
        improve(ppo, found)
    state = torch.tensor([0.0, 0.5, 1.0])
    actions = torch.tensor([0.0, 1, 0, 0, 1, 0]).expand(3, 6)
    values = ppo.values(torch.cat([state[:, None], actions], 1))
    torch.testing.assert_close(values, -state.square() / 0.2, atol=0.4, rtol=0)
