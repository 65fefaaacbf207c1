"""The linear-quadratic problem: its closed forms against simulation, and methods against these."""

import numpy as np
import pytest
import torch

from benchmarks.baselines.bc import BCConfig
from benchmarks.validation.linear_quadratic import POINT_MASS, GaussianData, PointMass
from benchmarks.validation.linear_quadratic_data import Behaviour, recorded, trained
from benchmarks.validation.linear_quadratic_dd import expectations, mixed_quality

torch.set_num_threads(1)
FUTURE, GAMMA = 12, 0.9
QUIET = PointMass(velocity_noise=0.005)
GAUSSIAN = GaussianData(
    QUIET, 0.5 * QUIET.best_gain(), 0.3, np.array([1.0, -0.5]), 0.4, GAMMA, FUTURE
)


@pytest.fixture(scope="module")
def transitions():
    """States, actions, next states and discounted returns of simulated Gaussian data."""
    rng = np.random.default_rng(0)
    starts = rng.multivariate_normal(np.zeros(2), GAUSSIAN.stationary(), 6_000)
    behaviour = Behaviour(GAUSSIAN.gain, GAUSSIAN.sigma)
    data = recorded(QUIET, [behaviour], starts, FUTURE, 50.0, 1)
    states, actions = data.observations[:, 0].astype(float), data.actions[:, 0, :, 0].astype(float)
    rewards = states[:, :-1] @ GAUSSIAN.state_reward + GAUSSIAN.action_reward * actions
    return states[:, 0], actions[:, 0], states[:, 1], rewards @ GAMMA ** np.arange(FUTURE)


def test_exact_rewards_are_those_of_simulated_episodes():
    gain = 0.4 * POINT_MASS.best_gain()
    starts = POINT_MASS.starts(20_000, np.random.default_rng(0))
    data = recorded(POINT_MASS, [Behaviour(gain, 0.3)], starts, 50, 50.0, 1)
    # Start covariance of the drawn sample differs from the exact one by about 1 %.
    assert data.rewards.mean() == pytest.approx(POINT_MASS.exact_reward(gain, 0.3, 50), rel=0.03)


def test_no_other_gain_does_better_than_the_best():
    best = POINT_MASS.best_gain()
    reward = POINT_MASS.exact_reward(best, 0.0, 2_000)
    for change in ([[0.2, 0]], [[-0.2, 0]], [[0, 0.2]], [[0, -0.2]], [[0.1, 0.1]]):
        assert POINT_MASS.exact_reward(best + np.array(change), 0.0, 2_000) < reward


def test_states_stay_distributed_as_in_the_long_run(transitions):
    states, _, following, _ = transitions
    for seen in (states, following):
        np.testing.assert_allclose(np.cov(seen.T), GAUSSIAN.stationary(), rtol=0.1, atol=3e-4)


def test_return_given_the_state_has_its_exact_mean_and_deviation(transitions):
    states, _, _, returns = transitions
    mean, deviation = GAUSSIAN.return_moments(states)
    assert (returns - mean).mean() == pytest.approx(0, abs=4 * deviation / len(states) ** 0.5)
    assert (returns - mean).std() == pytest.approx(deviation, rel=0.04)


def test_next_state_given_state_and_return_is_the_regression_on_data(transitions):
    states, _, following, returns = transitions
    features = np.column_stack([states, returns])
    fitted = features @ np.linalg.lstsq(features, following, rcond=None)[0]
    exact = GAUSSIAN.next_state(states, returns)
    # A fit of three weights to M rows is off by about sqrt(3 / M) of what it cannot explain.
    unexplained = (following - exact).std(0)
    error = np.sqrt(((fitted - exact) ** 2).mean(0))
    assert (error <= 3 * np.sqrt(3 / len(states)) * unexplained + 1e-6).all()
    # What the return tells is far above that.
    told = np.sqrt(((exact - GAUSSIAN.next_state(states)) ** 2).mean(0))
    assert told[1] > 0.3 * unexplained[1]


def test_action_given_two_states_is_the_regression_on_data(transitions):
    states, actions, following, _ = transitions
    features = np.column_stack([states, following])
    fitted = features @ np.linalg.lstsq(features, actions, rcond=None)[0]
    np.testing.assert_allclose(fitted, GAUSSIAN.action(states, following), atol=0.01)


def test_cloning_a_linear_policy_finds_its_gain():
    gain = 0.5 * QUIET.best_gain()
    starts = 0.05 * np.random.default_rng(0).normal(size=(200, 2))
    data = recorded(QUIET, [Behaviour(gain, 0.02)], starts, 30, 1.0, 0).offline()
    policy = trained("bc", data, BCConfig(steps=600, batch_size=64, hidden_size=64))
    states = 0.03 * np.random.default_rng(1).normal(size=(300, 2))
    actions = policy.act_on(states[:, None].astype(np.float32))[:, 0, 0]
    found = np.linalg.lstsq(states, actions, rcond=None)[0]
    np.testing.assert_allclose(found, -gain[0], rtol=0.15)


@pytest.mark.long
def test_diffuser_agrees_with_the_conditional_expectations():
    found = expectations(800, 0)
    assert found["return_effect"] == pytest.approx(1, abs=0.2)
    assert found["next_velocity"] < 0.35
    assert found["inverse"] < 0.1


@pytest.mark.long
def test_diffuser_asked_for_much_beats_a_clone_of_the_same_data():
    found = mixed_quality(600, 0, episodes=40)
    assert found["lift"][0] > 0
    assert found["data"] < found["dd"] < found["optimum"]
