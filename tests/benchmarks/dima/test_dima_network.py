"""The U-Net's convolutions against torch's own, and its conditions."""

import pytest
import torch
from dima_cases import DISCRETE, REAL, random_actions, tiny
from torch import nn

from benchmarks.baselines.dima.action_embedding import make_action_encoder
from benchmarks.baselines.dima.config import DenoiserConfig
from benchmarks.baselines.dima.denoiser_network import DenoiserNetwork
from benchmarks.baselines.dima.position_convolution import PositionConvolution


def grouped(x, groups):
    """`(B, C, P)` as `(B, G, P, c)`."""
    return x.unflatten(1, (groups, -1)).transpose(2, 3)


@pytest.mark.parametrize("change", ["same", "halve", "double"])
@pytest.mark.parametrize("positions", [2, 4])
def test_position_convolution_equals_conv1d(change, positions):
    torch.manual_seed(0)
    layer = PositionConvolution((2, 3), 4, positions, change)
    nn.init.normal_(layer.bias)
    oracle = nn.Conv1d(8, 12, 3, stride=2 if change == "halve" else 1, padding=1)
    oracle.weight.data = layer.weight.data.view(3, 8, 12).permute(2, 1, 0)
    oracle.bias.data = layer.bias.data.flatten()
    x = torch.randn(5, 8, positions)
    wanted = oracle(nn.functional.interpolate(x, scale_factor=2) if change == "double" else x)
    found = layer(grouped(x, 2), layer.matrix())
    torch.testing.assert_close(found, grouped(wanted, 3), rtol=1e-4, atol=1e-5)


def test_first_layer_in_two_parts_equals_one_convolution():
    torch.manual_seed(0)
    network = DenoiserNetwork(5, tiny().denoiser)
    oracle = nn.Conv1d(5, 16, 3, padding=1)
    oracle.weight.data = network.enter.weight.data.view(3, 16, 5).permute(1, 2, 0)
    oracle.bias.data = network.enter_bias.data
    states, noisy = torch.randn(6, 3, 5), torch.randn(6, 5)
    wanted = oracle(torch.cat([states, noisy[:, None]], 1).transpose(1, 2))
    entered = {}
    network._through = lambda x, *_: entered.setdefault("x", x)
    network(
        network.enter_context(states), noisy, torch.zeros(1), torch.zeros(6, 32), network.matrices()
    )
    torch.testing.assert_close(entered["x"], grouped(wanted, 2), rtol=1e-4, atol=1e-5)


def test_untrained_network_predicts_zero_and_hears_everything_once_its_last_layer_does():
    torch.manual_seed(0)
    network = DenoiserNetwork(5, tiny().denoiser)
    states, noisy = torch.randn(4, 3, 5), torch.randn(4, 5)
    noise, actions = torch.zeros(4), torch.randn(4, 32)

    def output(states=states, noisy=noisy, noise=noise, actions=actions):
        return network(network.enter_context(states), noisy, noise, actions, network.matrices())

    assert output().abs().max() == 0
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    base = output()
    for changed in (
        output(states=torch.cat([states[:, :1] + 1, states[:, 1:]], 1)),
        output(noisy=noisy + 1),
        output(noise=noise + 1),
        output(actions=actions + 1),
    ):
        assert (changed - base).abs().min(0).values.max() > 1e-4


@pytest.mark.parametrize("spec", [REAL, DISCRETE])
@pytest.mark.parametrize("encoder", ["mlp", "perceiver"])
def test_only_seen_and_valid_actions_reach_the_embedding(spec, encoder):
    torch.manual_seed(0)
    config = tiny(denoiser_action_encoder=encoder).denoiser
    module = make_action_encoder(spec, config).double()
    actions = random_actions(spec, 1, 3)
    valid = torch.tensor([[False, True, True]])
    seen = torch.zeros(1, spec.num_agents, dtype=torch.bool)
    seen[0, 1] = True

    def embedded(actions):
        if not spec.discrete:
            actions = actions.double()
        return module.embed(module.prepare(actions, valid), seen)

    base = embedded(actions)
    for step in range(3):
        for agent in range(spec.num_agents):
            changed = actions.clone()
            changed[0, step, agent] = (changed[0, step, agent] + 1) % 2
            moved = (embedded(changed) - base).abs().max().item() > 1e-9
            assert moved == (step == 1 or (step == 2 and agent == 1)), (step, agent)


def test_joint_and_sequential_encoders_agree_when_all_are_seen():
    torch.manual_seed(0)
    joint = make_action_encoder(REAL, tiny(denoiser_conditioning="joint").denoiser)
    one = make_action_encoder(REAL, tiny().denoiser)
    one.load_state_dict(joint.state_dict())
    actions, valid = random_actions(REAL, 4, 3), torch.ones(4, 3, dtype=torch.bool)
    everyone = torch.ones(4, 2, dtype=torch.bool)
    torch.testing.assert_close(
        one.embed(one.prepare(actions, valid), everyone),
        joint.embed(joint.prepare(actions, valid), everyone),
    )


def test_number_of_denoising_steps():
    config = DenoiserConfig()
    assert [config.steps(n) for n in (1, 2, 3, 6)] == [2, 4, 3, 6]
    assert DenoiserConfig(conditioning="joint", sampling_steps=5).steps(19) == 5
