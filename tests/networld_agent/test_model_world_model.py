"""The world model as the planner and the trainer use it."""

import dataclasses

import numpy as np
import pytest
import torch
from training_cases import BOX, DISCRETE, PAIRS, TINY, tiny_model

from networld_agent.model import ActionSpec, ModelError, TaskSpec, WorldModel, WorldModelConfig
from networld_agent.model.batch import Batch, TaskBatch
from wirelessenvs import make


def segments(rows=6, horizon=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, horizon, 2 * TINY.latent_size, generator=generator)
    tau = torch.randint(10, (rows,), generator=generator)
    return x, tau, torch.arange(rows) % 3


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    weights = (torch.ones(4, 4) - torch.eye(4)) / 3
    parts = (
        TaskBatch(
            "rb-v0", draw(2, 4, 8, 4).abs(), torch.randint(11, (2, 4, 7), generator=generator),
            draw(2, 4), weights, 1 / 16,
        ),
        TaskBatch(
            "slicing-v0", draw(1, 4, 8, 12), 1e7 * torch.rand(1, 4, 7, 3, generator=generator),
            draw(1, 4), weights.expand(1, 8, 4, 4), 1 / 8,
        ),
    )  # fmt: skip
    return Batch(
        parts, torch.randint(10, (12,), generator=generator), draw(12, 8, 2 * TINY.latent_size)
    )


def test_latents_have_mean_zero_and_variance_one():
    z = tiny_model().encode("rb-v0", 100 * torch.rand(7, 3, 4))
    torch.testing.assert_close(z.mean(-1), torch.zeros(7, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.var(-1, correction=0), torch.ones(7, 3), atol=1e-2, rtol=0)


def test_symlog_makes_observations_of_any_magnitude_safe():
    assert torch.isfinite(tiny_model().encode("rb-v0", torch.full((1, 4), 1e30))).all()


def test_mean_field_is_the_mean_over_neighbours_and_zero_when_isolated():
    model = tiny_model()
    graph = make("rb-v0", num_nodes=6).unwrapped.graph
    weights = torch.tensor(graph.mean_weights, dtype=torch.float32)
    weights[2] = 0
    z = torch.randn(6, 8)
    mean = model.heard(z, (weights,))
    neighbours = np.flatnonzero(graph.adjacency[0])
    torch.testing.assert_close(mean[0], z[neighbours].mean(0))
    assert not mean[2].any()


def test_without_mean_field_agents_hear_nothing():
    model = tiny_model(communication="none")
    assert not model.heard(torch.randn(4, 8), (torch.full((4, 4), 0.25),)).any()


def test_denoised_segment_does_not_depend_on_the_rest_of_the_batch():
    model = tiny_model().eval()
    x, tau, task = segments()
    together = model.denoise(x, tau, task)
    alone = model.denoise(x[3:4], tau[3:4], task[3:4])
    torch.testing.assert_close(together[3:4], alone, atol=1e-5, rtol=1e-4)


def test_denoising_depends_on_level_and_task():
    model = tiny_model()
    x, tau, task = segments()
    here = model.denoise(x, tau, task)
    assert not torch.allclose(here, model.denoise(x, (tau + 3) % 10, task), atol=1e-3)
    assert not torch.allclose(here, model.denoise(x, tau, (task + 1) % 3), atol=1e-3)


def test_noise_prediction_is_turned_into_a_clean_estimate():
    model = tiny_model(prediction="noise")
    x, tau, task = segments()
    output, _ = model.forward_both(x, tau, task)
    x0 = model.denoise(x, tau, task)
    torch.testing.assert_close(model.schedule.noisy(x0, tau, output), x, atol=1e-4, rtol=1e-3)


def test_velocity_prediction_keeps_a_nearly_clean_segment():
    model = tiny_model(prediction="velocity")
    x, tau, task = segments()
    x0 = model.denoise(x, 0 * tau, task)
    output, _ = model.forward_both(x, 0 * tau, task)
    schedule = model.schedule
    torch.testing.assert_close(x0, schedule.signal[0] * x - schedule.spread[0] * output)


def test_planned_actions_teach_encoder_and_head_but_not_the_denoiser():
    model = tiny_model()
    model.loss(batch())["planned_action"].backward()
    assert model.inverses["task0"].head.weight.grad.abs().max() > 0
    assert model.encoders["task0"].layers[0].weight.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in model.unet.parameters())


