"""Which of several plans leads to the action that all of them agree on most.

Data of several behaviours makes a mixture of plans. A single draw follows one of them: often the
random one, if a third of the data is random. But random behaviour spreads over all actions, while
competent ones come back to a few, so the likeliest action under several draws together is a
competent one (the mode of the mixture, where the action of a draw is a sample of it).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

__all__ = ["ActionLikelihood", "most_agreed"]


class ActionLikelihood(Protocol):
    """Inverse dynamics as agreement sees it."""

    def loss(self, z: Tensor, z_next: Tensor, actions: Tensor) -> Tensor:
        """Cross-entropy `(...)` of actions between latents `(..., D)`, mean over components."""


def most_agreed(
    inverse: ActionLikelihood, present: Tensor, following: Tensor, actions: Tensor
) -> Tensor:
    """`(R,)` index of the plan whose action is likeliest under all plans of its row together.

    Likeliest by the mean of the plans' probabilities, not of their logarithms: a plan of another
    behaviour has no veto. Always the action of one of the plans, never something between two.

    Args:
        inverse: gives the likelihoods.
        present: `(R, D)` latents, or whatever else the distribution takes for them.
        following: `(R, V, D)` next latents of V plans.
        actions: `(R, V)` or `(R, V, A)` that these lead to.
    """
    rows, votes, _ = following.shape
    # Entry (r, u, v) is how likely plan u makes the action of plan v.
    shape = (rows, votes, votes, -1)
    entropy = inverse.loss(
        present[:, None, None].expand(shape),
        following[:, :, None].expand(shape),
        actions[:, None].expand(rows, votes, *actions.shape[1:]),
    )
    components = 1 if actions.ndim == 2 else actions.shape[2]
    return torch.exp(-components * entropy).sum(1).argmax(1)
