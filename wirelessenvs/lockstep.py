"""What every batch of environments takes at a reset or a step: seeds and a mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.checks import check_int

__all__ = ["check_mask", "check_seeds"]


def check_seeds(seeds: int | Sequence[int | None] | None, num_envs: int) -> list[int | None]:
    """Returns one seed or None per environment; raises for anything else.

    Example:
        >>> check_seeds(7, 3), check_seeds([7, None, 9], 3)
        ([7, 8, 9], [7, None, 9])
    """
    if seeds is None:
        return [None] * num_envs
    other = isinstance(seeds, np.ndarray) and seeds.ndim != 1
    other = other or isinstance(seeds, (str, bytes, bytearray))
    if isinstance(seeds, (Sequence, np.ndarray)) and not other:
        if len(seeds) != num_envs:
            raise ValueError(f"seed must hold {num_envs} entries, got {len(seeds)}.")
        return [
            None if seed is None else check_int(f"seed[{i}]", seed, 0)
            for i, seed in enumerate(seeds)
        ]
    first = check_int("seed", seeds, 0)
    return [first + env for env in range(num_envs)]


def check_mask(mask: NDArray[np.bool_] | None, num_envs: int) -> NDArray[np.bool_]:
    """Returns `(B,)` booleans, all true for None; raises for anything else."""
    if mask is None:
        return np.ones(num_envs, np.bool_)
    try:
        chosen = np.asarray(mask)
    except ValueError:
        raise ValueError(f"mask must be {num_envs} booleans, got a ragged list.") from None
    if chosen.dtype != np.bool_ or chosen.shape != (num_envs,):
        raise ValueError(
            f"mask must be {num_envs} booleans, got {chosen.dtype} of shape {chosen.shape}."
        )
    return chosen
