"""Weights with which an agent averages what its neighbours are or see."""

from __future__ import annotations

from torch import Tensor

__all__ = ["mean_weights"]


def mean_weights(adjacency: Tensor) -> Tensor:
    """`(..., N)` float32 rows that average over the agents that one agent hears.

    Args:
        adjacency: `(..., N)` of any type, 1 where the agent of a row hears another one, else 0.

    Returns:
        rows that sum to 1; all 0 for an agent that hears nobody.

    Example:
        >>> import torch
        >>> mean_weights(torch.tensor([[False, True, True], [False, False, False]])).tolist()
        [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]
    """
    heard = adjacency.float()
    return heard / heard.sum(-1, keepdim=True).clamp_min(1)
