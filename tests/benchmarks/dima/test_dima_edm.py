"""EDM: coefficients, schedule and sampler against closed forms."""

import math
from itertools import pairwise

import pytest
import torch

from benchmarks.baselines.dima.edm import Preconditioning, draw_noise_levels, euler, noise_levels


def test_coefficients_without_offset_are_those_of_edm():
    pre = Preconditioning.at(torch.tensor([0.5], dtype=torch.float64), 0.0)
    assert pre.skip.item() == pytest.approx(0.5)
    assert pre.out.item() == pytest.approx(0.5 * 0.5 / math.sqrt(0.5))
    assert pre.scale.item() == pytest.approx(math.sqrt(2))
    assert pre.noise.item() == pytest.approx(math.log(0.5) / 4)


def test_offset_adds_to_the_noise_variance():
    pre = Preconditioning.at(torch.tensor([0.4], dtype=torch.float64), 0.3)
    plain = Preconditioning.at(torch.tensor([0.5], dtype=torch.float64), 0.0)
    torch.testing.assert_close(torch.stack(pre), torch.stack(plain))


@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_network_sees_and_is_asked_for_unit_variance(offset):
    generator = torch.Generator().manual_seed(0)
    clean = 0.5 * torch.randn(400_000, generator=generator, dtype=torch.float64)
    for sigma in (0.01, 0.3, 5.0):
        level = torch.tensor(sigma, dtype=torch.float64)
        spread = math.hypot(sigma, offset)
        x = clean + spread * torch.randn(clean.shape, generator=generator, dtype=torch.float64)
        pre = Preconditioning.at(level, offset)
        assert (pre.scale * x).std().item() == pytest.approx(1, abs=0.01)
        assert ((clean - pre.skip * x) / pre.out).std().item() == pytest.approx(1, abs=0.01)


def test_noise_levels_follow_karras():
    levels = noise_levels(3, 5.0, 0.002, 7.0)
    middle = ((5.0 ** (1 / 7) + 0.002 ** (1 / 7)) / 2) ** 7
    assert levels == pytest.approx([5.0, middle, 0.002, 0.0])
    assert noise_levels(1, 5.0, 0.002, 7.0) == [5.0, 0.0]


def test_training_noise_is_log_normal_and_clipped():
    torch.manual_seed(0)
    levels = draw_noise_levels(torch.empty(100_000), -0.4, 1.2, 2e-3, 20.0)
    assert levels.min() >= 2e-3
    assert levels.max() <= 20
    assert levels.log().mean().item() == pytest.approx(-0.4, abs=0.02)
    assert levels.log().std().item() == pytest.approx(1.2, abs=0.02)


@pytest.mark.parametrize("steps", [1, 3, 50])
def test_euler_of_a_gaussian_has_the_exact_mean_and_variance(steps):
    mean, std = 0.7, 0.5
    levels = noise_levels(steps, 5.0, 0.002, 7.0)

    def denoise(x, sigma, step):
        assert sigma == levels[step]
        return mean + std**2 / (std**2 + sigma**2) * (x - mean)

    noise = torch.randn(200_000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    samples = euler(denoise, noise, levels)
    # Every step is linear: deviations from the mean shrink by a known factor.
    factor, bias = levels[0], 0.0 - mean
    for sigma, following in pairwise(levels):
        shrink = 1 + (following - sigma) * sigma / (std**2 + sigma**2)
        factor, bias = factor * shrink, bias * shrink
    torch.testing.assert_close(samples, mean + bias + factor * noise)
    if steps == 50:
        # The flow itself shrinks deviations by this; they start around 0, not around the mean.
        shrink = std / math.sqrt(std**2 + levels[0] ** 2)
        assert samples.mean().item() == pytest.approx(mean * (1 - shrink), abs=0.01)
        assert samples.std().item() == pytest.approx(levels[0] * shrink, rel=0.05)
