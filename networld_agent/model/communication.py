"""What an agent makes of the latents that its neighbours broadcast.

Every agent sends its latent, D numbers, whatever the receiver does with it. Neighbours come as a
tuple of tensors: `()` if nobody hears anybody; `(weights,)`, `(..., N, N)` rows that average over
the neighbours; or, for many agents with few neighbours each, `(index, weights)`, `(G, N, K)` lists
of the neighbours and the same weights of these, one graph for all B environments (G = 1) or one
each (G = B).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["NeighborAttention", "heard_means"]


def heard_means(latents: Tensor, neighbors: tuple[Tensor, ...]) -> Tensor:
    """`(..., N, D)` means of the neighbours' latents `(..., N, D)`; zeros for who hears nobody.

    Args:
        latents: of all agents; `(B, N, D)` with lists of neighbours.
        neighbors: see above.
    """
    if not neighbors:
        return torch.zeros_like(latents)
    if len(neighbors) == 1:
        return neighbors[0].to(latents.dtype) @ latents
    index, weights = neighbors
    return (weights[..., None] * latents.flatten(0, 1)[_rows(index, latents)]).sum(-2)


class NeighborAttention(nn.Module):
    """Weighs neighbours by what they say and by what the listener is.

    Each head weighs its own slice of the latents. Queries start at zero: then all neighbours weigh
    the same, and what is heard is their mean.

    Args:
        size: D of a latent.
        heads: that divide it.
    """

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.query = nn.Linear(size, size, bias=False)
        self.key = nn.Linear(size, size, bias=False)
        nn.init.zeros_(self.query.weight)
        self.heads = heads

    def forward(self, latents: Tensor, neighbors: tuple[Tensor, ...]) -> Tensor:
        """As `heard_means`, with shares of the neighbours instead of equal ones."""
        if not neighbors:
            return torch.zeros_like(latents)
        queries = self._split(self.query(latents) / math.sqrt(latents.shape[-1] / self.heads))
        keys = self.key(latents)
        if len(neighbors) == 1:
            keys, values = (self._split(rows).transpose(-3, -2) for rows in (keys, latents))
            scores = queries.transpose(-3, -2) @ keys.transpose(-2, -1)
            shares = _shares(scores, (neighbors[0] > 0).unsqueeze(-3), -1)
            return (shares.to(values.dtype) @ values).transpose(-3, -2).flatten(-2)
        index, weights = neighbors
        rows = _rows(index, latents)
        said = self._split(torch.cat([keys, latents], -1).flatten(0, 1)[rows], 2)
        keys, values = said.split(self.heads, -2)
        shares = _shares((queries[..., None, :, :] * keys).sum(-1), (weights > 0)[..., None], -2)
        return (shares[..., None] * values).sum(-3).flatten(-2)

    def _split(self, rows: Tensor, parts: int = 1) -> Tensor:
        """`(..., D)` as `(..., heads, D / heads)`."""
        return rows.unflatten(-1, (parts * self.heads, -1))


def _shares(scores: Tensor, heard: Tensor, dim: int) -> Tensor:
    """Softmax of the scores over who is heard; zeros for who hears nobody."""
    # Filled with a finite number: rows of nothing but -inf would have gradients that are nan.
    scores = scores.masked_fill(~heard, torch.finfo(scores.dtype).min)
    return scores.softmax(dim) * heard


def _rows(index: Tensor, latents: Tensor) -> Tensor:
    """`(G, N, K)` indices of neighbours as rows of `latents.flatten(0, 1)`."""
    envs, agents, _ = latents.shape
    if envs == 1:
        return index
    return index + torch.arange(0, envs * agents, agents, device=index.device)[:, None, None]
