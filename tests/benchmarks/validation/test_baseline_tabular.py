"""CQL and IQL on a gridworld whose values are known exactly."""

import functools

import numpy as np
import pytest
import scipy.optimize
import torch

from benchmarks.baselines.bc import BCConfig, BCLearner
from benchmarks.baselines.cql.method import CQLConfig, cql_learner
from benchmarks.baselines.iql import IQLConfig, IQLLearner
from benchmarks.baselines.shared.transitions import TransitionBatch
from benchmarks.validation.fitting import OneBatch
from benchmarks.validation.gridworld import (
    CELLS,
    ENDS,
    GAMMA,
    NEXT,
    REWARD,
    SIDE,
    GridTransitions,
    best_and_worst,
    best_values,
    conservative_values,
    expectile_values,
    uneven_counts,
    weighted_choices,
)

torch.set_num_threads(1)

ALLOWED = best_and_worst()
COUNTS = ALLOWED.astype(int)


def trained(learner, updates):
    for step in range(updates):
        learner.update(learner.batch(step), step)
    return learner


def cql_values(alpha, updates=600):
    torch.manual_seed(0)
    config = CQLConfig(
        steps=updates, gamma=GAMMA, alpha=alpha, hidden_size=32, learning_rate=3e-3, target_every=20
    )
    learner = trained(cql_learner(GridTransitions(COUNTS), config), updates)
    with torch.no_grad():
        return learner.actor(torch.eye(SIDE**2)).numpy()[CELLS]


def test_cql_puts_unseen_actions_below_their_true_value_and_acts_within_the_data():
    true = best_values(np.ones_like(ALLOWED))[CELLS]
    unseen = ~ALLOWED[CELLS]
    q = cql_values(alpha=0.5)
    assert unseen.sum() == 30
    assert (q[unseen] < true[unseen]).all()
    # The reason is the conservative term: without it, some are above.
    assert (cql_values(alpha=0.0)[unseen] > true[unseen]).any()
    assert not np.take_along_axis(unseen, q.argmax(1)[:, None], 1).any()


@functools.cache
def iql_learner(expectile, updates=900):
    torch.manual_seed(0)
    config = IQLConfig(
        steps=updates,
        gamma=GAMMA,
        expectile=expectile,
        hidden_size=32,
        learning_rate=3e-3,
        tau=0.05,
    )
    return trained(IQLLearner(GridTransitions(COUNTS), config), updates)


def test_iql_value_nears_the_best_action_of_the_data_as_the_expectile_grows():
    greatest = np.where(ALLOWED, best_values(ALLOWED), -np.inf).max(1)[CELLS]
    below = []
    for expectile in (0.5, 0.8, 0.97):
        learner = iql_learner(expectile)
        with torch.no_grad():
            value = learner.value(torch.eye(SIDE**2))[:, 0].numpy()[CELLS]
        np.testing.assert_allclose(value, expectile_values(COUNTS, expectile)[CELLS], atol=0.01)
        below.append((greatest - value).mean())
    assert below[0] > 2 * below[1] > 4 * below[2]


def test_iql_policy_takes_the_best_action_of_the_data():
    learner = iql_learner(0.8)
    q = np.where(ALLOWED, best_values(ALLOWED), -np.inf)[CELLS]
    with torch.no_grad():
        chosen = learner.actor.best(torch.eye(SIDE**2)).numpy()[CELLS]
    np.testing.assert_allclose(np.take_along_axis(q, chosen[:, None], 1)[:, 0], q.max(1), atol=1e-9)


def test_conservative_values_are_where_the_loss_is_least():
    counts = uneven_counts()
    assert (np.sort(counts, 1) == [1, 2, 3, 4]).all()
    for alpha in (0.3, 1.0):
        q = conservative_values(counts, alpha)
        wanted = REWARD + GAMMA * np.where(ENDS, 0.0, q.max(1)[NEXT])

        def loss(values, cell, wanted=wanted, alpha=alpha):
            share = counts[cell] / counts[cell].sum()
            error = np.abs(values - wanted[cell])
            huber = np.where(error < 1, 0.5 * error**2, error - 0.5)
            gap = np.log(np.exp(values).sum()) - share @ values
            return share @ huber + alpha * gap

        for cell in (0, 5, 14):
            least = scipy.optimize.minimize(loss, np.zeros(4), (cell,), tol=1e-10)
            np.testing.assert_allclose(q[cell], least.x, atol=1e-4)


def test_learners_reach_the_fixed_points_of_uneven_data():
    counts, codes = uneven_counts(), torch.eye(SIDE**2)
    source, small = GridTransitions(counts), {"hidden_size": 32, "learning_rate": 3e-3}
    torch.manual_seed(0)
    bc = trained(BCLearner(source, BCConfig(**small)), 300)
    cql = trained(cql_learner(source, CQLConfig(gamma=GAMMA, target_every=5, **small)), 600)
    options = {"gamma": GAMMA, "expectile": 0.7, "tau": 0.05, **small}
    iql = trained(IQLLearner(source, IQLConfig(steps=900, **options)), 900)
    value = expectile_values(counts, 0.7)
    with torch.no_grad():
        cloned, chosen = (m.actor(codes).softmax(-1).numpy()[CELLS] for m in (bc, iql))
        conservative = cql.actor(codes).numpy()[CELLS]
    np.testing.assert_allclose(cloned, counts[CELLS] / 10, atol=0.005)
    np.testing.assert_allclose(conservative, conservative_values(counts, 1.0)[CELLS], atol=0.01)
    wanted = weighted_choices(counts, value, 3.0, 100.0)[CELLS]
    np.testing.assert_allclose(chosen, wanted, atol=0.005)
    # That is another policy than the cloned one.
    assert np.abs(wanted - counts[CELLS] / 10).max() > 0.5


@pytest.mark.parametrize("continues", [0.0, 1.0])
def test_only_an_end_of_the_task_stops_the_value_of_what_follows(continues):
    """One state that follows itself, reward 1: Q is 1 where it ends, 1 / (1 - gamma) else."""

    ones, actions = torch.ones(8, 1), torch.zeros(8, dtype=torch.int64)
    batch = TransitionBatch(ones, actions, ones[:, 0], ones, torch.full((8,), continues))
    loop = OneBatch(GridTransitions(COUNTS).codec, batch)
    config = {"gamma": 0.5, "hidden_size": 16, "learning_rate": 5e-3}
    torch.manual_seed(0)
    cql = trained(cql_learner(loop, CQLConfig(alpha=0.0, target_every=10, **config)), 400)
    iql = trained(IQLLearner(loop, IQLConfig(tau=0.1, **config)), 400)
    expected = 2.0 if continues else 1.0
    with torch.no_grad():
        assert float(cql.actor(torch.ones(1, 1))[0, 0]) == pytest.approx(expected, abs=0.02)
        assert float(iql.critics(torch.ones(1, 1))[0, 0, 0]) == pytest.approx(expected, abs=0.02)
