"""Splits of the band: real bandwidths to whole units, lists of splits, units to resource blocks."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.compiled import njit

__all__ = [
    "MOST_SPLITS",
    "all_splits",
    "best_splits",
    "block_choices",
    "block_splits",
    "nearest_units",
    "number_of_splits",
    "random_splits",
    "split_index",
    "units_to_blocks",
]

#: Splits that a list may hold: one for each action, or all that a search looks through.
MOST_SPLITS: Final = 300_000


def nearest_units(bandwidths: NDArray[np.float64], num_units: int) -> NDArray[np.int64]:
    """Shares out `num_units` in proportion to non-negative bandwidths, at least one to each slice.

    Largest remainder, ties to the later slice. A slice whose share is below one unit gets one, and
    the others share the rest. Bandwidths that are whole units of the whole band come back
    unchanged; all zero gives equal shares.

    Args:
        bandwidths: `(..., K)`.
        num_units: at least K.

    Returns:
        `(..., K)` positive integers that sum to `num_units`.

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
    for _ in range(weights.shape[-1]):  # each round fixes a slice more, or none is left to fix
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


def number_of_splits(num_units: int, num_slices: int) -> int:
    """How many splits with at least one unit for each slice there are."""
    return math.comb(num_units - 1, num_slices - 1)


def all_splits(num_units: int, num_slices: int = 3) -> NDArray[np.int64]:
    """`(S, K)` every split of `num_units` with at least one unit each, in lexicographic order.

    Example:
        >>> len(all_splits(10)), len(all_splits(50)), len(all_splits(50, 4))
        (36, 1176, 18424)
    """
    # A split is a choice of the K - 1 places where one slice ends and the next begins.
    cuts = itertools.combinations(range(1, num_units), num_slices - 1)
    count = number_of_splits(num_units, num_slices)
    flat = np.fromiter(itertools.chain.from_iterable(cuts), np.int64, count * (num_slices - 1))
    places = np.pad(flat.reshape(count, num_slices - 1), ((0, 0), (1, 1)))
    places[:, -1] = num_units
    return np.diff(places, axis=1)


@functools.cache
def _binomials(num_units: int, num_slices: int) -> NDArray[np.int64]:
    """`(num_units + 1, K)` n over k."""
    rows = [[math.comb(n, k) for k in range(num_slices)] for n in range(num_units + 1)]
    return np.array(rows, np.int64)


def split_index(units: NDArray[np.int64], num_units: int) -> NDArray[np.int64]:
    """`(...)` positions of splits `(..., K)` in `all_splits(num_units, K)`."""
    num_slices = units.shape[-1]
    choose = _binomials(num_units, num_slices)
    index = np.zeros(units.shape[:-1], np.int64)
    rest = np.full(units.shape[:-1], num_units)
    for s in range(num_slices - 1):
        after = num_slices - 1 - s
        # Splits that agree so far and give this slice less come before.
        index += choose[rest - 1, after] - choose[rest - units[..., s], after]
        rest = rest - units[..., s]
    return index


def random_splits(
    rng: np.random.Generator, shape: tuple[int, ...], num_units: int, num_slices: int
) -> NDArray[np.int64]:
    """`(*shape, K)` splits, each as likely as the others: an index in the list, if it is short."""
    count = number_of_splits(num_units, num_slices)
    if num_slices == 3 or count <= MOST_SPLITS:
        return _kept_splits(num_units, num_slices)[rng.integers(count, size=shape)]
    places = rng.random((*shape, num_units - 1))
    cuts = np.sort(places.argpartition(num_slices - 2, axis=-1)[..., : num_slices - 1], axis=-1)
    edge = np.zeros((*shape, 1), np.int64)
    return np.diff(np.concatenate([edge, cuts + 1, edge + num_units], axis=-1), axis=-1)


@functools.lru_cache(maxsize=4)
def _kept_splits(num_units: int, num_slices: int) -> NDArray[np.int64]:
    return all_splits(num_units, num_slices)


