"""Targets of the critic and advantages of the actor, from pieces of episodes."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["generalised_advantages", "lambda_returns"]


def lambda_returns(
    rewards: Tensor,
    next_values: Tensor,
    continues: Tensor,
    cut: Tensor,
    gamma: float,
    lambda_: float,
) -> Tensor:
    """TD(lambda) returns: G_t = r_t + gamma c_t ((1 - lambda) V(s_{t+1}) + lambda G_{t+1}).

    Where the trajectory is cut after t (its time was up, or the next row is of another episode),
    G_t = r_t + gamma c_t V(s_{t+1}); so it is at the last row. R. S. Sutton and A. G. Barto,
    "Reinforcement Learning", 2nd edition, equation 12.20.

    Args:
        rewards: `(T, ...)` r_t.
        next_values: `(T, ...)` V of the state that step t led to, before any new episode.
        continues: `(T, ...)` c_t: 0 where the episode ended for good, 1 elsewhere; a model's
            probability of going on is allowed.
        cut: `(T, ...)` booleans: true where row t + 1 does not follow row t.
        gamma: discount.
        lambda_: 0 for one step, 1 for the whole trajectory.

    Returns:
        `(T, ...)` returns.
    """
    bootstrapped = rewards + gamma * continues * next_values
    returns = torch.empty_like(bootstrapped)
    following = bootstrapped[-1]
    for t in range(len(rewards) - 1, -1, -1):
        mixed = (1 - lambda_) * next_values[t] + lambda_ * following
        along = rewards[t] + gamma * continues[t] * mixed
        last = t == len(rewards) - 1
        following = bootstrapped[t] if last else torch.where(cut[t], bootstrapped[t], along)
        returns[t] = following
    return returns


def generalised_advantages(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lambda_: float,
) -> tuple[Tensor, Tensor]:
    """GAE (J. Schulman et al., arXiv 1506.02438, equation 16) and the returns that it belongs to.

    The advantages are the TD(lambda) returns less the values. A terminated episode has no value
    after it; a truncated one has, but its rewards end there.

    Args:
        rewards: `(T, ...)`.
        values: `(T, ...)` of the states acted in.
        next_values: `(T, ...)` of the states led to, before any new episode.
        terminated: `(T, ...)` booleans.
        truncated: `(T, ...)` booleans.
        gamma: discount.
        lambda_: of the trace.

    Returns:
        advantages and returns, `(T, ...)` each.
    """
    continues = 1 - terminated.to(rewards.dtype)
    over = terminated | truncated
    returns = lambda_returns(rewards, next_values, continues, over, gamma, lambda_)
    return returns - values, returns
