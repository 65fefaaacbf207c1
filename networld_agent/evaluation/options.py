"""What commands that score methods share: which episodes are played, and the table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from networld_agent.evaluation.comparison import evaluate
from networld_agent.evaluation.players import Player
from networld_agent.evaluation.table import Row, printed
from networld_agent.worlds.interface import Worlds
from wirelessenvs.checks import check_int
from wirelessenvs.command import add_config_options
from wirelessenvs.tasks import TASKS, get_task

__all__ = ["add_episode_options", "add_warm_up", "check_episode_options", "print_scores"]


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
    add_warm_up(parser)
    add_config_options(parser)


def add_warm_up(parser: argparse.ArgumentParser) -> None:
    """`--warm-up`."""
    parser.add_argument(
        "--warm-up", type=int, default=5,
        help="random joint actions at the start of an episode, not counted (default: 5)",
    )  # fmt: skip


def check_episode_options(options: argparse.Namespace) -> None:
    """Refuses numbers that are out of bounds.

    Raises:
        ValueError: naming the option.
    """
    for name in ("episodes", "steps", "seeds"):
        check_int(f"--{name}", getattr(options, name), 1)
    check_int("--warm-up", options.warm_up, 0)


def print_scores(
    options: argparse.Namespace,
    worlds: Worlds,
    players: Sequence[Player],
    seeds: Sequence[int],
    what: str,
) -> list[Row]:
    """Scores the players as the options say, and prints a table of them.

    Args:
        options: of the command.
        worlds: as in `evaluate`.
        players: as in `evaluate`.
        seeds: as in `evaluate`.
        what: is played, "test episodes".
    """
    print(
        f"\n{worlds.task}: {options.seeds} x {options.episodes} {what} of {options.steps} steps, "
        f"after {options.warm_up} random ones\n"
    )
    rows = evaluate(worlds, players, seeds, options.steps, options.warm_up, options.seeds)
    print(printed(rows, get_task(worlds.task).score if worlds.task in TASKS else None))
    return rows