def units_to_blocks(num_units: int, unit_hz: float, rb_hz: float) -> NDArray[np.int32]:
    """`(num_units + 1,)` whole resource blocks that fit into 0, 1, ... units."""
    return np.floor(np.arange(num_units + 1) * (unit_hz / rb_hz) + 1e-9).astype(np.int32)


def block_choices(
    blocks: NDArray[np.int32], num_slices: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The distinct numbers of resource blocks `(R,)` that a slice may get, and their fewest units.

    Args:
        blocks: result of `units_to_blocks`.
        num_slices: K.
    """
    choices, fewest = np.unique(blocks[1 : blocks.size - num_slices + 1], return_index=True)
    return choices, fewest.astype(np.int64) + 1


def block_splits(
    blocks: NDArray[np.int32], num_slices: int = 3
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Every split that differs in resource blocks, however fine the units are.

    Args:
        blocks: result of `units_to_blocks`.
        num_slices: K.

    Returns:
        The distinct numbers of resource blocks `(R,)` that a slice may get, and splits `(S, K)` in
        units: each slice holds the fewest units for its blocks, the last slice also the rest.
    """
    num_units = blocks.size - 1
    choices, fewest = block_choices(blocks, num_slices)
    first = np.zeros((1, 0), np.int64)
    for s in range(num_slices - 1):
        later = num_slices - 1 - s  # slices after this one, a unit each
        rows, columns = np.nonzero(first.sum(1)[:, None] + fewest <= num_units - later)
        first = np.concatenate([first[rows], fewest[columns, None]], axis=1)
    return choices, np.concatenate([first, num_units - first.sum(1, keepdims=True)], axis=1)


def best_splits(worth: NDArray[np.float64], blocks: NDArray[np.int32]) -> NDArray[np.int64]:
    """The split of `block_splits` with the greatest sum of what its slices are worth.

    A dynamic programme over the slices: exact, without a list of splits.

    Args:
        worth: `(..., K, R)` of each slice with each of `block_choices`.
        blocks: result of `units_to_blocks`.

    Returns:
        `(..., K)` units.
    """
    num_slices = worth.shape[-2]
    choices, fewest = block_choices(blocks, num_slices)
    # The last slice also holds the units that are left over, as many as they may be.
    last = np.searchsorted(choices, blocks).clip(max=choices.size - 1)
    rows = np.ascontiguousarray(worth, np.float64).reshape(-1, *worth.shape[-2:])
    units = np.empty(rows.shape[:2], np.int64)
    _programme(rows, fewest, last, units)
    return units.reshape(worth.shape[:-1])


@njit(nogil=True)
def _programme(
    worth: NDArray[np.float64],
    fewest: NDArray[np.int64],
    last: NDArray[np.int64],
    units: NDArray[np.int64],
) -> None:
    """`best_splits` of `(P, K, R)`; `last` are the choices of the last slice by its units."""
    num_slices, num_units = worth.shape[1], last.size - 1
    picked = np.empty((num_slices, num_units + 1), np.int64)
    for row in range(worth.shape[0]):
        best = np.full(num_units + 1, -np.inf)  # by the units that the slices so far hold
        best[0] = 0.0
        for s in range(num_slices - 1):
            later = num_slices - 1 - s
            after = np.full(num_units + 1, -np.inf)
            for held in range(num_units):
                if best[held] == -np.inf:
                    continue
                for r in range(fewest.size):
                    total = held + fewest[r]
                    if total > num_units - later:
                        break
                    if best[held] + worth[row, s, r] > after[total]:
                        after[total] = best[held] + worth[row, s, r]
                        picked[s, total] = fewest[r]
            best = after
        found, greatest = -1, -np.inf
        for held in range(num_units):
            if best[held] > -np.inf:
                value = best[held] + worth[row, num_slices - 1, last[num_units - held]]
                if found < 0 or value > greatest:
                    found, greatest = held, value
        units[row, num_slices - 1] = num_units - found
        for s in range(num_slices - 2, -1, -1):
            units[row, s] = picked[s, found]
            found -= picked[s, found]
