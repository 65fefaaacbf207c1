"""Options of commands that act in a team's environment: which one, and how scores are taken."""

from __future__ import annotations

import argparse

from benchmarks.baselines.online.evaluation import Evaluation, Setting
from benchmarks.baselines.online.teams import TEAMS
from wirelessenvs.command import parse_overrides

__all__ = ["add_environment", "add_evaluation", "evaluation_of", "setting_of"]


def add_environment(parser: argparse.ArgumentParser) -> None:
    """`--env`, `--env-preset`, `--env-set`."""
    parser.add_argument(
        "--env", required=True, help=f"one of {', '.join(TEAMS)}, or module:factory"
    )
    parser.add_argument("--env-preset", help="named configuration of a wireless task")
    parser.add_argument(
        "--env-set", metavar="NAME=VALUE", action="append", default=[],
        help="override one argument of the environment; repeatable",
    )  # fmt: skip


def add_evaluation(parser: argparse.ArgumentParser) -> None:
    """`--episodes`, `--eval-steps`, `--warm-up`, `--validation`."""
    parser.add_argument("--episodes", type=int, default=20, help="test episodes (default: 20)")
    parser.add_argument("--eval-steps", type=int, default=300, help="of each (default: 300)")
    parser.add_argument("--warm-up", type=int, default=5, help="random steps first (default: 5)")
    parser.add_argument(
        "--validation", action="store_true",
        help="play the seeds that choices are made on, not those that scores are reported on",
    )  # fmt: skip


def setting_of(options: argparse.Namespace) -> Setting:
    """The setting that the command's options describe."""
    return Setting(
        options.env, options.env_preset, parse_overrides(options.env_set, "--env-set") or None
    )


def evaluation_of(options: argparse.Namespace) -> Evaluation:
    """The evaluation that the command's options describe."""
    return Evaluation(options.episodes, options.eval_steps, options.warm_up, options.validation)
