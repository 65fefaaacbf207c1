"""The state decoder's codes, and what it can learn."""

import pytest
import torch
from dima_cases import REAL, tiny

from benchmarks.baselines.dima.config import StateConfig
from benchmarks.baselines.dima.state_decoder import StateDecoder


def test_codes_take_the_levels_that_were_asked_for_and_all_of_them():
    torch.manual_seed(0)
    decoder = StateDecoder(REAL, StateConfig(levels=(8, 6, 5), codes=1, hidden=64))
    with torch.no_grad():
        decoder.encoder[-1].weight.mul_(20)
        codes = decoder.codes(3 * torch.randn(20_000, REAL.state_size))
    assert [len(codes[..., entry].unique()) for entry in range(3)] == [8, 6, 5]
    assert codes.abs().max() <= 1
    assert len(codes.flatten(0, 1).unique(dim=0)) <= 8 * 6 * 5


def test_gradients_pass_the_quantiser():
    decoder = StateDecoder(REAL, tiny().state)
    states = torch.randn(8, REAL.state_size)
    decoder.loss(states, torch.randn(8, 2, 4), torch.ones(8, dtype=torch.bool)).backward()
    assert decoder.encoder[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize(("loss", "error"), [("l1", torch.abs), ("mse", torch.square)])
def test_loss_is_the_mean_error_of_real_states(loss, error):
    decoder = StateDecoder(REAL, tiny(state_loss=loss).state)
    states, seen = torch.randn(8, REAL.state_size), torch.randn(8, 2, 4)
    valid = torch.arange(8) < 5
    wanted = error(decoder(states) - seen)[:5].mean()
    seen[5:] = 99
    torch.testing.assert_close(decoder.loss(states, seen, valid), wanted)


@pytest.mark.parametrize("levels", [(8, 6, 5), ()])
def test_it_learns_observations_that_are_parts_of_the_state(levels):
    torch.manual_seed(0)
    decoder = StateDecoder(REAL, StateConfig(levels=levels, codes=8, hidden=64))
    adam = torch.optim.Adam(decoder.parameters(), 3e-3)
    valid = torch.ones(256, dtype=torch.bool)
    for _ in range(300):
        states = 0.5 * torch.randn(256, REAL.state_size)
        loss = decoder.loss(states, 2 * states[:, None, :4].expand(-1, 2, -1), valid)
        adam.zero_grad()
        loss.backward()
        adam.step()
    # Saying the mean always would leave 0.8.
    assert loss < 0.35
