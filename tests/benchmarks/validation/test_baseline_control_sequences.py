"""Control data as sequences: windows, falling returns, players that remember."""

import functools

import numpy as np
import pytest
import torch

from benchmarks.baselines.dt.method import DTConfig
from benchmarks.validation.control_data import Remembering, collect_control, score
from benchmarks.validation.control_sequences import (
    ControlDTLearner,
    ControlWindows,
    DTPlayer,
    best_return,
    returns_to_go,
)
from benchmarks.validation.d3rlpy_dt import train_peer_dt

torch.set_num_threads(1)
data_of = functools.cache(collect_control)
TINY = DTConfig(
    steps=40, batch_size=16, hidden_size=16, layers=2, context=4, learning_rate=3e-3, dropout=0.0
)


@pytest.mark.parametrize("task", ["cartpole", "pendulum"])
def test_first_returns_to_go_are_the_episodes_returns(task):
    data = data_of(task)
    scale = {"cartpole": 1.0, "pendulum": 0.1}[task]
    first = np.append(0, np.flatnonzero(data.ends)[:-1] + 1)
    returns = returns_to_go(data.rewards, data.ends)
    np.testing.assert_allclose(returns[first], scale * data.returns, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(returns[data.ends], data.rewards[data.ends], atol=1e-3)
    assert best_return(data) == pytest.approx(scale * data.returns.max())


def test_windows_stay_within_their_episode():
    data = data_of("cartpole")
    batch = ControlWindows(data, 6, 2.0).draw(400, np.random.default_rng(0))
    episode = np.cumsum(np.append(0, data.ends[:-1]))
    row_of = {seen.tobytes(): row for row, seen in enumerate(data.observations)}
    short = 0
    for k in range(400):
        count = int(batch.real[k].sum())
        assert not batch.real[k, count:].any()
        rows = [row_of[batch.inputs[k, t].numpy().tobytes()] for t in range(count)]
        assert rows == list(range(rows[0], rows[0] + count))
        assert len(set(episode[rows])) == 1
        if count < 6:
            short += 1
            assert rows[0] == 0 or data.ends[rows[0] - 1]
        np.testing.assert_array_equal(batch.actions[k, :count], data.actions[rows])
        left = [data.rewards[r:][: np.argmax(data.ends[r:]) + 1].sum() / 2 for r in rows]
        np.testing.assert_allclose(batch.returns[k, :count], left, rtol=1e-5)
    assert short > 20


@pytest.mark.parametrize("task", ["cartpole", "pendulum"])
def test_our_update_learns_from_them(task):
    learner = ControlDTLearner(data_of(task), TINY, 20.0)
    losses = [
        float(learner.update(learner.batch(step), step)["loss"].detach()) for step in range(40)
    ]
    assert np.mean(losses[-10:]) < np.mean(losses[:10])


def test_player_asks_for_less_by_every_reward_and_sees_its_past():
    data = data_of("pendulum")
    torch.manual_seed(0)
    learner = ControlDTLearner(data, TINY, 20.0)
    player = DTPlayer(learner.network, -3.0, 20.0)
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(3, 2, 3)).astype(np.float32)
    rewards = rng.normal(size=(3, 2))
    taken = []
    for t in range(3):
        taken.append(player(seen[t]))
        player.told(rewards[t], np.ones(2, bool))
    left = (-3.0 - np.vstack([np.zeros(2), rewards.cumsum(0)[:2]])) / 20.0
    with torch.no_grad():
        whole = learner.network(
            torch.from_numpy(left.T.astype(np.float32)),
            torch.from_numpy(seen).transpose(0, 1),
            torch.from_numpy(np.stack(taken, 1)),
        )
    np.testing.assert_allclose(np.stack(taken, 1), whole.numpy(), rtol=1e-4, atol=1e-6)


def test_scores_tell_rewards_as_they_are_learnt_from():
    data = data_of("pendulum")

    class Still:
        heard = 0.0

        def __call__(self, observations):
            return np.zeros((len(observations), 1))

        def told(self, rewards, alive):
            self.heard = self.heard + rewards

    act = Still()
    assert isinstance(act, Remembering)
    total = score(data, act, 3, 10_000)
    assert 0.1 * total == pytest.approx(np.mean(act.heard))


@pytest.mark.interop
@pytest.mark.parametrize("task", ["cartpole", "pendulum"])
def test_the_decision_transformer_of_d3rlpy_plays_the_same_task(task):
    pytest.importorskip("d3rlpy")
    data = data_of(task)
    player = train_peer_dt(data, TINY, best_return(data), 20.0)
    assert np.abs(player(data.observations[:5])).max() <= 1
    total = score(data, train_peer_dt(data, TINY, best_return(data), 20.0), 2, 10_000)
    assert np.isfinite(total)
