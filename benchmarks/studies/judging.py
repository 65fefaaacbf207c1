"""How studies of the world model score one: unguided plans in test worlds of a data set's task."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from networld_agent.config import PRESETS
from networld_agent.data import TrajectoryDataset
from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.players import PlannerPlayer, Player, PolicyPlayer, check_fit
from networld_agent.evaluation.seeds import TEST_SEEDS, group_seeds
from networld_agent.planning import Planner, PlannerConfig
from networld_agent.worlds.make import worlds_of
from wirelessenvs.checks import check_int
from wirelessenvs.command import Progress

__all__ = ["UNGUIDED", "Judge", "add_judging", "check_judging", "with_progress"]

T = TypeVar("T")

#: A plan is what the model holds for likely.
UNGUIDED: Final = PlannerConfig(plan_mode="none")
_WARM_UP: Final = 5


def add_judging(parser: argparse.ArgumentParser, episodes: int) -> None:
    """`--data`, `--preset`, `--episodes`, `--eval-steps`, `--threads`, `--json`."""
    parser.add_argument("--data", type=Path, required=True, help="expert data set of one task")
    parser.add_argument("--preset", default="demo", help=f"{', '.join(PRESETS)} (default: demo)")
    parser.add_argument(
        "--episodes", type=int, default=episodes, help=f"test worlds (default: {episodes})"
    )
    parser.add_argument("--eval-steps", type=int, default=100, help="of each (default: 100)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--json", type=Path, help="write all figures")


def check_judging(options: argparse.Namespace) -> TrajectoryDataset:
    """Refuses wrong ones of these options, sets threads, and opens the data set."""
    for name in ("episodes", "eval_steps", "threads"):
        check_int(f"--{name.replace('_', '-')}", getattr(options, name), 1)
    torch.set_num_threads(options.threads)
    return TrajectoryDataset.open(options.data)


class Judge:
    """Test worlds, and what the random policy and the expert earn in them.

    Args:
        dataset: of a task of this project.
        options: as `check_judging` takes them.

    Attributes:
        task: of the worlds.
        random: rewards `(E,)` of the random policy.
        expert: rewards `(E,)` of the expert.

    Raises:
        ValueError: for data of another task.
    """

    def __init__(self, dataset: TrajectoryDataset, options: argparse.Namespace) -> None:
        worlds = worlds_of(dataset, options.episodes, options.eval_steps + _WARM_UP)
        if worlds is None:
            raise ValueError(f"{options.data} is of no task of this project: nothing to score on.")
        self._worlds, self._steps, self.task = worlds, options.eval_steps, worlds.task
        self._seeds = group_seeds(TEST_SEEDS, None, 1, options.episodes)
        self.random = self._played(PolicyPlayer(worlds, "random"))
        self.expert = self._played(PolicyPlayer(worlds, "expert"))

    def rewards(self, planner: Planner) -> NDArray[np.float64]:
        """Rewards `(E,)` of a planner."""
        check_fit(planner, self._worlds)
        return self._played(PlannerPlayer(planner))

    def _played(self, player: Player) -> NDArray[np.float64]:
        return play(self._worlds, player, self._seeds, self._steps, _WARM_UP).rewards


def with_progress(label: str, items: Sequence[T]) -> Iterator[T]:
    """The items one after the other, with a line on the terminal."""
    progress = Progress(label)
    report = progress.counter(label, len(items))
    for done, item in enumerate(items, 1):
        yield item
        report(done)
    progress.close()
