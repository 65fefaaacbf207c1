"""Arrivals have the laws they claim, and queues the waits that theory gives exactly."""

import numpy as np
import pytest
from rb_oracle import backlog_by_recursion, backlog_by_spitzer
from scipy.stats import binom, chisquare, poisson

from wirelessenvs.policy import Information
from wirelessenvs.rb import POLICIES, RBConfig, RBSimulator
from wirelessenvs.rb.traffic import arrival_table, success_table
from wirelessenvs.rollout import run_policy


def arrivals_and_modes(config, num_envs, steps, seed=0):
    simulator = RBSimulator(config, num_envs)
    simulator.reset(seed)
    idle = np.zeros((num_envs, config.num_nodes), np.int64)
    counts, modes = [], []
    for _ in range(steps):
        modes.append(simulator.modes)
        counts.append(simulator.step(idle).metrics["generated"])
    return np.array(counts), np.array(modes)


def test_arrival_tables_are_the_distribution_functions():
    config = RBConfig(mean_rate=[0, 0.1, 1, 2, 4, 20, 100, 300])
    table = arrival_table(config)
    counts = np.arange(table.shape[2])
    exact = poisson.cdf(counts, config.mode_rates[..., None])
    assert np.allclose(table, exact, atol=1e-13)
    assert (table[..., -1] == 1).all()
    assert (np.diff(table, axis=2) >= 0).all()
    slots = arrival_table(RBConfig(traffic="bernoulli", mean_rate=[0, 1, 2, 3, 4, 5, 6, 10]))
    assert np.allclose(slots[0, 3], binom.cdf(np.arange(11), 10, 0.3), atol=1e-14)
    assert slots[0, 7, :-1].max() == 0


def test_success_tables_are_binomial():
    table = success_table(RBConfig(num_nodes=2, erasure_probability=[0.0, 0.25]))
    for sent in range(11):
        assert np.allclose(table[1, sent], binom.cdf(np.arange(11), sent, 0.75), atol=1e-14)
        assert np.array_equal(table[0, sent], np.arange(11) >= sent)


@pytest.mark.parametrize("traffic", ["mmpp", "poisson", "bernoulli"])
def test_means_and_variances_of_arrivals(traffic):
    config = RBConfig(traffic=traffic)
    counts, modes = arrivals_and_modes(config, 64, 400)
    # Var of MMPP: 4 within a mode on average, 4 between the rates 2 and 6.
    variance = {"mmpp": 8.0, "poisson": 4.0, "bernoulli": 2.4}[traffic]
    # Modes are correlated over time (0.6 per frame): 4 times as many frames as independent ones.
    spread = np.sqrt(4 * variance / counts.size)
    assert counts.mean() == pytest.approx(4.0, abs=5 * spread)
    assert counts.var() == pytest.approx(variance, rel=0.03)
    if traffic == "mmpp":
        for mode, rate in ((0, 2.0), (1, 6.0)):
            drawn = counts[modes == mode]
            assert drawn.mean() == pytest.approx(rate, abs=5 * np.sqrt(rate / drawn.size))
            assert drawn.var() == pytest.approx(rate, rel=0.03)
    else:
        assert not modes.any()


def test_modes_start_in_their_steady_state_and_switch_as_often_as_told():
    config = RBConfig(num_nodes=40, mean_rate=0.9, switch_probability=0.2)
    _, modes = arrivals_and_modes(config, 64, 200)
    assert modes[0].mean() == pytest.approx(0.5, abs=0.05)
    switches = (modes[1:] != modes[:-1]).mean()
    assert switches == pytest.approx(0.2, abs=5 * np.sqrt(0.16 / modes[1:].size))
    centred = modes - 0.5
    for lag in (1, 2, 3, 5):
        correlation = (centred[lag:] * centred[:-lag]).mean() / 0.25
        assert correlation == pytest.approx(0.6**lag, abs=0.01)


def test_a_trace_is_replayed_in_order_and_starts_anywhere():
    trace = np.random.default_rng(0).integers(0, 9, (100, 8))
    config = RBConfig(traffic="trace", trace=trace)
    counts, _ = arrivals_and_modes(config, 16, 250)
    starts = [int(np.flatnonzero((trace == counts[0, env]).all(1))[0]) for env in range(16)]
    assert len(set(starts)) > 8
    for env, start in enumerate(starts):
        assert np.array_equal(counts[:, env], trace[(start + np.arange(250)) % 100])


