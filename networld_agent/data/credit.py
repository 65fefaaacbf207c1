"""Whose rewards an action answers for."""

from __future__ import annotations

from typing import Final

from torch import Tensor

__all__ = ["CREDITS", "credited"]

CREDITS: Final = ("own", "neighbors", "team")


def credited(rewards: Tensor, weights: Tensor, credit: str) -> Tensor:
    """The rewards that each agent answers for.

    Args:
        rewards: `(..., N)` of the agents.
        weights: `(N, N)` or `(..., N, N)` rows that average over the neighbours.
        credit: whose, of `CREDITS`: the agent's "own", the mean over it and its "neighbors", or
            over the "team".

    Returns:
        `(..., N)`.
    """
    if credit == "own":
        return rewards
    if credit == "team":
        return rewards.mean(-1, keepdim=True).expand_as(rewards)
    weights = weights.to(rewards.dtype)
    heard = (weights @ rewards[..., None])[..., 0]
    degrees = (weights > 0).sum(-1)
    return (rewards + degrees * heard) / (degrees + 1)
