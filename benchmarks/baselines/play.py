"""Scores trained baselines beside the task's own policies, all on the same seeds.

python -m benchmarks.baselines.play --policy runs/rb-cql --env rb-v0 --preset rb-8 \
        --episodes 8 --steps 200
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wirelessenvs.command import imports_of, parse_overrides, program, run
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    from benchmarks.baselines import load_policy
    from networld_agent.evaluation.comparison import reference_players
    from networld_agent.evaluation.options import (
        add_episode_options,
        check_episode_options,
        print_scores,
    )
    from networld_agent.evaluation.players import Player, check_fit
    from networld_agent.evaluation.seeds import TEST_SEEDS, VALIDATION_SEEDS, group_seeds
    from networld_agent.worlds.make import make_worlds

__all__ = ["main"]

_REFERENCES: Final = ("random", "medium", "expert")


def _play(options: argparse.Namespace) -> None:
    check_episode_options(options)
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
    names = options.policies
    if names is None and worlds.simulator is not None:
        names = _REFERENCES
    players += reference_players(worlds, names)
    print("\n".join(machine_lines(("wirelessenvs", "torch", "numpy"))))
    kind = "validation" if options.validation else "test"
    print_scores(options, worlds, players, seeds, f"{kind} episodes")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.baselines.play"),
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
    add_episode_options(parser, seeds=1)
    parser.add_argument(
        "--validation", action="store_true",
        help="play the seeds that choices are made on, not those that scores are reported on",
    )  # fmt: skip
    parser.add_argument(
        "--policies", nargs="*",
        help="tiers, policies or module:Class to play beside it, or all; random or "
        f"module:function in an environment from a factory (default: {' '.join(_REFERENCES)})",
    )  # fmt: skip
    return run(_play, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
