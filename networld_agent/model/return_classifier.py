"""The discounted return of a noisy segment, from features of the U-Net's down path."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["ReturnClassifier"]


class ReturnClassifier(nn.Module):
    """Mean over time of the coarsest features, then one linear layer to logits over bins.

    The published planner flattens the features, which ties the head to one horizon. The bins are
    the task's: see `WorldModel`.

    Args:
        channels: of the features.
        num_bins: n.
    """

    def __init__(self, channels: int, num_bins: int) -> None:
        super().__init__()
        self.head = nn.Linear(channels, num_bins)
        # Random far bins would dominate the first means.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Logits `(B, n)` of features `(T, B, C)`."""
        logits: Tensor = self.head(features.mean(0))
        return logits.float()
