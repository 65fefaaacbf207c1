"""The causal transformer: what tokens see, and its cache against full recomputation."""

import pytest
import torch

from benchmarks.baselines.shared.causal_transformer import (
    ByteDropout,
    CausalTransformer,
    KeyValueCache,
    causal_mask,
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = CausalTransformer(
        width=32, layers=3, heads=2, context=5, per_step=3, readout=1, dropout=0.1
    ).eval()
    # Initial weights are so small that attention would hardly matter.
    for parameter in made.parameters():
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=0.3)
    return made


def grown(model, tokens, steps):
    """Outputs at the readout token of every step, by the cache."""
    cache = KeyValueCache(len(tokens), model)
    outputs = [model.extend(tokens[:, :2], cache)]
    for t in range(1, steps):
        outputs.append(model.extend(tokens[:, 3 * t - 1 : 3 * t + 2], cache))
    return torch.stack(outputs, 1)


def test_cache_equals_full_recomputation_far_beyond_the_context(model):
    tokens = torch.randn(4, 3 * 40, 32)
    with torch.no_grad():
        full, cached = model(tokens), grown(model, tokens, 40)
    assert full.shape == (4, 40, 32)
    torch.testing.assert_close(cached, full, rtol=1e-5, atol=1e-5)


def test_positions_are_relative(model):
    tokens = torch.randn(2, 3 * 5, 32)
    cache = KeyValueCache(2, model)
    with torch.no_grad():
        # An episode that begins 5,000 steps late, its slots before that empty.
        cache.length = 3 * 5_000
        late = model.extend(tokens[:, :2], cache)
        torch.testing.assert_close(late, model(tokens)[:, 0], rtol=1e-4, atol=1e-4)
        for t in range(1, 5):
            late = model.extend(tokens[:, 3 * t - 1 : 3 * t + 2], cache)
        torch.testing.assert_close(late, model(tokens)[:, -1], rtol=1e-4, atol=1e-4)


def test_no_token_sees_the_future_or_its_own_steps_action(model):
    tokens = torch.randn(1, 3 * 6, 32)
    changed = tokens.clone()
    changed[:, 3 * 3 + 2 :] = torch.randn(1, 7, 32)  # from the action of step 3 on
    with torch.no_grad():
        before, after = model(tokens), model(changed)
    torch.testing.assert_close(before[:, :4], after[:, :4], rtol=0, atol=0)
    assert (before[:, 4:] - after[:, 4:]).abs().amax(2).min() > 1e-3


def test_padding_on_the_right_equals_padding_on_the_left_that_is_masked_out(model):
    real = torch.randn(2, 3 * 3, 32)
    pad = torch.full((2, 3 * 2, 32), 7.0)
    indices = torch.arange(3 * 5)
    mask = causal_mask(indices, indices, 3, 5)
    # A padded token must see something: itself.
    mask = mask & ((indices[None, :] >= 6) | (indices[:, None] == indices[None, :]))
    with torch.no_grad():
        right = model(torch.cat([real, pad], 1))[:, :3]
        left = model(torch.cat([pad, real], 1), mask)[:, 2:]
    torch.testing.assert_close(right, left, rtol=1e-5, atol=1e-5)


def test_mask_by_hand():
    tokens = torch.arange(6)  # two per step, context 2
    mask = causal_mask(tokens, tokens, 2, 2).int().tolist()
    assert mask == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 1],
    ]


def test_dropout_keeps_the_mean_drops_its_share_and_repeats_with_its_seed():
    dropout = ByteDropout(0.1)
    x = torch.ones(1000, 301)
    torch.manual_seed(3)
    first = dropout(x)
    assert (first == 0).float().mean().item() == pytest.approx(26 / 256, abs=0.002)
    assert first.mean().item() == pytest.approx(1, abs=0.002)
    assert not torch.equal(first, dropout(x))
    torch.manual_seed(3)
    assert torch.equal(first, dropout(x))
    assert dropout.eval()(x) is x


class KeepAll(ByteDropout):
    active = True

    def forward(self, x):
        return x


def test_attention_of_training_equals_the_fused_one(model):
    tokens = torch.randn(2, 3 * 8, 32)
    with torch.no_grad():
        fused = model(tokens)
        for block in model.blocks:
            block.dropout = KeepAll(0.1)
        torch.testing.assert_close(model(tokens), fused, rtol=1e-5, atol=1e-5)
