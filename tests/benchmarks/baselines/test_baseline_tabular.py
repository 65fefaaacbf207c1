"""CQL and IQL on a gridworld whose values are known exactly."""

import functools

import numpy as np
import pytest
import torch

from benchmarks.baselines.action_codec import ActionCodec
from benchmarks.baselines.cql import CQLConfig, cql_learner
from benchmarks.baselines.iql import IQLConfig, IQLLearner
from benchmarks.baselines.transitions import TransitionBatch
from networld_agent.model.task_spec import ActionSpec

torch.set_num_threads(1)

SIDE, GOAL, ACTIONS, GAMMA = 4, 15, 4, 0.9
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))


def step_table():
    """Next cell `(16, 4)`, reward `(16, 4)`, and whether it ends there, of a 4 x 4 grid.

    Walls stop; every move costs 0.1; reaching the goal pays 1 and ends the episode.
    """
    cells = np.arange(SIDE**2)
    following = np.zeros((len(cells), ACTIONS), int)
    for a, (down, right) in enumerate(MOVES):
        row = np.clip(cells // SIDE + down, 0, SIDE - 1)
        column = np.clip(cells % SIDE + right, 0, SIDE - 1)
        following[:, a] = row * SIDE + column
    ends = following == GOAL
    return following, np.where(ends, 1.0, -0.1), ends


NEXT, REWARD, ENDS = step_table()


def best_values(allowed):
    """Q* `(16, 4)` where the next action must be an allowed one, by value iteration."""
    q = np.zeros((SIDE**2, ACTIONS))
    for _ in range(200):
        value = np.where(allowed, q, -np.inf).max(1)
        q = REWARD + GAMMA * np.where(ENDS, 0.0, value[NEXT])
    return q


def in_data():
    """Two actions per cell are in the data: the best and the worst."""
    q, allowed = best_values(np.ones((SIDE**2, ACTIONS), bool)), np.zeros((SIDE**2, ACTIONS), bool)
    order = q.argsort(1)
    rows = np.arange(SIDE**2)
    allowed[rows, order[:, -1]] = True
    allowed[rows, order[:, 0]] = True
    return allowed


ALLOWED = in_data()
#: Cells that an episode is ever in.
CELLS = np.delete(np.arange(SIDE**2), GOAL)


class GridTransitions:
    """Every transition that is in the data, once per batch; cells as one-hot codes."""

    input_size = SIDE**2

    def __init__(self):
        self.codec = ActionCodec(ActionSpec("discrete", sizes=(ACTIONS,)))
        allowed = ALLOWED.copy()
        allowed[GOAL] = False
        cell, action = np.nonzero(allowed)
        code = torch.eye(SIDE**2)
        self.batch = TransitionBatch(
            code[cell],
            torch.from_numpy(action),
            torch.from_numpy(REWARD[cell, action]).float(),
            code[NEXT[cell, action]],
            torch.from_numpy(~ENDS[cell, action]).float(),
        )

    def __call__(self, step):
        return self.batch


def trained(learner, updates):
    for step in range(updates):
        learner.update(learner.batch(step), step)
    return learner


def cql_values(alpha, updates=600):
    torch.manual_seed(0)
    config = CQLConfig(
        steps=updates, gamma=GAMMA, alpha=alpha, hidden_size=32, learning_rate=3e-3, target_every=20
    )
    learner = trained(cql_learner(GridTransitions(), config), updates)
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
    return trained(IQLLearner(GridTransitions(), config), updates)


def expectile_values(expectile):
    """Exact fixed point `(16,)` of IQL: V is the expectile of r + gamma V' over the data."""
    value = np.zeros(SIDE**2)
    for _ in range(300):
        q = REWARD + GAMMA * np.where(ENDS, 0.0, value[NEXT])
        share = np.where(q > value[:, None], expectile, 1 - expectile) * ALLOWED
        value = (share * q).sum(1) / share.sum(1)
    return value


def test_iql_value_nears_the_best_action_of_the_data_as_the_expectile_grows():
    greatest = np.where(ALLOWED, best_values(ALLOWED), -np.inf).max(1)[CELLS]
    below = []
    for expectile in (0.5, 0.8, 0.97):
        learner = iql_learner(expectile)
        with torch.no_grad():
            value = learner.value(torch.eye(SIDE**2))[:, 0].numpy()[CELLS]
        np.testing.assert_allclose(value, expectile_values(expectile)[CELLS], atol=0.01)
        below.append((greatest - value).mean())
    assert below[0] > 2 * below[1] > 4 * below[2]


def test_iql_policy_takes_the_best_action_of_the_data():
    learner = iql_learner(0.8)
    q = np.where(ALLOWED, best_values(ALLOWED), -np.inf)[CELLS]
    with torch.no_grad():
        chosen = learner.actor.best(torch.eye(SIDE**2)).numpy()[CELLS]
    np.testing.assert_allclose(np.take_along_axis(q, chosen[:, None], 1)[:, 0], q.max(1), atol=1e-9)


@pytest.mark.parametrize("continues", [0.0, 1.0])
def test_only_an_end_of_the_task_stops_the_value_of_what_follows(continues):
    """One state that follows itself, reward 1: Q is 1 where it ends, 1 / (1 - gamma) else."""

    class Loop(GridTransitions):
        input_size = 1

        def __call__(self, step):
            ones = torch.ones(8, 1)
            actions = torch.zeros(8, dtype=torch.int64)
            return TransitionBatch(ones, actions, ones[:, 0], ones, torch.full((8,), continues))

    config = {"gamma": 0.5, "hidden_size": 16, "learning_rate": 5e-3}
    torch.manual_seed(0)
    cql = trained(cql_learner(Loop(), CQLConfig(alpha=0.0, target_every=10, **config)), 400)
    iql = trained(IQLLearner(Loop(), IQLConfig(tau=0.1, **config)), 400)
    expected = 2.0 if continues else 1.0
    with torch.no_grad():
        assert float(cql.actor(torch.ones(1, 1))[0, 0]) == pytest.approx(expected, abs=0.02)
        assert float(iql.critics(torch.ones(1, 1))[0, 0, 0]) == pytest.approx(expected, abs=0.02)
