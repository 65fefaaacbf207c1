"""Keyed random numbers: what they depend on, how they are distributed, and that devices agree."""

import itertools
import math

import pytest
import torch

from networld_agent.keyed_random import (
    _halves,
    _halves_by_torch,
    _hashed_by_torch,
    hashed,
    integers,
    normals,
    signed,
    uniforms,
)

ZERO = torch.zeros(1, dtype=torch.int64)


def splitmix(state: int) -> int:
    """SplitMix64 as published, in Python's own integers."""
    state = (state + 0x9E3779B97F4A7C15) % 2**64
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return z ^ (z >> 31)


@pytest.mark.parametrize("part", [0, 1, -1, 2**40 + 3, 2**63 - 1])
def test_a_key_is_splitmix_of_its_parts(part):
    state = ((part % 2**64) * 0x9E3779B97F4A7C15) % 2**64
    assert hashed(ZERO, part).item() % 2**64 == splitmix(state)


def test_the_order_of_parts_matters_and_integers_count_as_tensors():
    one, two = torch.tensor([5]), torch.tensor([9])
    assert hashed(ZERO, one, two) == hashed(hashed(ZERO, 5), 9) != hashed(ZERO, two, one)


@pytest.mark.parametrize("number", [0, 7, 2**63 - 1, 2**63, 2**64 - 1, 2**64 + 7, 10**30])
def test_integers_of_any_size_have_their_lowest_bits(number):
    assert -(2**63) <= signed(number) < 2**63
    assert (signed(number) - number) % 2**64 == 0


def test_integers_and_uniforms_fill_their_ranges_evenly():
    keys = hashed(ZERO, torch.arange(70_000))
    seen = torch.bincount(integers(keys, 7), minlength=7)
    assert len(seen) == 7
    # 10,000 each, standard deviation 93.
    assert (seen - 10_000).abs().max() < 400
    numbers = uniforms(keys)
    assert numbers.dtype == torch.float64
    assert 0 <= numbers.min() < 1e-3
    assert 1 - 1e-3 < numbers.max() < 1
    assert numbers.mean().item() == pytest.approx(0.5, abs=0.005)


def test_bounds_may_differ_from_key_to_key():
    keys, bounds = hashed(ZERO, torch.arange(1000)), torch.arange(1, 1001)
    found = integers(keys, bounds)
    assert (found >= 0).all()
    assert (found < bounds).all()
    assert found[0] == 0


def test_normals_are_standard_normal_and_independent():
    x = normals(hashed(ZERO, torch.arange(2000)), (64,)).double()
    assert x.mean().item() == pytest.approx(0, abs=0.01)
    assert x.std().item() == pytest.approx(1, abs=0.01)
    assert (x**4).mean().item() == pytest.approx(3, abs=0.06)
    covariance = (x.T @ x) / len(x) - torch.eye(64)
    # Standard error 1 / sqrt(2000) off the diagonal: five of them.
    assert covariance.abs().max() < 0.12
    assert x.isfinite().all()


def test_a_draw_of_normals_depends_on_its_key_alone():
    keys = torch.tensor([[3, -8, 2**50], [0, 1, 3]])
    whole = normals(keys, (5, 3))
    assert whole.shape == (2, 3, 5, 3)
    for index in itertools.product(range(2), range(3)):
        assert torch.equal(normals(keys[index], (5, 3)), whole[index])
    assert torch.equal(whole[0, 0], whole[1, 2])
    assert not torch.equal(whole[0, 0], whole[0, 1])


def test_the_hash_of_the_cpu_gives_the_keys_of_other_devices():
    keys, parts = hashed(ZERO, torch.arange(-50, 50))[:, None], torch.tensor([0, -1, 2**62])
    assert torch.equal(hashed(keys, parts, 7, -3), _hashed_by_torch(keys, (parts, 7, -3)))


def test_the_kernel_of_the_cpu_gives_the_bits_of_other_devices():
    base = hashed(ZERO, torch.arange(200))
    for found, expected in zip(_halves(base, 33), _halves_by_torch(base, 33), strict=True):
        assert torch.equal(found, expected)
    uniform, angle = _halves(base, 33)
    assert uniform.min() > 0
    assert uniform.max() < 1
    assert angle.max() < 2 * math.pi
