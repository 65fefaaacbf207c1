"""Running statistics against numpy."""

import numpy as np
import pytest
import torch

from benchmarks.baselines.dima.state_normaliser import StateNormaliser


def test_statistics_of_batches_are_those_of_all_data():
    rng = np.random.default_rng(0)
    data = rng.normal(1e6, [0.5, 3.0, 20.0], (1000, 3))
    normaliser = StateNormaliser(3, 1e3)
    for part in np.split(data, [1, 17, 18, 400]):
        normaliser.update(torch.from_numpy(part))
    np.testing.assert_allclose(normaliser.mean.numpy(), data.mean(0), rtol=1e-12)
    np.testing.assert_allclose(normaliser.deviation.numpy(), data.std(0), rtol=1e-6)
    scaled = (data - data.mean(0)) / np.sqrt(data.var(0) + 1e-8)
    np.testing.assert_allclose(normaliser(torch.from_numpy(data)), scaled, rtol=1e-4, atol=1e-4)


def test_inverse_undoes_and_shapes_are_kept():
    normaliser = StateNormaliser(4, 10.0)
    data = 5 + 3 * torch.randn(2, 50, 4)
    normaliser.update(data)
    torch.testing.assert_close(normaliser.inverse(normaliser(data)), data)


def test_before_any_data_nothing_changes():
    data = torch.randn(7, 2)
    normaliser = StateNormaliser(2, 10.0)
    torch.testing.assert_close(normaliser(data), data)
    normaliser.update(data[:0])
    torch.testing.assert_close(normaliser.inverse(data), data)


def test_constant_entries_are_zero_and_the_limit_holds():
    normaliser = StateNormaliser(1, 10.0)
    normaliser.update(torch.full((20, 1), 4.0))
    assert normaliser(torch.tensor([[4.0], [5.0], [-9.0]])).flatten().tolist() == [0, 10, -10]
    assert normaliser.inverse(torch.zeros(1, 1)).item() == 4


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        StateNormaliser(1, 10.0).update(torch.tensor([[float("nan")]]))
