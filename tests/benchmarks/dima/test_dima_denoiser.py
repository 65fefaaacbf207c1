"""The denoiser: what it sees, and what it learns where all effects are known."""

import pytest
import torch
from dima_cases import DISCRETE, REAL, LinearTeam, random_actions, random_sequences, tiny

from benchmarks.baselines.dima.denoiser import Denoiser, reachable
from benchmarks.baselines.dima.world_model import WorldModel


def awake(spec, **overrides):
    """A denoiser whose last layer is not zero."""
    torch.manual_seed(0)
    model = Denoiser(spec, tiny(**overrides).denoiser)
    for parameter in model.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def test_nothing_before_an_invalid_step_is_reachable():
    valid = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0]]).bool()
    assert reachable(valid).int().tolist() == [[1, 1, 1], [0, 0, 1], [0, 1, 1]]


@pytest.mark.parametrize("spec", [REAL, DISCRETE])
def test_contents_of_padding_do_not_matter(spec):
    model = awake(spec)
    piece = random_sequences(spec, 6, 5)
    valid = piece.valid.clone()
    valid[:3, 0], valid[3:, 4:] = False, False

    def loss(states, actions):
        torch.manual_seed(1)
        return model.loss(states, actions, valid)

    states, actions = piece.states.clone(), piece.actions.clone()
    states[:3, 0], states[3:, 5] = 7.0, 9.0
    actions[:3, 0], actions[3:, 4] = 1, 0
    torch.testing.assert_close(
        loss(states, actions), loss(piece.states, piece.actions), rtol=0, atol=0
    )
    states[:3, 1] = 7.0
    assert loss(states, actions) != loss(piece.states, piece.actions)


def test_no_prediction_sees_an_episode_before_its_own():
    model = awake(REAL)
    piece = random_sequences(REAL, 6, 5)
    valid = piece.valid.clone()
    valid[:, 1] = False

    def loss(states):
        torch.manual_seed(1)
        return model.loss(states, piece.actions, valid)

    before, own = piece.states.clone(), piece.states.clone()
    before[:, :2] += 1
    own[:, 2] += 1
    assert loss(before) == loss(piece.states)
    assert loss(own) != loss(piece.states)


def test_later_predictions_rest_on_own_outputs(monkeypatch):
    model = awake(REAL, denoiser_rollout_steps=2)
    piece = random_sequences(REAL, 4, 4)
    contexts, outputs = [], []
    given, predict = model.given, model._predict

    def spy_given(states, *rest):
        contexts.append(states)
        return given(states, *rest)

    def spy_predict(*arguments):
        outputs.append(predict(*arguments))
        return outputs[-1]

    monkeypatch.setattr(model, "given", spy_given)
    monkeypatch.setattr(model, "_predict", spy_predict)
    loss = model.loss(piece.states, piece.actions, piece.valid)
    assert torch.equal(contexts[0], piece.states[:, :3])
    assert torch.equal(contexts[1][:, :2], piece.states[:, 1:3])
    assert torch.equal(contexts[1][:, 2], outputs[0][2])
    assert not contexts[1].requires_grad
    errors = torch.stack([(output - target).square().mean() for output, target, _ in outputs])
    torch.testing.assert_close(loss, errors.mean())


@pytest.mark.parametrize("order", ["ascending", "descending", "random"])
def test_orders_visit_every_agent_equally(order):
    model = awake(DISCRETE, denoiser_order=order, denoiser_sampling_steps=6)
    torch.manual_seed(0)
    found = model.order(50)
    assert found.shape == (50, 6)
    assert (found[:, ::2] == found[:, 1::2]).all()
    assert (found[:, ::2].sort(-1).values == torch.arange(3)).all()
    assert {"ascending": [0, 1, 2], "descending": [2, 1, 0]}.get(order) in (
        None,
        found[0, ::2].tolist(),
    )
    assert (len(found.unique(dim=0)) > 1) == (order == "random")


def test_each_denoising_step_sees_its_agent_alone():
    model = awake(REAL, denoiser_sampling_steps=2)
    piece = random_sequences(REAL, 3, 3)
    noise = torch.randn(3, REAL.state_size)

    def sample(actions, order):
        rows = torch.tensor(order).expand(3, -1)
        return model.sample(piece.states[:, :3], actions, piece.valid, rows, noise=noise)

    changed = piece.actions.clone()
    changed[:, 2, 1] = -changed[:, 2, 1]
    torch.testing.assert_close(sample(changed, [0, 0]), sample(piece.actions, [0, 0]))
    assert not torch.allclose(sample(changed, [0, 1]), sample(piece.actions, [0, 1]))
    assert not torch.allclose(sample(changed, [1, 0]), sample(changed, [0, 1]))


def test_joint_conditioning_does_not_know_an_order():
    model = awake(REAL, denoiser_conditioning="joint")
    piece = random_sequences(REAL, 3, 3)
    noise = torch.randn(3, REAL.state_size)
    one, other = (
        model.sample(
            piece.states[:, :3],
            piece.actions,
            piece.valid,
            torch.tensor(order).repeat(3, 2),
            noise=noise,
        )
        for order in ([0, 1], [1, 0])
    )
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def trained(conditioning, updates):
    """A model of a linear team, and slopes of its effects under orders 01 and 10."""
    torch.manual_seed(0)
    team = LinearTeam(REAL, noise=0.05)
    config = tiny(
        denoiser_conditioning=conditioning, denoiser_rollout_steps=1, denoiser_learning_rate=2e-3
    )
    model = WorldModel(REAL, config)
    data = team.sequences(2000, 6)
    model.observe(data.states, data.observations, data.rewards)
    shape = model.batches()["denoiser"]
    for _ in range(updates):
        model.update({"denoiser": team.sequences(4 * shape.rows, shape.steps)})
    return [effects(model.eval(), team, order) for order in ([0, 1], [1, 0])]


def effects(model, team, order):
    """Slope of the predicted on the true effect of each agent's action."""
    rows = 500
    piece = team.sequences(rows, 3)
    states = model.scaled_states(piece.states[:, :3])
    noise = torch.randn(rows, REAL.state_size)
    steps = torch.tensor(order).repeat_interleave(2).expand(rows, -1)
    slopes = []
    for agent in range(2):
        forked = piece.actions.clone()
        forked[:, 2, agent] = random_actions(REAL, rows)[:, agent]
        before, after = (
            model.denoiser.sample(states, actions, piece.valid, steps, noise=noise)
            for actions in (piece.actions, forked)
        )
        found = (after - before) / 0.5 * model.states.deviation.float()
        true = (forked - piece.actions)[:, 2, agent] @ team.effects[agent]
        slopes.append((found * true).sum().item() / true.square().sum().item())
    return slopes


def test_joint_model_learns_the_effect_of_every_agent():
    for slopes in trained("joint", 500):
        assert slopes == pytest.approx([1, 1], abs=0.12)


def test_sequential_model_treats_agents_alike_by_their_place_in_the_order():
    (first, last), (last_reversed, first_reversed) = trained("sequential", 300)
    # Who is seen last, when little noise is left, moves the sample most, whoever it is.
    assert last > 1.3 * first
    assert last_reversed > 1.3 * first_reversed
    assert first == pytest.approx(first_reversed, abs=0.12)
    assert last == pytest.approx(last_reversed, abs=0.12)
    assert 0.4 < last < 1.1
