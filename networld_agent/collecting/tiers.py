"""Tiers of data: which policy stands behind each name, and where its seeds begin."""

from __future__ import annotations

from typing import Any, Final

from wirelessenvs.checks import check_choice
from wirelessenvs.tasks import Task

__all__ = [
    "MIXED_SHARES",
    "REPLAY_SHARES",
    "TIERS",
    "data_policies",
    "default_epsilon",
    "default_seed",
    "episode_policies",
    "policy_and_share",
    "tier_number",
    "tier_policy",
]

TIERS: Final = ("expert", "genie", "medium", "random", "mixed", "rule", "replay")

#: A mixed data set plays these in turn, episode by episode: one third of each, and any first n
#: episodes hold nearly equal shares.
MIXED_SHARES: Final = ("expert", "medium", "random")

#: Shares of random actions of the episodes of "replay", in turn: what a learner leaves in its
#: memory that explores less and less, on its way to a mediocre rule. Any first n episodes hold
#: nearly equal shares of each.
REPLAY_SHARES: Final = (1.0, 0.7, 0.4, 0.1)

#: First seed of each tier unless another one is asked for: tiers share no world.
_FIRST_SEEDS: Final = {
    "expert": 0, "genie": 100_000, "medium": 200_000, "random": 300_000, "mixed": 400_000,
    "rule": 600_000, "replay": 700_000,
}  # fmt: skip
_OTHER_SEED: Final = 500_000


def default_seed(policy: str) -> int:
    """First seed of a tier's data sets; the same one for all policies that are no tier."""
    return _FIRST_SEEDS.get(policy, _OTHER_SEED)


def tier_number(policy: str) -> int:
    """The seed of a family's data sets by default: small, and another one for each tier."""
    return default_seed(policy) // 100_000


def default_epsilon(policy: str) -> float:
    """Share of random actions of a tier; the same one for all policies that are no tier."""
    # Whether another action is better than the rule's, only data that has others can tell.
    return {"rule": 0.3, "replay": REPLAY_SHARES[-1]}.get(policy, 0.05)


def policy_and_share(label: str, epsilon: float) -> tuple[str, float]:
    """The policy behind the label of an episode, and its share of random actions.

    Example:
        >>> policy_and_share("rule+0.7", 0.1), policy_and_share("expert", 0.05)
        (('rule', 0.7), ('expert', 0.05))
    """
    policy, _, share = label.partition("+")
    return policy, float(share or epsilon)


def _cbf(tier: str, config: Any) -> str:
    if tier == "genie":
        # The expert's own search with the channel of the slot to come.
        return "coordinate-ascent-genie" if config.action == "codebook" else "fp-warm"
    if tier == "rule":
        return "greedy"
    if tier == "medium":
        # Each BS for itself, blind to interference. The observation holds the gains that the rule
        # needs only if it is the sweep; otherwise the simulator lends the own channel.
        return "sweep" if config.observation == "sweep" else "greedy"
    return tier


def _rb(tier: str, config: Any) -> str:  # noqa: ARG001
    # The best rule without a controller: a node scales its need by its neighbours'.
    return {"medium": "mean-field", "rule": "demand"}.get(tier, tier)


def _slicing(tier: str, config: Any) -> str:  # noqa: ARG001
    # "users" is the best rule that needs no model of the traffic: the best fixed split, found by
    # search over simulated windows, is so close to the expert that it would be no tier of its own.
    # The only hidden state of the task is the window to come, which the oracle plays on.
    return {"genie": "oracle", "medium": "users", "rule": "hard"}.get(tier, tier)


def _named(tier: str, config: Any) -> str:  # noqa: ARG001
    # A task of one's own names its policies like the tiers that it has.
    return tier


_TABLE: Final = {"cbf-v0": _cbf, "rb-v0": _rb, "slicing-v0": _slicing}


def tier_policy(task: Task, tier: str, config: Any, what: str = "--policy") -> str:
    """Name of the task's policy that plays a tier; other names and `module:Class` pass through.

    Raises:
        ValueError: if the task has no such policy; the sentence starts with `what` and lists tiers
            and policies.
    """
    if ":" in tier:
        return tier
    name_of = _TABLE.get(task.id, _named)
    known = [t for t in TIERS if name_of(t, config) in task.policies]
    if set(MIXED_SHARES) <= set(known):
        known.append("mixed")
    if "rule" in known:
        known.append("replay")
    check_choice(what, tier, (*known, *(p for p in task.policies if p not in known)))
    return name_of(tier, config) if tier in known else tier


def episode_policies(policy: str, episodes: int) -> tuple[str, ...]:
    """Label of each episode: its tier or policy, and after "+" its own share of random actions.

    "mixed" plays three tiers in turn, "replay" the tier `rule` with falling shares.
    """
    turns: tuple[str, ...] = (policy,)
    if policy == "mixed":
        turns = MIXED_SHARES
    elif policy == "replay":
        turns = tuple(f"rule+{share}" for share in REPLAY_SHARES)
    return tuple(turns[e % len(turns)] for e in range(episodes))


def data_policies(tier: str) -> tuple[str, ...]:
    """The tiers or policies that play the episodes of a tier, each once.

    Example:
        >>> data_policies("mixed"), data_policies("replay")
        (('expert', 'medium', 'random'), ('rule',))
    """
    turns = episode_policies(tier, max(len(MIXED_SHARES), len(REPLAY_SHARES)))
    return tuple(dict.fromkeys(policy_and_share(label, 0.0)[0] for label in turns))
