"""Which seeds are for evaluation and which for data: one place, so that they never overlap."""

from __future__ import annotations

__all__ = ["EVALUATION_SEEDS", "is_reserved"]

#: Seeds that only evaluation may use. Data sets are refused here, so that no layout, fading or
#: traffic that a method is judged on is ever in the data that it learnt from.
EVALUATION_SEEDS = range(1_000_000, 2_000_000)


def is_reserved(first: int, count: int) -> bool:
    """Whether one of the seeds `first`, ..., `first + count - 1` is for evaluation.

    Example:
        >>> is_reserved(0, 100), is_reserved(999_990, 100)
        (False, True)
    """
    return first < EVALUATION_SEEDS.stop and first + count > EVALUATION_SEEDS.start