@pytest.mark.parametrize("classifier", ["shared", "separate"])
def test_denoising_and_return_together_equal_both_alone(classifier):
    model = tiny_model(classifier=classifier)
    arguments = segments()
    x0, value = model.denoise_and_return(*arguments)
    torch.testing.assert_close(x0, model.denoise(*arguments))
    torch.testing.assert_close(value, model.predicted_return(*arguments))


def test_gradient_of_the_predicted_return_matches_a_finite_difference():
    model = tiny_model().double()
    x, tau, task = segments()
    x = x.double().requires_grad_()
    (slope,) = torch.autograd.grad(model.predicted_return(x, tau, task).sum(), x)
    direction = torch.randn_like(x)
    with torch.no_grad():
        up = model.predicted_return(x + 1e-5 * direction, tau, task).sum()
        down = model.predicted_return(x - 1e-5 * direction, tau, task).sum()
    # Logits pass through single precision.
    assert ((up - down) / 2e-5).item() == pytest.approx((slope * direction).sum().item(), rel=0.1)


def test_predicted_return_is_in_the_units_of_the_rewards():
    spec = dataclasses.replace(DISCRETE, return_mean=-40.0, return_std=5.0)
    model = WorldModel(TINY, [spec])
    x, tau, task = segments()
    value = model.predicted_return(x, tau, 0 * task)
    torch.testing.assert_close(value, torch.full((6,), -40.0))
    assert model.scaled_returns("rb-v0", torch.tensor([-35.0])).item() == 1


@pytest.mark.parametrize("mode", ["mean", "mode"])
@pytest.mark.parametrize("head", ["categorical", "bins"])
def test_decoded_actions_are_legal(mode, head):
    model = tiny_model(discrete_head=head)
    z, z_next = 5 * torch.randn(2, 200, 8)
    choice = model.decode_actions("rb-v0", z, z_next, mode)
    assert choice.dtype == torch.int64
    assert choice.shape == (200,)
    assert set(choice.tolist()) <= set(range(11))
    box = model.decode_actions("slicing-v0", z, z_next, mode)
    assert box.shape == (200, 3)
    assert (box >= 0).all()
    assert (box <= 1e7).all()
    pairs = model.decode_actions("pairs", z, z_next, mode)
    assert (pairs < torch.tensor([3, 5])).all()
    assert (pairs >= 0).all()


