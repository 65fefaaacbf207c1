"""The deployments that episodes are played at: which one comes when, and what holds for all."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from wirelessenvs.checks import check_int
from wirelessenvs.families.catalogue import deployments
from wirelessenvs.families.deployment import Deployment

__all__ = ["FamilyPool"]


class FamilyPool:
    """Deployments of a split, for environments that play another one in every episode.

    Args:
        family: "rb", "cbf" or "slicing".
        split: of the family.
        first: only the first so many deployments of the split.
        **overrides: arguments of the task that a deployment leaves open.
    """

    def __init__(self, family: str, split: str, first: int | None = None, **overrides: Any) -> None:
        self.sites = deployments(family, split)
        self._count = len(self.sites)
        if first is not None:
            self._count = check_int("first", first, 1, self._count)
        #: A simulator of the first deployment.
        self.example = self.sites[0].make("simulator", **overrides)
        prefix = self.example.agents[0].removesuffix("0")
        largest = max(self.sites.family.splits[split].sizes)
        #: Those of the largest deployment; an episode has the first of them.
        self.agents = tuple(f"{prefix}{i}" for i in range(largest))
        low = self.example.observation_space.low
        #: Of one agent, without upper bounds: these depend on the deployment.
        self.observation_space = gymnasium.spaces.Box(
            low, np.full_like(low, np.inf), dtype=np.float32
        )
        self.action_space = self.example.action_space
        self.context_space = self.example.context.space

    def draw(self, entropy: int, episode: int) -> tuple[Deployment, int]:
        """Deployment and seed of the `episode`-th episode after seeding with `entropy`."""
        sequence = np.random.SeedSequence(entropy, spawn_key=(episode,))
        index, seed = np.random.default_rng(sequence).integers((self._count, 2**63))
        return self.sites[int(index)], int(seed)
