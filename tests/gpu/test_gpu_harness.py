"""The comparison itself: what must fail fails, and what it adds changes nothing."""

import pytest
import torch
from model_cases import batch_for, random_model
from other_rounding import OtherRounding
from parity import CPU, HostNoise, Other, assert_close, assert_parity, on_side, watched_generator
from torch import nn


def losses(device, change=lambda model: None):
    model = random_model(device)
    change(model)
    with torch.no_grad():
        return model.loss(batch_for(model, device))


def shifted(model):
    with torch.no_grad():
        model.unet.out.weight[0, 0] += 1e-2


@pytest.mark.parametrize("relative", [0.0, 1e-5])
def test_a_weight_that_differs_by_a_hundredth_is_found(relative):
    here = on_side(losses, Other("cpu"))
    there = on_side(lambda device: losses(device, shifted), Other("cpu"))
    with pytest.raises(AssertionError, match=r"loss|diffusion"):
        assert_close(here, there, relative)


def test_work_that_leaves_something_behind_is_found():
    calls = []

    def work(device):
        calls.append(1)
        return torch.full((3,), float(len(calls)), device=device)

    with pytest.raises(AssertionError, match="differs"):
        assert_parity(work, Other("cpu"))


@pytest.mark.parametrize(("there", "sentence"), [
    ({"a": torch.zeros(3)}, "b"),
    ({"a": torch.zeros(3), "b": torch.zeros(2)}, r"\(3,\), \(2,\)"),
    ({"a": torch.zeros(3), "b": torch.zeros(3).double()}, "float64"),
    ({"a": torch.zeros(3), "b": torch.tensor([0.0, 0.0, float("nan")])}, "not finite"),
    ({"a": torch.zeros(3), "b": torch.tensor([0.0, 0.0, 1e-3])}, "1 of 2 differ"),
])  # fmt: skip
def test_other_names_shapes_types_and_numbers_are_found(there, sentence):
    here = {"a": torch.zeros(3), "b": torch.zeros(3)}
    with pytest.raises(AssertionError, match=sentence):
        assert_close(here, there, 1e-4)


def test_whole_numbers_must_be_equal():
    with pytest.raises(AssertionError, match="differs"):
        assert_close({"a": torch.tensor([10**9])}, {"a": torch.tensor([10**9 + 1])}, 0.1)


def test_lengths_of_differences_are_compared_by_group():
    here = {"a/0": torch.ones(100), "a/1": torch.zeros(1), "b/0": torch.ones(4)}
    there = {**here, "a/1": torch.full((1,), 0.05)}
    assert_close(here, there, 1e-2, joint=True)
    with pytest.raises(AssertionError, match="a by 5"):
        assert_close(here, there, 1e-3, joint=True)
    with pytest.raises(AssertionError, match="a/1"):
        assert_close(here, there, 1e-2)


def test_a_result_on_the_wrong_device_is_found(monkeypatch):
    monkeypatch.setattr(Other, "device", torch.device("meta"))
    with pytest.raises(AssertionError, match="is on cpu, not on meta"):
        on_side(lambda device: torch.zeros(2), Other("cpu"))


def drawn():
    torch.manual_seed(3)
    like = torch.zeros(4, 6, dtype=torch.float32)
    return [
        torch.randn(5, 3, device="cpu"), torch.rand(4), torch.randint(9, (5,)),
        torch.randint(2, 9, (5,), device=CPU), torch.randperm(7), torch.randn_like(like),
        like.clone().exponential_(), like.t().clone().normal_(2, 3), torch.randn((2, 2)),
        torch.randn(3, generator=torch.Generator().manual_seed(1)),
    ]  # fmt: skip


def test_noise_from_the_host_is_what_the_cpu_draws_without_it():
    with HostNoise():
        found = drawn()
    for one, other in zip(found, drawn(), strict=True):
        assert torch.equal(one, other)


def test_noise_from_the_host_reaches_a_tensor_elsewhere():
    """Device "meta" stands for a GPU: results lie there, and the CPU's generator has moved on."""
    with HostNoise():
        torch.manual_seed(0)
        made = torch.randn(4, device="meta"), torch.randn_like(torch.empty(3, device="meta"))
        filled = torch.empty(5, device="meta").exponential_()
        after = torch.rand(1)
    assert {tensor.device.type for tensor in (*made, filled)} == {"meta"}
    torch.manual_seed(0)
    for draw in (
        lambda: torch.randn(4),
        lambda: torch.randn(3),
        lambda: torch.empty(5).exponential_(),
    ):
        draw()  # fmt: skip
    assert torch.equal(after, torch.rand(1))


def test_the_other_rounding_disturbs_values_and_gradients_a_little():
    torch.manual_seed(0)
    layer, x = nn.Linear(30, 20), torch.randn(8, 30)

    def run():
        layer.zero_grad()
        layer(x).tanh().sum().backward()
        return layer(x).detach(), layer.weight.grad.clone()

    plain = run()
    with OtherRounding():
        rounded = run()
    for one, other in zip(plain, rounded, strict=True):
        error = float((one - other).abs().max() / one.abs().max())
        assert 1e-8 < error < 1e-5


def test_the_other_rounding_leaves_torch_s_random_numbers_alone():
    torch.manual_seed(0)
    plain = torch.rand(3)
    torch.manual_seed(0)
    with OtherRounding():
        torch.ones(5).exp()
        assert torch.equal(torch.rand(3), plain)


def test_numbers_that_a_gpu_draws_by_itself_are_noticed(monkeypatch, recwarn):
    """The CPU's generator stands for the GPU's."""
    monkeypatch.setattr(torch.cuda, "get_rng_state", torch.get_rng_state)
    with watched_generator():
        torch.cuda.manual_seed_all(7)
    assert not recwarn.list
    with pytest.warns(UserWarning, match="drawn on the GPU"), watched_generator():
        torch.rand(1)
