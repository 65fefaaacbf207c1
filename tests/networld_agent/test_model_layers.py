"""Time-first layers against PyTorch's own, values and gradients."""

import pytest
import torch
from torch import nn

from networld_agent.model import WorldModelConfig
from networld_agent.model.diffusion import Schedule
from networld_agent.model.temporal_layers import Downsample, NormMish, TemporalConv, Upsample
from networld_agent.model.temporal_unet import ResidualBlock, TemporalUNet

torch.set_num_threads(1)


def compare(ours, reference, shape, pairs):
    """Both on one input in double precision; `pairs` maps our gradients to the reference's."""
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    other = x.detach().permute(1, 2, 0).requires_grad_()
    y, expected = ours(x), reference(other).permute(2, 0, 1)
    torch.testing.assert_close(y, expected)
    weights = torch.randn_like(y)
    (y * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(x.grad, other.grad.permute(2, 0, 1))
    for gradient, wanted in pairs():
        torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("time", [1, 2, 3, 4, 9, 32])
@pytest.mark.parametrize("taps", [3, 5])
def test_convolution_equals_conv1d(time, taps):
    ours = TemporalConv(6, 10, taps).double()
    reference = nn.Conv1d(6, 10, taps, padding=taps // 2).double()
    reference.weight.data = ours.weight.data.permute(2, 1, 0).clone()
    reference.bias.data = ours.bias.data.clone()
    compare(
        ours,
        reference,
        (time, 7, 6),
        lambda: [
            (ours.weight.grad, reference.weight.grad.permute(2, 1, 0)),
            (ours.bias.grad, reference.bias.grad),
        ],
    )


def plain_norm_mish(layer):
    """PyTorch's own, in double precision, of the same gain and bias."""
    reference = nn.Sequential(nn.GroupNorm(layer.groups, len(layer.gain)), nn.Mish()).double()
    reference[0].weight.data = layer.gain.data.double()
    reference[0].bias.data = layer.bias.data.double()
    return reference


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_norm_mish_in_double_precision_equals_group_norm_and_mish(scale):
    ours = NormMish(24).double()
    nn.init.normal_(ours.gain, std=scale)
    nn.init.normal_(ours.bias, std=scale)
    reference = plain_norm_mish(ours)
    compare(
        ours,
        reference,
        (8, 5, 24),
        lambda: [
            (ours.gain.grad, reference[0].weight.grad),
            (ours.bias.grad, reference[0].bias.grad),
        ],
    )


@pytest.mark.parametrize("shape", [(1, 1, 16), (8, 5, 24), (4, 3, 512), (32, 7, 64)])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_the_norm_mish_kernel_equals_group_norm_and_mish(shape, scale):
    torch.manual_seed(0)
    ours = NormMish(shape[2])
    nn.init.normal_(ours.gain, std=scale)
    nn.init.normal_(ours.bias, std=scale)
    reference = plain_norm_mish(ours)
    x = (3 * torch.randn(shape) + 1).requires_grad_()
    other = x.detach().double().permute(1, 2, 0).requires_grad_()
    y, expected = ours(x), reference(other).permute(2, 0, 1)
    torch.testing.assert_close(y.double(), expected, rtol=2e-6, atol=2e-6 * scale)
    weights = torch.randn(shape)
    (y * weights).sum().backward()
    (expected * weights.double()).sum().backward()
    for gradient, wanted in (
        (x.grad, other.grad.permute(2, 0, 1)),
        (ours.gain.grad, reference[0].weight.grad),
        (ours.bias.grad, reference[0].bias.grad),
    ):
        # Two values in a group: the terms of a gradient, of size `scale`, nearly cancel.
        size = float(wanted.abs().max()) + scale
        torch.testing.assert_close(gradient.double(), wanted, rtol=0, atol=5e-6 * size)


def test_norm_mish_is_the_same_with_gradients_and_without_alone_and_in_a_batch():
    torch.manual_seed(0)
    layer = NormMish(16)
    nn.init.normal_(layer.gain)
    x = torch.randn(8, 5, 16)
    with_gradients = layer(x)
    with torch.no_grad():
        assert torch.equal(layer(x), with_gradients)
        assert torch.equal(layer(x[:, 2:3]), with_gradients[:, 2:3])
        # A view with other strides, as the network's transposed input is.
        assert torch.equal(layer(x.permute(1, 0, 2).contiguous().permute(1, 0, 2)), with_gradients)


def test_mish_far_from_zero_is_the_identity_or_zero():
    layer = NormMish(8, groups=8)
    layer.bias.data = torch.tensor([-1e4, -200.0, -81.0, -79.0, 0.0, 21.0, 90.0, 1e4])
    layer.gain.data.zero_()
    y = layer(torch.randn(2, 1, 8))[0, 0]
    expected = nn.functional.mish(layer.bias.double())
    torch.testing.assert_close(y.double(), expected, rtol=1e-6, atol=1e-30)


def test_what_is_not_a_number_stays_so():
    x = torch.zeros(4, 2, 8)
    x[1, 0, 3] = torch.nan
    y = NormMish(8)(x)
    assert torch.isnan(y[:, 0, 3]).all()
    assert torch.isfinite(y[:, 1]).all()


def test_norm_mish_of_a_constant_segment_is_finite():
    layer = NormMish(8)
    x = torch.full((4, 2, 8), 3.0, requires_grad=True)
    layer(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_downsampling_equals_a_strided_convolution():
    ours, reference = Downsample(6).double(), nn.Conv1d(6, 6, 3, 2, 1).double()
    reference.weight.data = ours.linear.weight.data.view(6, 3, 6).permute(0, 2, 1).clone()
    reference.bias.data = ours.linear.bias.data.clone()
    compare(ours, reference, (8, 3, 6), list)


def test_upsampling_equals_a_transposed_convolution():
    ours, reference = Upsample(6).double(), nn.ConvTranspose1d(6, 6, 4, 2, 1).double()
    nn.init.normal_(ours.bias)
    # Rows: even steps, odd steps; columns: the earlier of two neighbours, the later.
    blocks = ours.linear.weight.data.view(2, 6, 2, 6)
    for tap, (parity, neighbour) in enumerate([(1, 1), (0, 1), (1, 0), (0, 0)]):
        reference.weight.data[:, :, tap] = blocks[parity, :, neighbour].T
    reference.bias.data = ours.bias.data.clone()
    compare(ours, reference, (4, 3, 6), list)


@pytest.mark.parametrize(("per_level", "blocks"), [(1, 8), (2, 16)])
def test_four_levels_have_eight_or_sixteen_residual_blocks(per_level, blocks):
    unet = TemporalUNet(64, WorldModelConfig(blocks_per_level=per_level))
    assert sum(isinstance(module, ResidualBlock) for module in unet.modules()) == blocks


def test_two_blocks_per_level_have_the_published_planners_four_million_weights():
    unet = TemporalUNet(64, WorldModelConfig(blocks_per_level=2))
    assert sum(p.numel() for p in unet.parameters()) == pytest.approx(3.97e6, rel=0.02)


@pytest.mark.parametrize("horizon", [8, 16, 24, 48])
def test_unet_keeps_shape_at_every_horizon_that_its_stride_divides(horizon):
    unet = TemporalUNet(12, WorldModelConfig(channels=8))
    x = torch.randn(horizon, 3, 12)
    assert unet(x, torch.randn(3, 64)).shape == x.shape


def test_schedule_falls_from_nearly_clean_to_nearly_noise():
    schedule = Schedule(20)
    assert (schedule.alpha_bar.diff() < 0).all()
    assert schedule.alpha_bar[0] > 0.98
    assert schedule.alpha_bar[-1] < 1e-4
    assert schedule.betas.max() <= 0.999
    assert (1 / schedule.signal[-1]).item() == pytest.approx(406, rel=0.01)


def test_posterior_variance_ends_at_zero_and_never_exceeds_beta():
    schedule = Schedule(20)
    assert schedule.posterior_variance[0] == 0
    assert (schedule.posterior_variance <= schedule.betas).all()


def test_clean_sample_and_noise_are_recovered_from_each_other():
    schedule = Schedule(20).double()
    x0, noise = torch.randn(2, 6, 8, 4, dtype=torch.float64)
    tau = torch.tensor([0, 3, 7, 12, 18, 19])
    x = schedule.noisy(x0, tau, noise)
    torch.testing.assert_close(schedule.x0_from_noise(x, tau, noise), x0)
    torch.testing.assert_close(schedule.noise_from_x0(x, tau, x0), noise)


def test_clean_sample_is_recovered_from_the_velocity():
    schedule = Schedule(20).double()
    x0, noise = torch.randn(2, 6, 8, 4, dtype=torch.float64)
    tau = torch.tensor([0, 3, 7, 12, 18, 19])
    velocity = schedule.velocity(x0, tau, noise)
    x = schedule.noisy(x0, tau, noise)
    torch.testing.assert_close(schedule.x0_from_velocity(x, tau, velocity), x0)


def test_noisy_samples_of_unit_variance_have_unit_variance():
    torch.manual_seed(0)
    schedule = Schedule(20)
    tau = torch.arange(20).repeat_interleave(2000)
    x = schedule.noisy(torch.randn(40_000, 4), tau, torch.randn(40_000, 4))
    variance = x.view(20, -1).var(1)
    torch.testing.assert_close(variance, torch.ones(20), rtol=0.06, atol=0)
