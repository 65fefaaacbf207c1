"""How well latents are predicted, beside standing still and beside the best linear model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LinearPredictor", "persistence", "step_errors"]

Reals = NDArray[np.floating]


def step_errors(predicted: Reals, actual: Reals) -> NDArray[np.float64]:
    """`(H - 1,)` mean squared error per step ahead, in units of the latents' variance.

    1 is what a constant, the mean latent, would reach. Shares of the variance can be compared
    between latents of different scale.

    Args:
        predicted: `(M, H, D)`; time 0 is the present.
        actual: `(M, H, D)`.
    """
    actual = np.asarray(actual, np.float64)
    variance = actual.reshape(-1, actual.shape[-1]).var(0).sum()
    errors = np.square(predicted - actual)[:, 1:].sum(2).mean(0)
    return np.asarray(errors / max(variance, 1e-30))


def persistence(actual: Reals) -> Reals:
    """`(M, H, D)` prediction that the present stays."""
    return np.broadcast_to(actual[:, :1], actual.shape)


@dataclass(frozen=True)
class LinearPredictor:
    """Future latents as a linear function of the present ones, fitted by least squares.

    One matrix per step ahead: the best that any linear model could do there, not the powers of a
    one-step model.

    Args:
        weights: `(F + 1, (H - 1) D)`; the last row is the constant.
    """

    weights: NDArray[np.float64]

    @classmethod
    def fit(cls, present: Reals, future: Reals) -> LinearPredictor:
        """Fits on training latents.

        Args:
            present: `(M, F)` what is known now.
            future: `(M, H, D)`; time 0 is not predicted.
        """
        targets = np.asarray(future[:, 1:], np.float64).reshape(len(future), -1)
        # Least norm where latents are confined to a subspace, as normalised ones are.
        weights, *_ = np.linalg.lstsq(_with_constant(present), targets, rcond=1e-8)
        return cls(np.asarray(weights, np.float64))

    def predict(self, present: Reals, actual: Reals) -> Reals:
        """`(M, H, D)` prediction; `actual` gives time 0 and the shape."""
        future = _with_constant(present) @ self.weights
        shape = (len(actual), actual.shape[1] - 1, actual.shape[2])
        return np.concatenate([actual[:, :1], future.reshape(shape)], 1)


def _with_constant(present: Reals) -> NDArray[np.float64]:
    ones = np.ones((len(present), 1))
    return np.concatenate([np.asarray(present, np.float64), ones], 1)