@pytest.mark.long
@pytest.mark.parametrize("traffic", ["mmpp", "poisson", "bernoulli"])
def test_arrivals_pass_a_chi_square_test(traffic):
    config = RBConfig(traffic=traffic, mean_rate=[0.15, 0.5, 1, 2, 4, 5, 7, 9])
    counts, modes = arrivals_and_modes(config, 256, 2000, seed=5)
    table = arrival_table(config)
    worst = 1.0
    for mode in range(config.mode_rates.shape[0]):
        for node in range(8):
            drawn = counts[..., node][modes[..., node] == mode].astype(int)
            mass = np.diff(table[mode, node], prepend=0.0)
            expected = mass * drawn.size
            observed = np.bincount(drawn, minlength=mass.size).astype(float)
            last = int(np.flatnonzero(expected >= 10)[-1])
            observed[last], expected[last] = observed[last:].sum(), expected[last:].sum()
            test = chisquare(
                observed[: last + 1], expected[: last + 1] * drawn.size / expected[: last + 1].sum()
            )
            worst = min(worst, test.pvalue)
    # Up to 16 tests: the smallest p-value is below 1e-4 once in 600 correct programs.
    assert worst > 1e-4


# ------------------------------------------------------------- exact waits


@pytest.mark.parametrize(
    ("nodes", "servers", "backlog"),
    [(8, 40, 0.009072 * 32), (9, 40, 0.055285 * 36), (1, 5, 1.156240)],
)
def test_two_closed_forms_agree_with_the_known_waits(nodes, servers, backlog):
    rate = 4.0 * nodes
    exact = backlog_by_recursion(rate, servers)
    assert backlog_by_spitzer(rate, servers) == pytest.approx(exact, rel=1e-9)
    assert exact / rate == pytest.approx(backlog / rate, abs=6e-7)


def test_known_waits_to_six_decimals():
    assert backlog_by_recursion(32, 40) / 32 == pytest.approx(0.009072, abs=5e-7)
    assert backlog_by_recursion(36, 40) / 36 == pytest.approx(0.055285, abs=5e-7)
    assert backlog_by_recursion(4, 5) == pytest.approx(1.156240, abs=5e-7)
    assert backlog_by_recursion(4, 5) / 4 == pytest.approx(0.289060, abs=5e-7)


def check_static_wait(num_envs, steps):
    config = RBConfig(traffic="poisson", queue_capacity=200, max_steps=steps)
    simulator = RBSimulator(config, num_envs)
    result = run_policy(simulator, POLICIES["round-robin"](simulator.spec, num_envs), steps)
    assert not result["dropped"].any()
    error = result["waited"].std(ddof=1) / np.sqrt(num_envs)
    # Starting empty costs about the relaxation time of the queue, some 30 frames of its mean.
    bias = 1.156240 * 30 / steps
    assert result["waited"].mean() == pytest.approx(1.156240, abs=4 * error + bias)
    assert error < 0.02


def test_static_five_blocks_wait_as_theory_says():
    check_static_wait(64, 2000)


@pytest.mark.long
def test_static_five_blocks_wait_as_theory_says_precisely():
    check_static_wait(512, 20_000)


def pooled_and_played(nodes, num_envs, steps):
    """Mean backlog of one pooled queue and under the clairvoyant policy, same arrivals."""
    config = RBConfig(num_nodes=nodes, traffic="poisson", queue_capacity=1000, max_steps=steps)
    simulator = RBSimulator(config, num_envs)
    policy = POLICIES["clairvoyant"](simulator.spec, num_envs)
    observations = simulator.reset(0)
    pooled = np.zeros(num_envs)
    totals = np.zeros((2, num_envs))
    for _ in range(steps):
        actions = policy(observations, simulator.privileged(Information.CLAIRVOYANT))
        step = simulator.step(actions)
        observations = step.observations
        pooled = np.maximum(pooled + step.metrics["generated"].sum(1) - 40, 0)
        queued = step.metrics["waited"].sum(1)
        assert (queued >= pooled).all()
        totals += pooled, queued
    return totals / steps


@pytest.mark.parametrize(("nodes", "wait"), [(8, 0.009072), (9, 0.055285)])
def test_no_policy_waits_less_than_the_pooled_queue(nodes, wait):
    pooled, played = pooled_and_played(nodes, 128, 1000)
    error = pooled.std(ddof=1) / np.sqrt(128)
    assert pooled.mean() == pytest.approx(wait * 4 * nodes, abs=4 * error + 0.01)
    # One radio per node costs the clairvoyant policy a little, but not much.
    assert pooled.mean() < played.mean() < 1.6 * pooled.mean()


@pytest.mark.long
@pytest.mark.parametrize(("nodes", "wait"), [(8, 0.009072), (9, 0.055285)])
def test_pooled_bound_precisely(nodes, wait):
    pooled, _ = pooled_and_played(nodes, 512, 5000)
    error = pooled.std(ddof=1) / np.sqrt(512)
    assert pooled.mean() == pytest.approx(wait * 4 * nodes, abs=4 * error)
