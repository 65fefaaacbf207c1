"""Scores trained baselines beside the task's own policies, all on the same seeds.

python -m benchmarks.baselines.play --policy runs/rb-cql --env rb-v0 --preset rb-8 \
        --episodes 8 --steps 200
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.baselines import load_policy
from networld_agent.evaluate import reference_policies
from networld_agent.evaluation.episodes import Episodes, play
from networld_agent.evaluation.players import Player, PolicyPlayer, RandomPlayer, check_fit
from networld_agent.evaluation.seeds import TEST_SEEDS, VALIDATION_SEEDS, group_seeds
from networld_agent.evaluation.table import make_rows, printed
from networld_agent.worlds.make import make_worlds
from wirelessenvs.checks import check_int
from wirelessenvs.command import Progress, add_config_options, parse_overrides, run
from wirelessenvs.machine import machine_lines
from wirelessenvs.tasks import TASKS, get_task

__all__ = ["main"]


def _play(options: argparse.Namespace) -> None:
    for name in ("episodes", "steps", "seeds"):
        check_int(f"--{name}", getattr(options, name), 1)
    check_int("--warm-up", options.warm_up, 0)
    allowed = VALIDATION_SEEDS if options.validation else TEST_SEEDS
    seeds = group_seeds(allowed, None, options.seeds, options.episodes)
    total = options.steps + options.warm_up
    overrides = parse_overrides(options.overrides)
    worlds = make_worlds(options.env, options.episodes, total, options.preset, overrides)
    players: list[Player] = []
    for path in options.policy:
        policy = load_policy(path, options.method)
        check_fit(policy, worlds)
        if len(options.policy) > 1:
            policy.name = f"{policy.name} {path}"
        players.append(policy)
    references = reference_policies(worlds, options.policies)
    players += [PolicyPlayer(worlds, policy, name) for name, policy in references.items()]
    if worlds.simulator is None:
        players.append(RandomPlayer(worlds))
    print("\n".join(machine_lines(("wirelessenvs", "torch", "numpy"))))
    print(
        f"\n{worlds.task}: {options.seeds} x {options.episodes} "
        f"{'validation' if options.validation else 'test'} episodes of {options.steps} steps, "
        f"after {options.warm_up} random ones\n"
    )
    results: dict[str, Episodes] = {}
    for player in players:
        progress = Progress(player.name, total * options.seeds)
        results[player.name] = play(worlds, player, seeds, options.steps, options.warm_up, progress)
        progress.close()
    rows = make_rows(results, {p.name: p.information for p in players}, options.seeds)
    print(printed(rows, get_task(worlds.task).score if worlds.task in TASKS else None))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.baselines.play",
        description="Score trained baselines beside the task's own policies, on the same seeds.",
    )
    parser.add_argument(
        "--policy", type=Path, action="append", default=[],
        help="folder of a run or of a policy; repeatable, one row each",
    )  # fmt: skip
    parser.add_argument(
        "--method", action="append", default=[], metavar="MODULE:CLASS",
        help="class of a method of your own that a policy is of; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--env", required=True, help=f"one of {', '.join(TASKS)}, or module:factory"
    )
    parser.add_argument("--episodes", type=int, default=20, help="per seed (default: 20)")
    parser.add_argument("--steps", type=int, default=1000, help="per episode (default: 1000)")
    parser.add_argument("--seeds", type=int, default=1, help="groups of episodes (default: 1)")
    parser.add_argument(
        "--validation", action="store_true",
        help="play the seeds that choices are made on, not those that scores are reported on",
    )  # fmt: skip
    parser.add_argument(
        "--warm-up", type=int, default=5,
        help="random joint actions at the start of an episode, not counted (default: 5)",
    )  # fmt: skip
    parser.add_argument(
        "--policies", nargs="*", default=["random", "medium", "expert"],
        help="tiers, policies or module:Class to play beside it, or all "
        "(default: random medium expert)",
    )  # fmt: skip
    add_config_options(parser)
    return run(_play, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
