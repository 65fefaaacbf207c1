"""Seeds of evaluation and of tuning: neither is ever in the data, nor in the other."""

from __future__ import annotations

from typing import Final

from wirelessenvs.seeds import EVALUATION_SEEDS

__all__ = ["GROUP_SIZE", "TEST_BLOCKS", "TEST_SEEDS", "VALIDATION_SEEDS", "block_seeds",
           "group_seeds"]  # fmt: skip

#: For choices made after training, such as the guidance scale.
VALIDATION_SEEDS: Final = range(EVALUATION_SEEDS.stop - 100_000, EVALUATION_SEEDS.stop)
#: For the scores that are reported.
TEST_SEEDS: Final = range(EVALUATION_SEEDS.start, VALIDATION_SEEDS.start)
#: First seeds of test worlds that are kept for one comparison each. What options were chosen by, or
#: has been reported before, was played in the first test worlds or in those of validation.
TEST_BLOCKS: Final = {"decisive": TEST_SEEDS.start + 400_000}
#: Episodes that a group of seeds may have.
GROUP_SIZE: Final = 1_000


def group_seeds(allowed: range, first: int | None, groups: int, episodes: int) -> tuple[int, ...]:
    """Seeds of `groups` times `episodes` episodes, group by group.

    Group g holds `first + 1000 g`, `first + 1000 g + 1`, ...: more episodes or more groups keep
    those that were there.

    Args:
        allowed: range that they must lie in.
        first: seed of the first episode; the first allowed one by default.
        groups: number of groups.
        episodes: of each group.

    Raises:
        ValueError: if they do not fit.

    Example:
        >>> group_seeds(TEST_SEEDS, None, 2, 2)
        (1000000, 1000001, 1001000, 1001001)
    """
    first = allowed.start if first is None else first
    if episodes > GROUP_SIZE:
        raise ValueError(f"--episodes must be at most {GROUP_SIZE}, got {episodes}.")
    last = first + (groups - 1) * GROUP_SIZE + episodes - 1
    if first not in allowed or last not in allowed:
        raise ValueError(
            f"seeds {first} to {last} must lie between {allowed.start} and {allowed.stop - 1}: "
            "all others may be in the data."
        )
    return tuple(first + g * GROUP_SIZE + e for g in range(groups) for e in range(episodes))


def block_seeds(block: str | None, episodes: int) -> tuple[int, ...]:
    """Seeds of a block's first test worlds; None for the first ones of all.

    Example:
        >>> block_seeds(None, 2), block_seeds("decisive", 2)
        ((1000000, 1000001), (1400000, 1400001))
    """
    first = None if block is None else TEST_BLOCKS[block]
    return group_seeds(TEST_SEEDS, first, 1, episodes)