@pytest.mark.parametrize("head", ["categorical", "bins"])
@pytest.mark.parametrize("mode", ["mean", "mode"])
def test_inverse_dynamics_learns_every_discrete_action(head, mode):
    torch.manual_seed(0)
    action = ActionSpec("discrete", sizes=(11,), start=2)
    model = WorldModel(
        dataclasses.replace(TINY, discrete_head=head, action_bins=41, inverse_size=64),
        [TaskSpec("t", 0, 1, action)],
    )
    actions = torch.arange(2, 13)
    z = torch.randn(11, 8)
    inverse = model.inverse("t")
    optimizer = torch.optim.Adam(inverse.parameters(), 1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        inverse.loss(z, z, actions).mean().backward()
        optimizer.step()
    assert inverse.decode(z, z, mode).tolist() == actions.tolist()


@pytest.mark.parametrize("mode", ["mean", "mode"])
def test_inverse_dynamics_learns_bandwidths_to_two_percent_of_the_band(mode):
    torch.manual_seed(0)
    model = WorldModel(dataclasses.replace(TINY, action_bins=101, inverse_size=64), [BOX])
    actions, z = 1e7 * torch.rand(12, 3), torch.randn(12, 8)
    inverse = model.inverse("slicing-v0")
    optimizer = torch.optim.Adam(inverse.parameters(), 1e-2)
    for _ in range(400):
        optimizer.zero_grad()
        inverse.loss(z, z, actions).mean().backward()
        optimizer.step()
    assert (inverse.decode(z, z, mode) - actions).abs().max() < 2e5


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"prediction": "velocity"},
        {"prediction": "noise"},
        {"planned_action_weight": 0.0},
        {"latent_norm": "none"},
        {"stop_gradient": "target"},
        {"stop_gradient": "all"},
        {"classifier": "separate"},
        {"symlog": False},
        {"communication": "none"},
        {"communication": "attention"},
        {"discrete_head": "bins"},
        {"targets": "one-hot"},
        {"action_scaling": "raw"},
        {"reconstruction_weight": 0.0},
        {"behaviour_weight": 0.0},
        {"first_step_weight": 1.0},
        {"blocks_per_level": 2},
    ],
    ids=str,
)
def test_every_option_trains(options):
    model = tiny_model(**options)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        loss = model.loss(batch())["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_loss_is_the_weighted_sum_of_its_parts():
    model = tiny_model(
        diffusion_weight=2.0, classifier_weight=3.0, inverse_weight=0.5, planned_action_weight=0.7,
        behaviour_weight=0.3, reconstruction_weight=0.2,
    )  # fmt: skip
    losses = model.loss(batch())
    expected = 2 * losses["diffusion"] + 3 * losses["classifier"] + 0.5 * losses["inverse"]
    expected = expected + 0.7 * losses["planned_action"] + 0.3 * losses["behaviour"]
    expected = expected + 0.2 * losses["reconstruction"]
    torch.testing.assert_close(losses["loss"], expected)


def test_no_loss_is_taken_at_the_clamped_present():
    model = tiny_model()
    given = batch()
    noise = given.noise.clone()
    noise[:, 0] += 100
    changed = Batch(given.parts, given.tau, noise)
    assert model.loss(changed)["diffusion"] == model.loss(given)["diffusion"]


@pytest.mark.parametrize(("stop", "moves"), [("none", True), ("target", True), ("all", False)])
def test_stop_gradient_keeps_the_diffusion_loss_from_the_encoder(stop, moves):
    model = tiny_model(stop_gradient=stop)
    model.loss(batch())["diffusion"].backward()
    gradients = [p.grad for p in model.encoders["task0"].parameters()]
    assert any(g is not None and g.abs().max() > 1e-6 for g in gradients) == moves


def test_new_task_starts_from_the_mean_embedding_and_leaves_the_others_alone():
    model = tiny_model(tasks=(DISCRETE, BOX))
    x, tau, task = segments()
    before = model.denoise(x, tau, task % 2)
    rows = model.conditioning.task.weight[:2].clone()
    model.add_task(PAIRS)
    torch.testing.assert_close(model.conditioning.task.weight[2], rows.mean(0))
    assert torch.equal(model.denoise(x, tau, task % 2), before)
    assert model.encode("pairs", torch.rand(3, 6)).shape == (3, 8)


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (lambda m: m.encode("cbf-v0", torch.rand(1, 4)), "no task 'cbf-v0'; it has: rb-v0"),
        (lambda m: m.encode("rb-v0", torch.rand(1, 5)), "must have 4 entries, got 5"),
        (lambda m: m.add_task(DISCRETE), "has a task 'rb-v0' already"),
        (lambda m: m.add_task(dataclasses.replace(PAIRS, name="x")), "index 2 is taken"),
        (lambda m: m.add_task(TaskSpec("x", 16, 1, PAIRS.action)), "max_tasks is 16"),
        (lambda m: m.set_task(dataclasses.replace(DISCRETE, index=5)), "cannot change"),
        (lambda _: tiny_model(reconstruction_weight=0.0).reconstruct("x", None), "no reconstruc"),
    ],
)
def test_misuse_is_one_sentence(work, sentence):
    with pytest.raises(ModelError, match=sentence):
        work(tiny_model())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"horizon": 12}, "multiple of 8"),
        ({"channels": 12}, "multiple of 8"),
        ({"return_bins": 10}, "odd"),
        ({"prediction": "v"}, "one of 'x0', 'velocity', 'noise'"),
        ({"embedding_size": 7}, "even"),
        ({"gamma": 1.5}, "between 0 and 1"),
        ({"multipliers": ()}, "tuple of integers"),
    ],
)
def test_impossible_options_are_one_sentence(options, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        WorldModelConfig(**options)
