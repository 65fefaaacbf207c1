"""Options of commands that score methods: which episodes are played, and beside what."""

from __future__ import annotations

import argparse

from networld_agent.worlds.interface import Worlds
from wirelessenvs.checks import check_int
from wirelessenvs.command import add_config_options
from wirelessenvs.tasks import TASKS, get_task

__all__ = ["add_episode_options", "check_episode_options", "shown_metric"]


def add_episode_options(parser: argparse.ArgumentParser, seeds: int) -> None:
    """`--env`, `--preset`, `--set`, `--episodes`, `--steps`, `--seeds`, `--warm-up`.

    Args:
        parser: of the command.
        seeds: groups of episodes by default.
    """
    parser.add_argument(
        "--env", required=True, help=f"one of {', '.join(TASKS)}, or module:factory"
    )
    parser.add_argument("--episodes", type=int, default=20, help="per seed (default: 20)")
    parser.add_argument("--steps", type=int, default=1000, help="per episode (default: 1000)")
    parser.add_argument(
        "--seeds", type=int, default=seeds, help=f"groups of episodes (default: {seeds})"
    )
    parser.add_argument(
        "--warm-up", type=int, default=5,
        help="random joint actions at the start of an episode, not counted (default: 5)",
    )  # fmt: skip
    add_config_options(parser)


def check_episode_options(options: argparse.Namespace) -> None:
    """Refuses numbers that are out of bounds.

    Raises:
        ValueError: naming the option.
    """
    for name in ("episodes", "steps", "seeds"):
        check_int(f"--{name}", getattr(options, name), 1)
    check_int("--warm-up", options.warm_up, 0)


def shown_metric(worlds: Worlds) -> str | None:
    """The metric that a table shows beside the reward: that of the task's score, if it has one."""
    return get_task(worlds.task).score if worlds.task in TASKS else None
