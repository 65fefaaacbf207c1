"""Options that the commands of online methods share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeVar

from benchmarks.baselines.online.evaluation import Evaluation, Setting
from benchmarks.baselines.online.teams import TEAMS
from benchmarks.baselines.shared.config import BaselineConfig
from wirelessenvs.command import parse_overrides

__all__ = [
    "add_environment",
    "add_evaluation",
    "add_training",
    "config_of",
    "evaluation_of",
    "setting_of",
]

C = TypeVar("C", bound=BaselineConfig)


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


def add_training(
    parser: argparse.ArgumentParser, steps: str = "environment steps (default: 20000)"
) -> None:
    """`--out`, `--steps`, `--seed`, `--set`."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--steps", type=int, help=steps)
    parser.add_argument("--seed", type=int, help="of weights, noise and episodes (default: 0)")
    parser.add_argument(
        "--set", dest="overrides", metavar="OPTION=VALUE", action="append", default=[],
        help="replace an option of the method, e.g. --set gamma=0.9; repeatable",
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
    return Setting(options.env, options.env_preset, parse_overrides(options.env_set) or None)


def evaluation_of(options: argparse.Namespace) -> Evaluation:
    """The evaluation that the command's options describe."""
    return Evaluation(options.episodes, options.eval_steps, options.warm_up, options.validation)


def config_of(kind: type[C], options: argparse.Namespace, *more: str) -> C:
    """The method's options."""
    pairs = [*options.overrides, *more]
    for name in ("steps", "seed"):
        if getattr(options, name) is not None:
            pairs.append(f"{name}={getattr(options, name)}")
    return kind.from_overrides(pairs)
