"""Scores trained baselines beside the task's own policies, all on the same seeds.

python -m benchmarks.baselines.play --policy runs/rb-cql --env rb-v0 --preset rb-8 \
        --episodes 8 --steps 200
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.baselines import BaselinePolicy, load_policy
from benchmarks.baselines.shared.action_codec import spec_of_space
from networld_agent.evaluate import reference_policies
from networld_agent.evaluation.episodes import Episodes, play
from networld_agent.evaluation.players import Player, PolicyPlayer, RandomPlayer
from networld_agent.evaluation.seeds import TEST_SEEDS, VALIDATION_SEEDS, group_seeds
from networld_agent.evaluation.table import make_rows, printed
from networld_agent.worlds.interface import Worlds
from networld_agent.worlds.make import make_worlds
from wirelessenvs.checks import check_int
from wirelessenvs.command import Progress, add_config_options, parse_overrides, run
from wirelessenvs.machine import machine_lines
from wirelessenvs.tasks import TASKS, get_task

__all__ = ["check_policy_fits", "main"]


def check_policy_fits(policy: BaselinePolicy, worlds: Worlds) -> None:
    """Raises in one sentence if a policy was not made for these environments.

    Raises:
        ValueError: naming the size or action space that differs.
    """
    spec = policy.spec
    if spec.observation_size != worlds.observation_size:
        raise ValueError(
            f"the policy {policy.name} reads {spec.observation_size} entries per observation, but "
            f"these environments give {worlds.observation_size}: another preset or observation."
        )
    theirs = worlds.action_space
    if spec.action.kind == "box":
        low, high = (np.ravel(getattr(theirs, name, np.zeros(0))) for name in ("low", "high"))
        # Where the space has no bound, the policy's bounds are those of its data.
        fits = len(low) == len(spec.action.low) and all(
            np.allclose(np.array(ours)[np.isfinite(bound)], bound[np.isfinite(bound)])
            for ours, bound in ((spec.action.low, low), (spec.action.high, high))
        )
    else:
        fits = hasattr(theirs, "n") or hasattr(theirs, "nvec")
        fits = fits and spec_of_space(theirs) == spec.action
    if not fits:
        raise ValueError(
            f"the policy {policy.name} acts in another action space ({spec.action.kind}, "
            f"{spec.action.sizes or f'{len(spec.action.low)} reals'}) than these environments "
            f"({theirs})."
        )


def _folder(path: Path) -> Path:
    """The folder of a policy, or of the run that holds it."""
    return path / "policy" if (path / "policy" / "policy.json").exists() else path


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
        policy = load_policy(_folder(path))
        check_policy_fits(policy, worlds)
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
    progress = Progress("steps")
    for player in players:
        report = progress.counter(player.name, total * options.seeds)
        results[player.name] = play(worlds, player, seeds, options.steps, options.warm_up, report)
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
        help="tiers or policies to play beside it, or all (default: random medium expert)",
    )  # fmt: skip
    add_config_options(parser)
    return run(_play, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
