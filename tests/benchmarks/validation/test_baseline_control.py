"""Data of the classic control tasks, and the comparison with d3rlpy on it."""

import functools
import importlib.util

import numpy as np
import pytest
import torch

from benchmarks.baselines.bc import BCConfig
from benchmarks.baselines.cql.method import CQLConfig
from benchmarks.baselines.iql import IQLConfig
from benchmarks.validation.beside_d3rlpy import train_ours
from benchmarks.validation.control_data import ControlTransitions, collect_control, score
from benchmarks.validation.d3rlpy_values import train_peer

torch.set_num_threads(1)
data_of = functools.cache(collect_control)


def test_cartpole_ends_by_failure_and_pendulum_is_only_cut_off():
    cartpole, pendulum = data_of("cartpole"), data_of("pendulum")
    assert cartpole.terminals.sum() == cartpole.ends.sum() == len(cartpole.returns)
    assert not pendulum.terminals.any()
    assert pendulum.ends.sum() == len(pendulum.returns) == len(pendulum.rewards) / 200
    for data in (cartpole, pendulum):
        np.testing.assert_allclose(data.observations.mean(0), 0, atol=1e-3)
        np.testing.assert_allclose(data.observations.std(0), 1, atol=1e-3)
        # The next observation is that of the next row, but where an episode ends.
        goes_on = ~data.ends[:-1]
        np.testing.assert_array_equal(
            data.next_observations[:-1][goes_on], data.observations[1:][goes_on]
        )


def test_batches_continue_but_where_the_task_ended():
    batch = ControlTransitions(data_of("cartpole"), 4000, 0)(1)
    share = float(data_of("cartpole").terminals.mean())
    assert float(1 - batch.continues.mean()) == pytest.approx(share, rel=0.3)
    assert bool((ControlTransitions(data_of("pendulum"), 4000, 0)(1).continues == 1).all())


def test_cloning_pendulum_beats_its_data_and_random_play_does_not():
    data = data_of("pendulum")
    rng = np.random.default_rng(0)
    random = score(data, lambda seen: rng.uniform(-1, 1, (len(seen), 1)), 6, 10_000)
    assert random < data.returns.mean() - 300
    cloned = score(data, train_ours(data, BCConfig(steps=800, batch_size=64)), 6, 10_000)
    assert cloned > random + 300


@pytest.mark.skipif(importlib.util.find_spec("d3rlpy") is not None, reason="d3rlpy is installed")
def test_without_d3rlpy_the_comparison_says_so():
    with pytest.raises(ImportError, match="d3rlpy is not installed: pip install d3rlpy"):
        train_peer(data_of("pendulum"), BCConfig(steps=1))


@pytest.mark.interop
@pytest.mark.parametrize(
    ("task", "config"),
    [("cartpole", BCConfig), ("cartpole", CQLConfig), ("pendulum", BCConfig),
     ("pendulum", CQLConfig), ("pendulum", IQLConfig)],
)  # fmt: skip
def test_d3rlpy_learns_from_the_same_data(task, config):
    pytest.importorskip("d3rlpy")
    data = data_of(task)
    options = config(steps=3, batch_size=8)
    seen = data.observations[:5]
    theirs, ours = train_peer(data, options)(seen), train_ours(data, options)(seen)
    assert theirs.shape == ours.shape
    assert np.abs(theirs).max() <= 1
