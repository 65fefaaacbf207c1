"""Encoders, heads and codes of the world model on two devices.

Tolerance: 1e-4 of a tensor's greatest entry. Decoded choices must be equal unless their two best
logits are that close.
"""

import dataclasses

import pytest
import torch
from model_cases import CONFIGS, batch_for, gradients_of, random_actions, random_model
from parity import assert_parity
from training_cases import BOX, DISCRETE, PAIRS, TINY

from networld_agent.model.inverse_dynamics import InverseDynamics
from networld_agent.model.return_classifier import ReturnClassifier
from networld_agent.model.scenario_encoder import ScenarioEncoder
from networld_agent.model.symlog import TwoHot, symexp, symlog
from networld_agent.training.latent_health import effective_rank

TASKS = {"discrete": DISCRETE, "box": BOX, "multidiscrete": PAIRS}


def backward(value, device):
    (value * torch.randn(value.shape).to(device)).sum().backward()


def test_symlog_and_its_inverse(other):
    numbers = torch.tensor([0.0, -0.0, 1e-30, 1e-6, 0.5, -1.0, 30.0, -1e4, 1e7])

    def work(device):
        x = numbers.clone().to(device).requires_grad_()
        y = symlog(x)
        backward(y, device)
        # Entry by entry: they lie forty orders of magnitude apart.
        return [list(y), list(symexp(y.detach())), list(x.grad)]

    assert_parity(work, other, 3e-5)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("compress", [True, False])
def test_scenario_encoder(other, normalise, compress):
    def work(device):
        mean, std = [0.3] * 7, [1.5] * 7
        encoder = ScenarioEncoder(7, 16, 32, compress, normalise, mean, std, 3.0).to(device)
        x = (5 * torch.randn(4, 6, 7)).to(device).requires_grad_()
        z = encoder(x)
        backward(z, device)
        return {
            "latent": z, "scaled": encoder.scaled(x), "input": x.grad,
            "weights": gradients_of(encoder),
        }  # fmt: skip

    assert_parity(work, other)


@pytest.mark.parametrize("smooth", [True, False])
def test_two_hot_codes(other, smooth):
    def work(device):
        bins = TwoHot(2.4, 101, smooth).to(device)
        # Beyond the edges, on centres, and between them.
        x = torch.cat([torch.linspace(-30, 30, 61), bins.centers.cpu()]).to(device)
        logits = torch.randn(len(x), 101).to(device).requires_grad_()
        entropy = bins.cross_entropy(logits, x)
        backward(entropy, device)
        lower, share = bins.weights(x)
        return {
            "lower": lower, "share": share, "code": bins.encode(x), "entropy": entropy,
            "gradient": logits.grad, "decoded": bins.decode(logits), "mode": bins.mode(logits),
            "symmetric": bins.mean(torch.full((3, 101), 1 / 101).to(device)),
        }  # fmt: skip

    found = assert_parity(work, other)
    assert not found["symmetric"].any()


@pytest.mark.parametrize("head", ["categorical", "bins"])
@pytest.mark.parametrize("kind", TASKS)
def test_inverse_dynamics(other, kind, head):
    task = TASKS[kind]

    def work(device):
        inverse = InverseDynamics(task.action, dataclasses.replace(TINY, discrete_head=head))
        torch.nn.init.normal_(inverse.head.weight)
        inverse = inverse.to(device)
        z, z_next = (torch.randn(200, TINY.latent_size).to(device) for _ in range(2))
        loss = inverse.loss(z, z_next, random_actions(task, 200).to(device))
        backward(loss, device)
        with torch.no_grad():
            modes = {mode: inverse.decode(z, z_next, mode) for mode in ("mean", "mode")}
            return {
                "loss": loss, "logits": inverse(z, z_next), "weights": gradients_of(inverse),
                "actions": {k: list(v.double().T) if v.ndim > 1 else v for k, v in modes.items()},
            }  # fmt: skip

    assert_parity(work, other)


def test_return_classifier(other):
    def work(device):
        head = ReturnClassifier(24, 21)
        torch.nn.init.normal_(head.head.weight)
        head = head.to(device)
        features = torch.randn(4, 6, 24).to(device).requires_grad_()
        logits = head(features)
        backward(logits, device)
        return {"logits": logits, "input": features.grad, "weights": gradients_of(head)}

    assert_parity(work, other)


@pytest.mark.parametrize("name", ["default", "separate classifier", "velocity", "noise"])
def test_denoising_and_its_guidance(other, name):
    def work(device):
        model = random_model(device, **CONFIGS[name]).requires_grad_(False).eval()
        rows = 12
        x = torch.randn(rows, model.horizon, 2 * model.latent_size).to(device)
        # Not the noisiest levels: predicted noise is divided by their signal share of 1/50.
        tau = (torch.arange(rows) % 8).to(device)
        task = (torch.arange(rows) % 3).to(device)
        clean, gradient = model.denoise_with_gradient(x, tau, task)
        both, returns = model.denoise_and_return(x, tau, task)
        return {
            "clean": clean, "gradient": gradient, "both": both, "returns": returns,
            "alone": model.denoise(x, tau, task), "return": model.predicted_return(x, tau, task),
        }  # fmt: skip

    assert_parity(work, other)


def test_neighbours_and_reconstruction(other):
    def work(device):
        model = random_model(device).requires_grad_(False)
        batch = batch_for(model, device, dynamic=True)
        found = {}
        for part in batch.parts:
            z = model.encode(part.task, part.observations)
            found[part.task] = {
                "latents": z,
                "heard": model.heard(z.transpose(1, 2), (part.mean_weights,)),
                "seen again": model.reconstruct(part.task, z),
                "returns": model.scaled_returns(part.task, part.returns),
            }
        return found

    assert_parity(work, other)


def test_effective_rank_of_latents(other):
    def work(device):
        latents = (torch.randn(50, 8) * torch.logspace(0, -3, 8)).to(device)
        return [effective_rank(latents), effective_rank(torch.ones(9, 4, device=device))]

    assert assert_parity(work, other, host=True)["1"] == 0
