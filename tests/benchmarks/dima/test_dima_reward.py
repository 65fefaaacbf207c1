"""The reward model: causality, episodes, and its cache."""

import pytest
import torch
from dima_cases import DISCRETE, REAL, random_actions, random_sequences, tiny

from benchmarks.baselines.dima.reward_model import RewardModel, episode_mask


def awake(spec):
    torch.manual_seed(0)
    model = RewardModel(spec, tiny().reward).eval()
    # Initial weights are so small that attention would hardly matter.
    for parameter in model.parameters():
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def test_mask_of_two_episodes_by_hand():
    mask = episode_mask(torch.tensor([[True, False, True]]), 15)[0, 0].int()
    assert mask.tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1, 1],
    ]


def test_mask_forgets_what_is_further_back_than_the_context():
    mask = episode_mask(torch.ones(1, 6, dtype=torch.bool), 2)[0, 0]
    assert mask[10].nonzero().flatten().tolist() == [8, 9, 10]
    assert mask[11].nonzero().flatten().tolist() == [8, 9, 10, 11]


@pytest.mark.parametrize("spec", [REAL, DISCRETE])
def test_the_future_changes_nothing(spec):
    model = awake(spec)
    piece = random_sequences(spec, 4, 5)
    states, actions = piece.states[:, :5].clone(), piece.actions.clone()
    base = model(states, actions, piece.valid)
    states[:, 3:] += 1
    actions[:, 3:] = random_actions(spec, 4, 2)
    changed = model(states, actions, piece.valid)
    for one, other in zip(base, changed, strict=True):
        torch.testing.assert_close(one[:, :3], other[:, :3], rtol=1e-5, atol=1e-5)
        assert not torch.allclose(one[:, 3], other[:, 3])


def test_own_action_matters_and_so_does_the_past():
    model = awake(REAL)
    piece = random_sequences(REAL, 4, 5)
    base = model(piece.states[:, :5], piece.actions, piece.valid)[0]
    own, past = piece.actions.clone(), piece.actions.clone()
    own[:, 4] *= -1
    past[:, 0] *= -1
    for actions in (own, past):
        found = model(piece.states[:, :5], actions, piece.valid)[0]
        assert (found[:, 4] - base[:, 4]).abs().min() > 1e-5


def test_no_episode_hears_of_the_one_before_it():
    model = awake(REAL)
    piece = random_sequences(REAL, 4, 5)
    valid = piece.valid.clone()
    valid[:, 2] = False
    states = piece.states[:, :5].clone()
    base = model(states, piece.actions, valid)
    states[:, :3] += 1
    changed = model(states, piece.actions, valid)
    alone = model(states[:, 3:], piece.actions[:, 3:], valid[:, 3:])
    for one, other, own in zip(base, changed, alone, strict=True):
        torch.testing.assert_close(one[:, 3:], other[:, 3:])
        torch.testing.assert_close(one[:, 3:], own, rtol=1e-4, atol=1e-5)


def test_padding_on_the_left_is_as_if_it_were_not_there():
    model = awake(REAL)
    piece = random_sequences(REAL, 4, 5)
    valid = piece.valid.clone()
    valid[:, :2] = False
    padded = model(piece.states[:, :5], piece.actions, valid)[0][:, 2:]
    cut = model(piece.states[:, 2:5], piece.actions[:, 2:], valid[:, 2:])[0]
    torch.testing.assert_close(padded, cut, rtol=1e-4, atol=1e-5)


def test_losses_are_of_real_steps_alone():
    model = awake(REAL)
    piece = random_sequences(REAL, 4, 5)
    valid = piece.valid.clone()
    valid[:, 4] = False
    rewards, terminated = piece.rewards.clone(), piece.terminated.clone()
    base = model.loss(piece.states[:, :5], piece.actions, rewards, terminated, valid)
    rewards[:, 4] += 100
    terminated[:, 4] ^= True
    found = model.loss(piece.states[:, :5], piece.actions, rewards, terminated, valid)
    torch.testing.assert_close(found, base, rtol=0, atol=0)
    predicted, logits = model(piece.states[:, :5], piece.actions, valid)
    error = (predicted - piece.rewards)[:, :4].abs()
    smooth = torch.where(error < 1, error**2 / 2, error - 0.5).mean()
    ends = logits.log_softmax(-1).gather(-1, piece.terminated.long()[..., None])[:, :4].mean()
    torch.testing.assert_close(base, (smooth, -ends))


@pytest.mark.parametrize("spec", [REAL, DISCRETE])
def test_cache_equals_full_recomputation_beyond_the_context(spec):
    model = awake(spec)
    piece = random_sequences(spec, 4, 12)
    with torch.no_grad():
        rewards, logits = model(piece.states[:, :12], piece.actions, piece.valid)
        memory = model.begin(4)
        for step in range(12):
            reward, ending = model.extend(piece.states[:, step], piece.actions[:, step], memory)
            torch.testing.assert_close(reward, rewards[:, step], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(
                ending, logits[:, step].softmax(-1)[:, 1], rtol=1e-4, atol=1e-5
            )
