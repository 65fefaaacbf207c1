"""Returns and advantages against slow sums and closed forms; the statistics of returns."""

import numpy as np
import pytest
import torch

from benchmarks.baselines.mappo.advantages import generalised_advantages, lambda_returns
from benchmarks.baselines.mappo.value_normaliser import ValueNormaliser
from benchmarks.baselines.online.running_scaling import RunningScaling
from networld_agent.model.symlog import symlog

GAMMA, TRACE = 0.9, 0.7


def slow_advantages(rewards, values, next_values, terminated, truncated):
    """Arxiv 1506.02438, equation 16: a sum of discounted one-step errors, one column at a time."""
    out = np.zeros_like(rewards)
    steps = len(rewards)
    for t in range(steps):
        weight = 1.0
        for k in range(t, steps):
            going_on = 0.0 if terminated[k] else next_values[k]
            out[t] += weight * (rewards[k] + GAMMA * going_on - values[k])
            if terminated[k] or truncated[k]:
                break
            weight *= GAMMA * TRACE
    return out


def test_advantages_are_the_sum_of_discounted_errors():
    rng = np.random.default_rng(0)
    rewards, values, next_values = rng.normal(size=(3, 40, 6))
    terminated = rng.random((40, 6)) < 0.1
    truncated = (rng.random((40, 6)) < 0.1) & ~terminated
    # A state has one value: what a step leads to is what the next one starts from.
    next_values[:-1] = np.where((terminated | truncated)[:-1], next_values[:-1], values[1:])
    tensors = [torch.from_numpy(x) for x in (rewards, values, next_values, terminated, truncated)]
    advantages, returns = generalised_advantages(*tensors, GAMMA, TRACE)
    wanted = np.stack(
        [
            slow_advantages(
                *(x[:, b] for x in (rewards, values, next_values, terminated, truncated))
            )
            for b in range(6)
        ],
        1,
    )
    np.testing.assert_allclose(advantages.numpy(), wanted, atol=1e-12)
    np.testing.assert_allclose((returns - advantages).numpy(), values, atol=1e-12)


def returns_of_ones(steps, trace, terminated_last, value=0.0):
    ones, flags = torch.ones(steps, dtype=torch.float64), torch.zeros(steps, dtype=torch.bool)
    terminated = flags.clone()
    terminated[-1] = terminated_last
    values = torch.full((steps,), value, dtype=torch.float64)
    return generalised_advantages(ones, values, values, terminated, flags, GAMMA, trace)[1]


def test_with_trace_1_a_terminated_episode_returns_its_geometric_sum():
    wanted = (1 - GAMMA ** np.arange(8, 0, -1)) / (1 - GAMMA)
    np.testing.assert_allclose(returns_of_ones(8, 1.0, True, value=5.0).numpy(), wanted)


def test_a_truncated_episode_goes_on_in_its_value():
    """With the true value of reward 1 for ever, every return is that value, whatever the trace."""
    for trace in (0.0, 0.5, 1.0):
        returns = returns_of_ones(8, trace, False, value=1 / (1 - GAMMA))
        np.testing.assert_allclose(returns.numpy(), 1 / (1 - GAMMA))


def test_with_trace_0_returns_look_one_step_ahead():
    np.testing.assert_allclose(returns_of_ones(3, 0.0, True, value=2.0).numpy(), [2.8, 2.8, 1.0])


def test_a_probability_of_going_on_weighs_what_follows():
    rewards, values = torch.ones(3), torch.tensor([1.0, 2.0, 3.0])
    going_on = torch.tensor([0.5, 0.25, 1.0])
    cut = torch.zeros(3, dtype=torch.bool)
    last = 1 + GAMMA * 3.0
    middle = 1 + GAMMA * 0.25 * ((1 - TRACE) * 2 + TRACE * last)
    first = 1 + GAMMA * 0.5 * ((1 - TRACE) * 1 + TRACE * middle)
    found = lambda_returns(rewards, values, going_on, cut, GAMMA, TRACE)
    torch.testing.assert_close(found, torch.tensor([first, middle, last]))


def test_after_one_batch_the_normaliser_has_its_statistics():
    returns = torch.tensor([1.0, 5.0, 9.0]) * 1000
    normaliser = ValueNormaliser()
    torch.testing.assert_close(normaliser.normalise(returns), returns)
    normaliser.update(returns)
    scaled = normaliser.normalise(returns)
    torch.testing.assert_close(scaled.mean(), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(scaled.std(correction=0), torch.tensor(1.0))
    torch.testing.assert_close(normaliser.denormalise(scaled), returns)


def test_the_normaliser_forgets_at_its_rate():
    normaliser = ValueNormaliser(decay=0.5)
    for value in (0.0, 4.0, 8.0):
        normaliser.update(torch.full((2,), value))
    mean = (0.125 * 0 + 0.25 * 4 + 0.5 * 8) / 0.875
    square = (0.25 * 16 + 0.5 * 64) / 0.875
    found = normaliser.denormalise(torch.tensor([0.0, 1.0], dtype=torch.float64))
    deviation = (square - mean**2) ** 0.5
    np.testing.assert_allclose(found.numpy(), [mean, mean + deviation])


def test_scaling_in_pieces_is_scaling_at_once():
    vectors = torch.randn(500, 3, generator=torch.manual_seed(0)) * 7 + 2
    vectors[:, 2] = 4.0
    scaling = RunningScaling(3)
    for piece in vectors.split([1, 49, 250, 200]):
        scaling.update(piece)
    rows = symlog(vectors).double()
    torch.testing.assert_close(scaling.mean.double(), rows.mean(0), atol=1e-6, rtol=1e-6)
    wanted = rows.std(0, correction=0)
    wanted[2] = 1.0
    torch.testing.assert_close(scaling.deviation.double(), wanted, atol=1e-6, rtol=1e-6)
    fixed = scaling.as_fixed()
    torch.testing.assert_close(fixed(vectors), scaling(vectors), rtol=0, atol=0)
    assert fixed(torch.full((1, 3), 1e9)).max() == pytest.approx(3.0)
