"""Samplers against a Gaussian, whose best denoiser is known in closed form."""

import itertools
import math

import pytest
import torch

from networld_agent.planning.samplers import SAMPLERS, sample, sampler_steps, trailing_levels

MEAN, SPREAD, LEVELS = 0.7, 0.5, 20
torch.set_num_threads(1)


def cosine(num_levels: int = LEVELS) -> list[float]:
    def share(t: float) -> float:
        return math.cos((t / num_levels + 0.008) / 1.008 * math.pi / 2) ** 2

    product, alpha_bar = 1.0, []
    for t in range(num_levels):
        product *= 1 - min(1 - share(t + 1) / share(t), 0.999)
        alpha_bar.append(product)
    return alpha_bar


def gaussian_denoiser(alpha_bar, mean=MEAN, spread=SPREAD):
    """E[x0 | x] for x0 ~ N(mean, spread^2)."""

    def denoise(x, step):
        alpha = math.sqrt(alpha_bar[step.level])
        total = alpha**2 * spread**2 + 1 - alpha**2
        return mean + spread**2 * alpha / total * (x - alpha * mean)

    return denoise


def drawn(sampler, steps, num_levels=LEVELS, rows=40_000, **gaussian):
    alpha_bar = cosine(num_levels)
    generator = torch.Generator().manual_seed(3)

    def normal(_):
        return torch.randn(rows, 1, 1, generator=generator, dtype=torch.float64)

    plan = sampler_steps(sampler, alpha_bar, trailing_levels(num_levels, steps))
    return sample(plan, normal(-1), gaussian_denoiser(alpha_bar, **gaussian), normal)


def ddim_spread(steps):
    """In noise form: the estimate of the noise is carried over, factor by factor."""
    alpha_bar, factor = cosine(), 1.0
    angles = [math.acos(math.sqrt(alpha_bar[i])) for i in trailing_levels(LEVELS, steps)]
    for here, there in zip(angles, [*angles[1:], 0.0], strict=True):
        clean = SPREAD**2 * math.cos(here) / ((SPREAD * math.cos(here)) ** 2 + math.sin(here) ** 2)
        noise = (1 - math.cos(here) * clean) / math.sin(here)
        factor *= math.cos(there) * clean + math.sin(there) * noise
    return abs(factor)


def ddpm_spread(steps):
    """By Bayes' rule: precisions of the two Gaussians that meet in the posterior add up."""
    alpha_bar, variance = cosine(), 1.0
    levels = trailing_levels(LEVELS, steps)
    squares = [*(alpha_bar[i] for i in levels), 1.0]
    for here, there in itertools.pairwise(squares):
        clean = SPREAD**2 * math.sqrt(here) / (here * SPREAD**2 + 1 - here)
        if there == 1.0:
            return math.sqrt(variance) * clean
        ratio = here / there
        forward, prior = ratio / (1 - ratio), 1 / (1 - there)
        total = forward + prior
        slope = (forward / math.sqrt(ratio) + prior * math.sqrt(there) * clean) / total
        variance = slope**2 * variance + 1 / total
    raise AssertionError


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 3, 5, 10, LEVELS])
def test_mean_is_exact_at_any_number_of_steps(sampler, steps):
    assert drawn(sampler, steps).mean().item() == pytest.approx(MEAN, abs=0.01)


@pytest.mark.parametrize("steps", [1, 3, 5, 10, LEVELS])
def test_spread_of_ddim_matches_its_closed_form(steps):
    assert drawn("ddim", steps).std().item() == pytest.approx(ddim_spread(steps), abs=0.005)


@pytest.mark.parametrize("steps", [1, 3, 5, 10, LEVELS])
def test_spread_of_ddpm_matches_bayes_rule(steps):
    assert drawn("ddpm", steps).std().item() == pytest.approx(ddpm_spread(steps), abs=0.005)


@pytest.mark.parametrize(("steps", "tolerance"), [(5, 0.12), (10, 0.03), (LEVELS, 0.005)])
def test_spread_of_dpm_is_right_in_few_steps(steps, tolerance):
    assert drawn("dpm", steps).std().item() == pytest.approx(SPREAD, abs=tolerance)


def test_one_step_is_the_conditional_mean():
    for sampler in SAMPLERS:
        assert drawn(sampler, 1).std().item() < 0.002


def test_dpm_is_of_second_order_and_ddim_of_first():
    def error(sampler, steps):
        start = torch.tensor([-1.0, 1.0], dtype=torch.float64)[:, None, None]
        plan = sampler_steps(sampler, alpha_bar, trailing_levels(1000, steps))
        ends = sample(plan, start, gaussian_denoiser(alpha_bar), lambda _: start)
        return abs((ends[1] - ends[0]).item() / 2 - SPREAD)

    alpha_bar = cosine(1000)
    assert error("ddim", 10) / error("ddim", 20) == pytest.approx(2, abs=0.3)
    assert error("dpm", 10) / error("dpm", 20) > 3.5
    assert error("ddim", 1000) < 0.001


def test_dpm_survives_as_many_steps_as_levels():
    for spread in (0.5, 1.0, 2.0):
        samples = drawn("dpm", LEVELS, spread=spread)
        assert samples.std().item() == pytest.approx(spread, rel=0.02)
        assert torch.isfinite(samples).all()


def test_every_step_keeps_a_point_mass():
    """If all data are one point, the estimate is that point and so is the sample."""
    for sampler in SAMPLERS:
        for steps in (1, 4, LEVELS):
            samples = drawn(sampler, steps, spread=1e-9, rows=50)
            torch.testing.assert_close(samples, torch.full_like(samples, MEAN))


def test_levels_begin_at_the_noisiest_and_fall():
    for steps in range(1, LEVELS + 1):
        for spacing in (0.7, 1.0, 2.0, 5.0):
            levels = trailing_levels(LEVELS, steps, spacing)
            assert len(levels) == steps
            assert levels[0] == LEVELS - 1
            assert levels[-1] >= 0
            assert all(a > b for a, b in itertools.pairwise(levels))
    assert trailing_levels(LEVELS, LEVELS) == tuple(range(LEVELS))[::-1]


@pytest.mark.parametrize("steps", [0, LEVELS + 1])
def test_impossible_numbers_of_steps_are_refused(steps):
    with pytest.raises(ValueError, match="between 1 and 20"):
        trailing_levels(LEVELS, steps)


def test_unknown_sampler_is_refused():
    with pytest.raises(ValueError, match="ddim, dpm, ddpm"):
        sampler_steps("euler", cosine(), (19, 9))


def test_clamped_part_survives_and_is_shown_to_the_denoiser():
    alpha_bar = cosine()

    def clamp(x):
        return torch.cat([torch.full_like(x[:, :1], 9.0), x[:, 1:]], 1)

    def denoise(x, step):
        assert (x[:, 0] == 9.0).all()
        return torch.zeros_like(x)

    for sampler in SAMPLERS:
        plan = sampler_steps(sampler, alpha_bar, trailing_levels(LEVELS, 4))
        x = sample(plan, torch.ones(3, 8, 2), denoise, lambda _: torch.ones(3, 8, 2), clamp)
        assert (x[:, 0] == 9.0).all()
        assert (x[:, 1:] == 0.0).all()
