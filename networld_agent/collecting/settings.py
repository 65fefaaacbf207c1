"""What to collect: everything that the bytes of a data set depend on, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from networld_agent.collecting.tiers import (
    REPLAY_SHARES,
    default_epsilon,
    default_seed,
    episode_policies,
)
from wirelessenvs.checks import check_int, check_real
from wirelessenvs.families import Deployment
from wirelessenvs.seeds import EVALUATION_SEEDS, is_reserved

__all__ = ["CollectionSettings"]


@dataclass(frozen=True, kw_only=True)
class CollectionSettings:
    """Settings of one collection.

    How the work is shared out (batch size, processes, cluster) is not here: it changes the time
    that collection takes and nothing else.

    Args:
        env: id of a task ("rb-v0"), or `module:factory` of any PettingZoo parallel environment
            whose agents share one observation and one action space.
        preset: named configuration of a task; its first one by default.
        overrides: fields of the task's configuration, or arguments of the factory.
        policy: a tier, the name of a policy of the task, or `module:Class` of a
            `wirelessenvs.Policy` of one's own. For an environment from a factory "random" or
            `module:function`: `function(observations (N, D), rng) -> (N[, A])` actions.
        epsilon: probability that an agent acts at random in a step; the random action is recorded
            as it was executed. By default 0.3 of the tier "rule", 0.05 of others; "replay" has
            shares of its own.
        episodes: E.
        steps: T of every episode.
        seed: of episode 0; episode e has `seed + e`. By default each tier has its own range.
        deployment: of a family, played instead of a preset; then "expert" is the family's.
        state: record the global state, too, which methods with a central critic learn from.

    Raises:
        ValueError: for a value out of bounds or seeds that are reserved for evaluation.
    """

    env: str
    preset: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    policy: str = "expert"
    epsilon: float | None = None
    episodes: int = 100
    steps: int = 1000
    seed: int | None = None
    deployment: Deployment | None = None
    state: bool = False

    def __post_init__(self) -> None:
        if self.epsilon is None:
            object.__setattr__(self, "epsilon", default_epsilon(self.policy))
        check_real("--epsilon", self.epsilon, 0, 1)
        if self.policy == "replay" and self.epsilon != REPLAY_SHARES[-1]:
            raise ValueError(
                f"--epsilon does not go with the tier replay, whose episodes have shares of their "
                f"own, {', '.join(map(str, REPLAY_SHARES))} in turn; got {self.epsilon:g}."
            )
        site = self.deployment
        if site is not None and (self.env, self.preset) != (site.family.task_id, None):
            raise ValueError(
                f"deployment {site.name} is one of {site.family.task_id} without a preset, "
                f"got env={self.env!r}, preset={self.preset!r}."
            )
        check_int("--episodes", self.episodes, 1, 10_000_000)
        check_int("--steps", self.steps, 1, 10_000_000)
        if self.seed is None:
            object.__setattr__(self, "seed", default_seed(self.policy))
        check_int("--seed", self.seed, 0, 2**62)
        assert self.seed is not None
        if is_reserved(self.seed, self.episodes):
            raise ValueError(
                f"--seed {self.seed} with {self.episodes} episodes reaches into the seeds "
                f"{EVALUATION_SEEDS.start} to {EVALUATION_SEEDS.stop - 1}, which are reserved for "
                "evaluation."
            )

    @property
    def foreign(self) -> bool:
        """Whether the environment is made by a factory outside this project."""
        return ":" in self.env

    @property
    def seeds(self) -> tuple[int, ...]:
        """`(E,)` seed of every episode."""
        assert self.seed is not None
        return tuple(range(self.seed, self.seed + self.episodes))

    @property
    def episode_policies(self) -> tuple[str, ...]:
        """`(E,)` tier or policy of every episode."""
        return episode_policies(self.policy, self.episodes)
