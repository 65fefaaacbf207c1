"""How episodes are shared out: blocks that one batch plays at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

__all__ = ["plan_blocks"]


def plan_blocks(
    missing: Sequence[int], policies: Sequence[str], num_envs: int, jobs: int
) -> list[tuple[int, ...]]:
    """Blocks of at most `num_envs` episodes of one policy, nearly equal in size.

    Args:
        missing: episodes to play.
        policies: `(E,)` policy of every episode of the data set.
        num_envs: most episodes of a block.
        jobs: workers; there are at least as many blocks where the episodes suffice.

    Example:
        >>> [len(block) for block in plan_blocks(range(100), ["expert"] * 100, 64, 2)]
        [50, 50]
    """
    groups: dict[str, list[int]] = {}
    for episode in missing:
        groups.setdefault(policies[episode], []).append(episode)
    blocks: list[tuple[int, ...]] = []
    for episodes in groups.values():
        count = math.ceil(len(episodes) / num_envs)
        # A multiple of the workers: none of them waits for a last block.
        count = min(len(episodes), math.ceil(count / jobs) * jobs)
        bounds = [len(episodes) * i // count for i in range(count + 1)]
        blocks += [tuple(episodes[a:b]) for a, b in itertools.pairwise(bounds)]
    return blocks
