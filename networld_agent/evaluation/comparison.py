"""Methods side by side: all play the same worlds after the same openings, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from networld_agent.collecting.tiers import tier_policy
from networld_agent.evaluation.episodes import Episodes, play
from networld_agent.evaluation.players import Player, PolicyPlayer
from networld_agent.evaluation.table import Row, make_rows
from networld_agent.worlds.interface import Worlds
from wirelessenvs.command import Progress
from wirelessenvs.tasks import get_task

__all__ = ["TIERS", "evaluate", "reference_players"]

#: Reference rows, from below to above; "medium" is the best rule without a model of the task.
TIERS: Final = ("random", "medium", "expert", "genie")


def reference_players(worlds: Worlds, names: Sequence[str] | None = None) -> list[Player]:
    """What the task itself ships to compare with; random actions where it ships nothing.

    Args:
        worlds: of the task.
        names: tiers, policies or `module:Class`; "all" stands for every policy of the task; `TIERS`
            by default. Of an environment of others "random", the default, and `module:function`.

    Raises:
        ValueError: for an unknown name; the sentence lists those that exist.
    """
    if worlds.simulator is None:
        return [PolicyPlayer(worlds, name) for name in (("random",) if names is None else names)]
    task, config = get_task(worlds.task), worlds.simulator.config
    chosen: dict[str, str] = {}
    for name in TIERS if names is None else names:
        if name == "all":
            chosen.update({policy: policy for policy in task.policies})
            continue
        policy = tier_policy(task, name, config, "--policies")
        anchor = name in ("random", "expert") or policy == name
        chosen[name if anchor else f"{name} ({policy})"] = policy
    return [PolicyPlayer(worlds, policy, name) for name, policy in chosen.items()]


def evaluate(
    worlds: Worlds,
    players: Sequence[Player],
    seeds: Sequence[int],
    steps: int,
    warm_up: int = 5,
    groups: int = 1,
) -> list[Row]:
    """Scores methods on the same episodes; a terminal shows the progress of each.

    Args:
        worlds: B environments; the number of seeds must be a multiple of B.
        players: the methods; "random" and "expert" among them anchor the scores of all.
        seeds: `(E,)` of the episodes, see `group_seeds`.
        steps: counted per episode.
        warm_up: random joint actions before them, the same for all methods.
        groups: equal parts of the seeds whose spread is told.

    Returns:
        One row per method, in the order given.

    Example:
        >>> from networld_agent.worlds.make import make_worlds
        >>> worlds = make_worlds("rb-v0", 2, 15, "rb-8", {})
        >>> players = reference_players(worlds, ["random", "expert"])
        >>> rows = evaluate(worlds, players, [1_000_000, 1_000_001], steps=10)
        >>> [(row.method, round(row.score)) for row in rows]
        [('random', 0), ('expert', 100)]
    """
    results: dict[str, Episodes] = {}
    total = (warm_up + steps) * (len(seeds) // worlds.num_envs)
    progress = Progress("steps")
    for player in players:
        report = progress.counter(player.name, total)
        results[player.name] = play(worlds, player, seeds, steps, warm_up, report)
    progress.close()
    return make_rows(results, {player.name: player.information for player in players}, groups)
