"""The exact filter of hidden traffic modes, against enumeration of all their paths."""

import itertools

import numpy as np
import pytest
from scipy.stats import poisson
from test_rb_policies import gains, greedy

from wirelessenvs.rb import POLICIES, RBConfig, RBSimulator
from wirelessenvs.rollout import run_policy


def enumerated(counts, low, high, switch):
    """P(high mode in the next frame | counts), summed over every path of modes.

    Args:
        counts: of the frames so far.
        low: packets per frame in the low mode.
        high: the same in the high mode.
        switch: probability that the mode changes after a frame.
    """
    likelihood = poisson.pmf(np.array(counts, int)[:, None], [low, high]).tolist()
    weight = [0.0, 0.0]
    for path in itertools.product((0, 1), repeat=len(counts) + 1):
        probability = 0.5
        for before, after in itertools.pairwise(path):
            probability *= switch if before != after else 1 - switch
        for mode, chances in zip(path, likelihood, strict=False):
            probability *= chances[mode]
        weight[path[-1]] += probability
    return weight[1] / sum(weight)


CASES = {
    "default": {},
    "uneven rates": {"mean_rate": (0.5, 1, 2, 9), "num_nodes": 4, "modulation": 0.9},
    "silent in the low mode": {"modulation": 1.0, "switch_probability": 0.4},
    "never switches": {"switch_probability": 0.0},
    "always switches": {"switch_probability": 1.0},
    "a node without traffic": {"mean_rate": (0.0, 4.0), "num_nodes": 2},
    "modes alike": {"modulation": 0.0},
}


@pytest.mark.parametrize("fields", CASES.values(), ids=CASES)
def test_beliefs_are_those_of_enumeration(fields):
    config = RBConfig(**fields)
    simulator = RBSimulator(config, 2)
    policy = POLICIES["bayes"](simulator.spec, 2)
    for seed in (0, 7):  # the second episode must begin from nothing
        observations = simulator.reset(seed)
        policy.reset()
        counts = []
        for _ in range(7):
            actions = policy(observations, simulator.privileged(policy.information))
            for b, i in np.ndindex(policy.beliefs.shape):
                exact = enumerated(
                    [frame[b, i] for frame in counts],
                    *config.mode_rates[:, i],
                    config.switch_probability,
                )
                assert policy.beliefs[b, i] == pytest.approx(exact, abs=1e-12)
            observations = simulator.step(actions).observations
            counts.append(simulator.generated)


def test_counts_beyond_floating_point_leave_no_doubt():
    config = RBConfig(mean_rate=500.0, modulation=1.0, num_nodes=2)
    simulator = RBSimulator(config)
    policy = POLICIES["bayes"](simulator.spec)
    observations = simulator.reset(3)
    for _ in range(30):
        actions = policy(observations, simulator.privileged(policy.information))
        observations = simulator.step(actions).observations
        assert np.isfinite(policy.beliefs).all()
    assert set(policy.beliefs.ravel().round(12)) <= {0.2, 0.8}


def test_beliefs_are_calibrated():
    """Modes are high as often as the filter says, whatever it says (0.2 to 0.8: they switch)."""
    simulator = RBSimulator(RBConfig(modulation=0.7), 64)
    policy = POLICIES["bayes"](simulator.spec, 64)
    observations = simulator.reset(0)
    beliefs, modes = [], []
    for _ in range(200):
        actions = policy(observations, simulator.privileged(policy.information))
        beliefs.append(policy.beliefs)
        modes.append(simulator.modes)
        observations = simulator.step(actions).observations
    belief, mode = np.ravel(beliefs), np.ravel(modes)
    for low, high in itertools.pairwise(np.linspace(0.2, 0.8, 5)):
        inside = (belief >= low) & (belief < high)
        assert inside.sum() > 1000
        assert mode[inside].mean() == pytest.approx(belief[inside].mean(), abs=0.02)


def test_newsvendor_greedy_is_optimal_for_a_mixture_of_modes():
    rng = np.random.default_rng(5)
    for _ in range(50):
        n = int(rng.integers(2, 5))
        queues = rng.integers(0, 4, n)
        rates = rng.uniform(0.1, 6, (2, n))
        weights = np.stack([1 - (high := rng.random(n)), high])
        gain = sum(w[:, None] * gains(queues, r, 4) for w, r in zip(weights, rates, strict=True))
        worth = np.concatenate([np.zeros((n, 1)), gain.cumsum(1)], axis=1)
        best = max(
            worth[range(n), counts].sum()
            for counts in itertools.product(range(5), repeat=n)
            if sum(counts) <= 8
        )
        counts = greedy(queues, rates, (1.1, 0.0), 4, 2, weights)
        assert worth[range(n), counts].sum() == pytest.approx(best, abs=1e-12)


def test_with_one_mode_it_plays_like_the_genie():
    config = RBConfig(traffic="poisson", num_nodes=9)
    simulator = RBSimulator(config, 2)
    both = [
        run_policy(simulator, POLICIES[name](simulator.spec, 2), 50, 1)["reward"]
        for name in ("bayes", "genie")
    ]
    assert np.array_equal(*both)


def test_it_stands_between_expert_and_genie():
    for fields in ({}, {"num_nodes": 9}, {"mean_rate": (1, 1, 2, 2, 5, 5, 8, 8), "load": 0.9}):
        simulator = RBSimulator(RBConfig(**fields), 64)
        expert, bayes, genie = (
            run_policy(simulator, POLICIES[name](simulator.spec, 64), 500, 0)["reward"]
            for name in ("expert", "bayes", "genie")
        )
        for better, worse in ((bayes, expert), (genie, bayes)):
            ahead = better - worse
            assert ahead.mean() > 3 * ahead.std(ddof=1) / 8


@pytest.mark.parametrize(
    "fields", [{"traffic": "bernoulli"}, {"trace": [[1] * 8], "traffic": "trace"}]
)
def test_it_refuses_traffic_of_another_law(fields):
    simulator = RBSimulator(RBConfig(**fields))
    with pytest.raises(ValueError, match="policy 'bayes' needs traffic 'mmpp' or 'poisson', got"):
        POLICIES["bayes"](simulator.spec)
