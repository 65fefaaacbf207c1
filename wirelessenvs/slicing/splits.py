"""Splits of the band: real bandwidths to whole units, lists of splits, units to resource blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["all_splits", "block_splits", "nearest_units", "split_index", "units_to_blocks"]


def nearest_units(bandwidths: NDArray[np.float64], num_units: int) -> NDArray[np.int64]:
    """Shares out `num_units` in proportion to non-negative bandwidths, at least one to each slice.

    Largest remainder, ties to the later slice. A slice whose share is below one unit gets one, and
    the others share the rest. Bandwidths that are whole units of the whole band come back
    unchanged; all zero gives equal shares.

    Args:
        bandwidths: `(..., 3)`.
        num_units: at least 3.

    Returns:
        `(..., 3)` positive integers that sum to `num_units`.

    Example:
        >>> nearest_units(np.array([2.0e6, 5.1e6, 2.9e6]), 10).tolist()
        [2, 5, 3]
        >>> nearest_units(np.array([0.0, 0.0, 1.0]), 10).tolist()
        [1, 1, 8]
    """
    weights = np.asarray(bandwidths, np.float64)
    # Scaled by the greatest first: neither sum nor product can overflow or vanish.
    greatest = weights.max(-1, keepdims=True)
    weights = np.where(greatest > 0, weights / np.where(greatest > 0, greatest, 1.0), 1.0)
    fixed = np.zeros(weights.shape, np.bool_)
    shares = np.empty_like(weights)
    for _ in range(3):  # each round fixes at least one more slice, or none is left to fix
        free = np.where(fixed, 0.0, weights)
        rest = num_units - fixed.sum(-1, keepdims=True)
        shares = np.where(fixed, 1.0, free / free.sum(-1, keepdims=True) * rest)
        fixed |= shares < 1.0 - 1e-9
    shares = np.where(fixed, 1.0, shares)
    # The tolerance keeps 16.999999999 at 17.
    units = np.floor(shares + 1e-9).astype(np.int64)
    missing = num_units - units.sum(-1, keepdims=True)
    # Remainders are compared to 1e-9, so that equal shares tie; reversed, a stable sort lets the
    # later slice win.
    remainder = np.rint((shares - units) * 1e9)[..., ::-1]
    order = np.argsort(-remainder, axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1)[..., ::-1]
    return units + (rank < missing)


def all_splits(num_units: int) -> NDArray[np.int64]:
    """`(K, 3)` every split of `num_units` with at least one unit each, in lexicographic order.

    Example:
        >>> len(all_splits(10)), len(all_splits(50))
        (36, 1176)
    """
    first, second = np.mgrid[1 : num_units - 1, 1 : num_units - 1].reshape(2, -1)
    kept = first + second < num_units
    first, second = first[kept], second[kept]
    return np.stack([first, second, num_units - first - second], axis=1).astype(np.int64)


def split_index(units: NDArray[np.int64], num_units: int) -> NDArray[np.int64]:
    """`(...)` positions of splits `(..., 3)` in `all_splits(num_units)`."""
    first, second = units[..., 0], units[..., 1]
    return (first - 1) * (num_units - 1) - (first - 1) * first // 2 + second - 1


def units_to_blocks(num_units: int, unit_hz: float, rb_hz: float) -> NDArray[np.int32]:
    """`(num_units + 1,)` whole resource blocks that fit into 0, 1, ... units."""
    return np.floor(np.arange(num_units + 1) * (unit_hz / rb_hz) + 1e-9).astype(np.int32)


def block_splits(blocks: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Every split that differs in resource blocks, however fine the units are.

    Args:
        blocks: result of `units_to_blocks`.

    Returns:
        The distinct numbers of resource blocks `(R,)` that a slice may get, and splits `(K, 3)` in
        units: each slice holds the fewest units for its blocks, the last slice also the rest.
    """
    num_units = blocks.size - 1
    choices, fewest = np.unique(blocks[1 : num_units - 1], return_index=True)
    fewest = fewest.astype(np.int64) + 1
    first, second = np.meshgrid(fewest, fewest, indexing="ij")
    pairs = np.stack([first.ravel(), second.ravel()], axis=1)
    pairs = pairs[pairs.sum(1) < num_units]
    return choices, np.concatenate([pairs, num_units - pairs.sum(1, keepdims=True)], axis=1)
