"""symlog, its inverse, and two-hot codes on bins that are spaced by it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["TwoHot", "limit_of", "symexp", "symlog"]


def symlog(x: Tensor) -> Tensor:
    """sign(x) log(1 + |x|), elementwise.

    Example:
        >>> symlog(torch.tensor([-1.718281828, 0.0])).tolist()
        [-1.0, 0.0]
    """
    # |x| would have gradient 0 at 0; of these two parts exactly one has gradient 1 there.
    return torch.log1p(x.clamp(min=0)) - torch.log1p(torch.relu(-x))


def symexp(y: Tensor) -> Tensor:
    """sign(y) (exp(|y|) - 1), the inverse of `symlog`, elementwise."""
    return torch.expm1(y.clamp(min=0)) - torch.expm1(torch.relu(-y))


class TwoHot(nn.Module):
    """Numbers as weights on the two nearest of n bins, and distributions over bins as numbers.

    Bin centres are symexp of n evenly spaced points in [-limit, limit]: exactly symmetric, with an
    exact zero in the middle. Weights are linear in the number itself, not in its symlog, so that
    the mean of a distribution is an unbiased estimate.

    Args:
        limit: symlog of the greatest centre; numbers beyond it count as it.
        num_bins: n, odd and at least 3.
        smooth: two weights; otherwise all weight on the nearest bin.

    Example:
        >>> bins = TwoHot(limit=2.0, num_bins=5)
        >>> [round(x, 4) for x in bins.mean(bins.encode(torch.tensor([3.0, -0.5]))).tolist()]
        [3.0, -0.5]
    """

    centers: Tensor

    def __init__(self, limit: float, num_bins: int, smooth: bool = True) -> None:
        super().__init__()
        if num_bins < 3 or num_bins % 2 == 0:
            raise ValueError(f"num_bins must be odd and at least 3, got {num_bins}.")
        if not 0 < limit < 80:
            raise ValueError(f"limit must be between 0 and 80 (symexp overflows), got {limit}.")
        half = symexp(torch.linspace(0, limit, num_bins // 2 + 1, dtype=torch.float64)).float()
        self.register_buffer("centers", torch.cat([-half[1:].flip(0), half]), persistent=False)
        self.num_bins, self.smooth = num_bins, smooth

    def weights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Index of the lower of the two bins `(...)`, and the weight of the upper one `(...)`."""
        x = x.clamp(self.centers[0], self.centers[-1])
        upper = torch.searchsorted(self.centers, x.contiguous()).clamp(1, self.num_bins - 1)
        low, high = self.centers[upper - 1], self.centers[upper]
        share = (x - low) / (high - low)
        return upper - 1, share if self.smooth else (share >= 0.5).to(x.dtype)

    def encode(self, x: Tensor) -> Tensor:
        """Weights `(..., n)` that sum to 1, of numbers `(...)`."""
        lower, share = self.weights(x)
        code = x.new_zeros(*x.shape, self.num_bins)
        code.scatter_(-1, lower[..., None], 1 - share[..., None])
        return code.scatter_add_(-1, lower[..., None] + 1, share[..., None])

    def mean(self, probabilities: Tensor) -> Tensor:
        """Expected centre `(...)` of distributions `(..., n)`; exactly 0 for symmetric ones."""
        middle = self.num_bins // 2
        # Pairs from the centre outwards: a sum from the left would cancel huge terms last.
        right = probabilities[..., middle + 1 :]
        left = probabilities[..., :middle].flip(-1)
        return ((right - left) * self.centers[middle + 1 :]).sum(-1)

    def decode(self, logits: Tensor) -> Tensor:
        """Expected centre of the distribution with these logits."""
        return self.mean(logits.softmax(-1))

    def mode(self, logits: Tensor) -> Tensor:
        """Mean over the most probable bin and its more probable neighbour: one peak of several."""
        probabilities = logits.softmax(-1)
        peak = probabilities.argmax(-1, keepdim=True)
        around = (peak + torch.arange(-1, 2, device=logits.device)).clamp(0, self.num_bins - 1)
        mass = probabilities.gather(-1, around)
        # A neighbour beyond the edge repeats the peak; a third bin would be another number's.
        mass = mass * (around != peak)
        side = mass.argmax(-1, keepdim=True)
        pair = torch.cat([peak, around.gather(-1, side)], -1)
        both = probabilities.gather(-1, pair)
        return (both * self.centers[pair]).sum(-1) / both.sum(-1)

    def cross_entropy(self, logits: Tensor, x: Tensor) -> Tensor:
        """Cross-entropy `(...)` of logits `(..., n)` with the code of numbers `(...)`."""
        lower, share = self.weights(x)
        pair = torch.stack([lower, lower + 1], -1)
        chosen = nn.functional.log_softmax(logits, -1).gather(-1, pair)
        return -((1 - share) * chosen[..., 0] + share * chosen[..., 1])

    def extra_repr(self) -> str:
        """Limits in the printed form of a module."""
        return f"±{self.centers[-1]:g}, {self.num_bins} bins"


def limit_of(magnitude: float, margin: float = 1.05) -> float:
    """`limit` of bins that hold numbers up to a magnitude, with a margin."""
    return max(math.log1p(abs(magnitude)) * margin, 0.1)
