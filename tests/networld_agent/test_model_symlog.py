"""symlog, symexp and two-hot codes: inverses, gradients, extremes."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from networld_agent.model.symlog import TwoHot, symexp, symlog

magnitudes = st.floats(-30, 30).map(lambda power: 10.0**power)
numbers = st.builds(lambda m, s: s * m, magnitudes, st.sampled_from([-1.0, 1.0])) | st.just(0.0)


@given(numbers)
def test_symexp_inverts_symlog_from_1e_minus_30_to_1e30(x):
    x = torch.tensor(x, dtype=torch.float64)
    torch.testing.assert_close(symexp(symlog(x)), x, rtol=1e-12, atol=0)


@given(numbers)
def test_symlog_in_single_precision_equals_its_definition(x):
    expected = math.copysign(math.log1p(abs(x)), x)
    assert symlog(torch.tensor(x)).item() == pytest.approx(expected, rel=1e-6, abs=1e-38)


@given(numbers)
def test_symlog_and_symexp_are_odd(x):
    x = torch.tensor(x)
    assert symlog(-x) == -symlog(x)
    y = symlog(x)
    assert symexp(-y) == -symexp(y)


@given(numbers)
def test_gradient_of_symlog_is_one_over_one_plus_magnitude(x):
    point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    symlog(point).backward()
    assert point.grad.item() == pytest.approx(1 / (1 + abs(x)), rel=1e-12)


@given(st.floats(-69, 69))
def test_gradient_of_symexp_is_exp_of_magnitude(y):
    point = torch.tensor(y, dtype=torch.float64, requires_grad=True)
    symexp(point).backward()
    assert point.grad.item() == pytest.approx(math.exp(abs(y)), rel=1e-12)


def test_bin_centres_are_symmetric_around_an_exact_zero():
    centers = TwoHot(20.0, 255).centers
    assert centers[127] == 0
    assert torch.equal(centers, -centers.flip(0))
    assert (centers.diff() > 0).all()


@given(st.floats(-1, 1), st.sampled_from([3, 21, 127]), st.sampled_from([0.5, 2.4, 8.0, 20.0]))
def test_mean_of_a_two_hot_code_is_the_number(share, num_bins, limit):
    bins = TwoHot(limit, num_bins)
    x = share * bins.centers[-1]
    code = bins.encode(x)
    assert code.sum().item() == pytest.approx(1, abs=1e-6)
    assert (code > 0).sum() <= 2
    assert bins.mean(code).item() == pytest.approx(x.item(), rel=2e-5, abs=1e-5)


@given(numbers)
def test_numbers_beyond_the_bins_count_as_the_last_bin(x):
    bins = TwoHot(2.0, 5)
    mean = bins.mean(bins.encode(torch.tensor(x))).item()
    assert mean == pytest.approx(max(-math.expm1(2), min(x, math.expm1(2))), rel=1e-6, abs=1e-6)


def test_uniform_distribution_has_mean_exactly_zero_even_on_huge_bins():
    bins = TwoHot(20.0, 255)
    assert bins.decode(torch.zeros(255)) == 0


@given(st.floats(-6, 6))
def test_cross_entropy_equals_the_dense_sum(x):
    bins = TwoHot(2.0, 7)
    logits = torch.linspace(-1, 2, 7)
    dense = -(bins.encode(torch.tensor(x)) * logits.log_softmax(-1)).sum()
    assert bins.cross_entropy(logits, torch.tensor(x)).item() == pytest.approx(dense.item(), 1e-5)


def test_cross_entropy_is_least_at_the_codes_own_distribution():
    bins = TwoHot(2.0, 7)
    logits = torch.zeros(7, requires_grad=True)
    for _ in range(400):
        (slope,) = torch.autograd.grad(bins.cross_entropy(logits, torch.tensor(1.3)), logits)
        logits = (logits - slope).detach().requires_grad_()
    assert bins.decode(logits).item() == pytest.approx(1.3, abs=0.02)


def test_one_hot_codes_sit_on_the_nearest_bin():
    bins = TwoHot(2.0, 5, smooth=False)
    third, fourth = bins.centers[3].item(), bins.centers[4].item()
    assert bins.encode(torch.tensor(third + 0.1)).tolist() == [0, 0, 0, 1, 0]
    assert bins.encode(torch.tensor(0.45 * third + 0.55 * fourth)).tolist() == [0, 0, 0, 0, 1]


def test_mode_follows_the_higher_of_two_peaks():
    bins = TwoHot(2.0, 21)
    mixture = 0.6 * bins.encode(torch.tensor(3.0)) + 0.4 * bins.encode(torch.tensor(-4.0))
    logits = torch.log(mixture + 1e-9)
    assert bins.mode(logits).item() == pytest.approx(3.0, abs=1e-4)
    assert bins.decode(logits).item() == pytest.approx(0.2, abs=1e-4)


@pytest.mark.parametrize(("limit", "num_bins"), [(1.0, 4), (1.0, 1), (0.0, 5), (90.0, 5)])
def test_bins_that_cannot_be_are_refused(limit, num_bins):
    with pytest.raises(ValueError, match="must be"):
        TwoHot(limit, num_bins)
