"""Layers of the U-Net on two devices: values, and gradients of inputs and weights.

Tolerance: 1e-4 of a tensor's greatest entry, products in whole float32.
"""

import pytest
import torch
from model_cases import gradients_of
from parity import assert_parity
from torch import nn

from networld_agent.config import PRESETS
from networld_agent.model import WorldModelConfig
from networld_agent.model.diffusion import Schedule
from networld_agent.model.temporal_layers import Downsample, NormMish, TemporalConv, Upsample
from networld_agent.model.temporal_unet import Conditioning, DownPath, ResidualBlock, TemporalUNet

PAPER = PRESETS["paper"].model
#: (length, batch, channels) at every level of preset `paper`, and short ones.
LEVELS = [
    (PAPER.horizon // 2**level, 3, PAPER.channels * multiplier)
    for level, multiplier in enumerate(PAPER.multipliers)
]
SHAPES = [(1, 1, 32), (2, 5, 32), (3, 4, 24), (8, 1, 16), *LEVELS]


def through(layer, shape, device, *more):
    """Value, and gradients of input and weights, of a random projection of the output."""
    for parameter in layer.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.5)
    layer = layer.to(device)
    x = (2 * torch.randn(shape) + 0.5).to(device).requires_grad_()
    y = layer(x, *(tensor.to(device) for tensor in more))
    (y * torch.randn(y.shape).to(device)).sum().backward()
    with torch.no_grad():
        inferred = layer(x.detach(), *(tensor.to(device) for tensor in more))
    return {
        "value": y, "inferred": inferred, "input": x.grad, "weights": gradients_of(layer),
    }  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_convolution(other, shape):
    def work(device):
        return [
            through(TemporalConv(shape[2], 24, taps), shape, device)
            for taps in (3, 5)
        ]  # fmt: skip

    assert_parity(work, other)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_norm_mish(other, shape):
    def work(device):
        layer = NormMish(shape[2])
        nn.init.normal_(layer.gain)
        return through(layer, shape, device)

    assert_parity(work, other)


@pytest.mark.parametrize("shape", [(2, 1, 8), (4, 5, 16), *LEVELS], ids=str)
def test_down_and_up(other, shape):
    def work(device):
        return [through(layer(shape[2]), shape, device) for layer in (Downsample, Upsample)]

    assert_parity(work, other)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_residual_block(other, shape):
    def work(device):
        condition = torch.randn(shape[1], 12)
        return [
            through(ResidualBlock(shape[2], width, 12), shape, device, condition)
            for width in (shape[2], 16)
        ]

    assert_parity(work, other)


CONFIGS = {
    "one level": WorldModelConfig(horizon=4, channels=8, multipliers=(1,), embedding_size=4),
    "short": WorldModelConfig(horizon=4, channels=16, multipliers=(1, 2, 4), embedding_size=4),
    "two blocks": WorldModelConfig(
        horizon=16, channels=16, multipliers=(1, 2), embedding_size=8, blocks_per_level=2
    ),
    "paper": PAPER,
}


@pytest.mark.parametrize("name", CONFIGS)
def test_whole_unet(other, name):
    config = CONFIGS[name]
    channels = 2 * config.latent_size

    def work(device):
        condition = torch.randn(5, 2 * config.embedding_size)
        shape = (config.horizon, 5, channels)
        return through(TemporalUNet(channels, config), shape, device, condition)

    assert_parity(work, other)


def test_features_of_every_level(other):
    def work(device):
        path = DownPath(10, PAPER).to(device)
        x, condition = torch.randn(32, 2, 10), torch.randn(2, 2 * PAPER.embedding_size)
        return path(x.to(device), condition.to(device))

    assert_parity(work, other)


@pytest.mark.parametrize("size", [2, 32, 64])
def test_conditioning(other, size):
    def work(device):
        layer = Conditioning(size, 16).to(device)
        tau, task = torch.arange(20).to(device), torch.randint(16, (20,)).to(device)
        value = layer(tau, task)
        (value * torch.randn(value.shape).to(device)).sum().backward()
        return {"value": value, "weights": gradients_of(layer)}

    assert_parity(work, other)


@pytest.mark.parametrize("steps", [1, 10, 20, 100])
def test_schedule(other, steps):
    def work(device):
        schedule = Schedule(steps).to(device)
        tau = torch.arange(steps).to(device)
        x0, noise = (torch.randn(steps, 4, 6).to(device) for _ in range(2))
        x = schedule.noisy(x0, tau, noise)
        velocity = schedule.velocity(x0, tau, noise)
        return {
            "tables": [schedule.alpha_bar, schedule.betas, schedule.posterior_variance],
            "noisy": x,
            "velocity": velocity,
            "x0 again": schedule.x0_from_velocity(x, tau, velocity),
            # One level after the other: a nearly noisy one divides by its tiny signal share.
            "x0 of noise": dict(enumerate(schedule.x0_from_noise(x, tau, 0.9 * noise))),
            "noise": schedule.noise_from_x0(x, tau, x0),
        }

    assert_parity(work, other)
