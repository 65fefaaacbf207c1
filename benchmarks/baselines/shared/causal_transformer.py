"""A causal transformer over steps of several tokens each, with a cache of keys and values.

Positions are relative (rotary, Su et al. 2021, arXiv 2104.09864) and count steps: a network that
was trained on short windows goes on for as long as an episode lasts. Every token attends to the
tokens before it that belong to the last `context` steps. Blocks are pre-norm with ReLU, as the
decision transformer's published ones (Chen et al. 2021, arXiv 2106.01345).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["ByteDropout", "CausalTransformer", "KeyValueCache", "causal_mask", "rotation"]


def rotation(steps: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines `(L, size / 2)` of the rotary positions of steps `(L,)`.

    Angles are formed in double precision: in single, step 5,000 would be off by 3e-4.
    """
    half = size // 2
    frequencies = 10_000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = steps.to("cpu", torch.float64)[:, None] * frequencies
    return angles.cos().float().to(steps.device), angles.sin().float().to(steps.device)


def causal_mask(queries: Tensor, keys: Tensor, per_step: int, context: int) -> Tensor:
    """`(Q, K)` booleans: which keys a query attends to.

    Args:
        queries: `(Q,)` indices of tokens in the episode.
        keys: `(K,)` the same; -1 for an empty slot.
        per_step: tokens of one step.
        context: steps that a token sees, its own included.
    """
    q, k = queries[:, None], keys[None, :]
    return (k >= 0) & (k <= q) & (q // per_step - k // per_step < context)


def _rotated(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Pairs of entries `(..., L, size)`, first half with second, turned by their positions."""
    cosine, sine = turn
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], -1)


class ByteDropout(nn.Module):
    """Dropout that draws one byte per entry: on a CPU, a fraction of the time of `nn.Dropout`.

    The share is rounded to a multiple of 1/256.

    Args:
        share: of entries that are set to zero, below 1.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self._threshold = round(256 * share)

    @property
    def active(self) -> bool:
        """Whether anything is dropped at present."""
        return self.training and self._threshold > 0

    def forward(self, x: Tensor) -> Tensor:
        """`x` with a share of its entries zero and the others scaled up; itself in evaluation."""
        if not self.active:
            return x
        words = torch.randint(-(2**63), 2**63 - 1, (-(-x.numel() // 8),), device=x.device)
        keep = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self._threshold
        return x * keep.to(x.dtype).mul_(256 / (256 - self._threshold))


@dataclass(frozen=True)
class Memory:
    """Keys and values `(R, heads, slots, size)` of one block, and where new ones go."""

    keys: Tensor
    values: Tensor
    slots: Tensor

    def join(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Puts new ones into their slots; all of them."""
        self.keys[:, :, self.slots] = keys
        self.values[:, :, self.slots] = values
        return self.keys, self.values


class KeyValueCache:
    """Keys and values of the last steps of R episodes that go on in lockstep.

    Args:
        rows: R.
        model: that it serves.
    """

    def __init__(self, rows: int, model: CausalTransformer) -> None:
        # One step more than the context: the last step's action comes with the next step's
        # tokens, and still sees a step that those overwrite.
        self.slots = model.per_step * (model.context + 1)
        shape = (len(model.blocks), rows, model.heads, self.slots, model.width // model.heads)
        device = model.norm.weight.device
        self.keys, self.values = (
            torch.zeros(shape, device=device),
            torch.zeros(shape, device=device),
        )
        self.indices = torch.full((self.slots,), -1, device=device)
        self.length = 0

    def claim(self, tokens: int) -> tuple[Tensor, Tensor]:
        """Indices in the episode and slots, both `(tokens,)`, of the next tokens."""
        indices = torch.arange(self.length, self.length + tokens, device=self.indices.device)
        slots = indices % self.slots
        self.indices[slots] = indices
        self.length += tokens
        return indices, slots

    def memory(self, block: int, slots: Tensor) -> Memory:
        """That of one block, with the slots of the next tokens."""
        return Memory(self.keys[block], self.values[block], slots)


class Block(nn.Module):
    """Self-attention and a feed-forward layer of four times the width, each added to its input.

    Args:
        width: of the tokens.
        heads: of the attention.
        dropout: share of attention weights and of both layers' outputs.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.dropout = ByteDropout(dropout)

    def forward(
        self,
        x: Tensor,
        turn: tuple[Tensor, Tensor],
        mask: Tensor,
        chosen: Tensor | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """The tokens after this block.

        Args:
            x: `(R, L, W)`.
            turn: rotary positions of the L tokens, from `rotation`.
            mask: what a token attends to: `(L, L)`, `(R, 1, L, L)`, or `(L, slots)` with a memory.
            chosen: the `C` tokens that go on; all by default.
            memory: keys and values of earlier tokens, which those of `x` join.

        Returns:
            `(R, L, W)`, or `(R, C, W)`.
        """
        normed = self.attention_norm(x)
        q, k, v = self._project(normed, turn, chosen)
        if memory is not None:
            k, v = memory.join(k, v)
        if chosen is not None:
            x, mask = x[:, chosen], mask[..., chosen, :]
        x = x + self.dropout(self.mix(self._attend(q, k, v, mask).transpose(1, 2).flatten(2)))
        out: Tensor = x + self.dropout(self.down(torch.relu(self.up(self.feed_norm(x)))))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """`(R, L, W)` as `(R, heads, L, W / heads)`."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _project(
        self, x: Tensor, turn: tuple[Tensor, Tensor], chosen: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of the chosen tokens, keys and values of all of them."""
        width = x.shape[-1]
        if chosen is None:
            q, k, v = self.query_key_value(x).split(width, -1)
            return _rotated(self._split(q), turn), _rotated(self._split(k), turn), self._split(v)
        weight, bias = self.query_key_value.weight, self.query_key_value.bias
        q = nn.functional.linear(x[:, chosen], weight[:width], bias[:width])
        k, v = nn.functional.linear(x, weight[width:], bias[width:]).split(width, -1)
        turn_chosen = (turn[0][chosen], turn[1][chosen])
        return _rotated(self._split(q), turn_chosen), _rotated(self._split(k), turn), self._split(v)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        learns = q.requires_grad and q.device.type == "cpu"
        if not (self.dropout.active or learns):
            return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        # The fused kernel has no dropout on a CPU, and over 60 tokens its gradient is slower.
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        out: Tensor = self.dropout(weights) @ v
        return out


class CausalTransformer(nn.Module):
    """Blocks over the tokens of an episode; outputs at one chosen token of every step.

    The last block computes keys and values of all tokens, but all else of the chosen ones only.

    Args:
        width: of the tokens; `width / heads` must be even.
        layers: number of blocks.
        heads: of the attention.
        context: steps that a token sees, its own included.
        per_step: tokens of one step.
        readout: which token of a step is chosen, from 0.
        dropout: share of attention weights and of layer outputs set to zero in training.
    """

    def __init__(
        self,
        width: int,
        layers: int,
        heads: int,
        context: int,
        per_step: int,
        readout: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.width, self.heads, self.context = width, heads, context
        self.per_step, self.readout = per_step, readout
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Outputs `(R, T, W)` at the chosen tokens of T steps from the start of a window.

        Args:
            tokens: `(R, T per_step, W)`.
            mask: `(T per_step, T per_step)`, or one per row `(R, 1, ...)`, which tokens attend to
                which; causal by default.
        """
        indices = torch.arange(tokens.shape[1], device=tokens.device)
        if mask is None:
            mask = causal_mask(indices, indices, self.per_step, self.context)
        turn = rotation(indices // self.per_step, self.width // self.heads)
        x = tokens
        for block in self.blocks[:-1]:
            x = block(x, turn, mask)
        chosen = indices[self.readout :: self.per_step]
        out: Tensor = self.norm(self.blocks[-1](x, turn, mask, chosen))
        return out

    def extend(self, tokens: Tensor, cache: KeyValueCache) -> Tensor:
        """Output `(R, W)` at the last of the tokens `(R, L, W)` that follow those in the cache.

        Equals `forward` over the whole episode, whatever its length.
        """
        indices, slots = cache.claim(tokens.shape[1])
        turn = rotation(indices // self.per_step, self.width // self.heads)
        mask = causal_mask(indices, cache.indices, self.per_step, self.context)
        final = torch.tensor([tokens.shape[1] - 1], device=tokens.device)
        x = tokens
        for number, block in enumerate(self.blocks):
            last = number == len(self.blocks) - 1
            x = block(x, turn, mask, final if last else None, cache.memory(number, slots))
        out: Tensor = self.norm(x[:, 0])
        return out
