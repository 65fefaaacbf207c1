"""Chooses a baseline's options on validation worlds, one option after another.

    python -m benchmarks.studies.option_search --method cql --data data/rb-rule \
        --set steps=1000 --try credit=neighbors,team --try gamma=0,0.9 \
        --out runs/search-cql-rb --json benchmarks/results/option-search/rb-cql.json

Every value of an option is tried with the best values of those before it, and kept if its policies
earn more, in the mean over training seeds and validation worlds. Test worlds are never played. A
repeated command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.command import run_command
from wirelessenvs.checks import check_int
from wirelessenvs.command import (
    Progress,
    add_overrides,
    imports_of,
    parse_overrides,
    parse_value,
    program,
    split_values,
)
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    import torch

    from benchmarks.baselines import OfflineData, make_baseline
    from benchmarks.baselines.shared.interface import Baseline
    from benchmarks.markdown import table_lines
    from benchmarks.records import remembered, write_figures
    from networld_agent.data import TrajectoryDataset
    from networld_agent.evaluation.episodes import play
    from networld_agent.evaluation.seeds import VALIDATION_SEEDS, group_seeds
    from networld_agent.worlds.interface import Worlds
    from networld_agent.worlds.make import worlds_of

__all__ = ["Trial", "choices", "main", "search"]

_WARM_UP: Final = 5
_COLUMNS: Final = ("option", "reward", "kept")

#: Options by name.
Options = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One setting that was tried.

    Args:
        changed: the option and its value; None for the setting that the search begins with.
        reward: mean per agent and step, over training seeds and validation worlds.
        kept: whether it was better than the best before.
    """

    changed: tuple[str, Any] | None
    reward: float
    kept: bool

    @property
    def label(self) -> str:
        """What was changed, for a table."""
        return "as given" if self.changed is None else "{} = {}".format(*self.changed)


def choices(given: Sequence[str]) -> dict[str, list[Any]]:
    """Reads `["credit=own,team", "gamma=0,0.9"]`.

    Raises:
        ValueError: for an option that stands twice, or what is no option.

    Example:
        >>> choices(["gamma=0,0.9", "credit=team"])
        {'gamma': [0, 0.9], 'credit': ['team']}
    """
    found: dict[str, list[Any]] = {}
    for text in given:
        name, values = split_values(text, "--try")
        if name in found:
            raise ValueError(f"--try names {name} twice: give its values in one.")
        found[name] = [parse_value(value) for value in values]
    return found


def search(
    first: Options,
    tried: dict[str, list[Any]],
    reward: Callable[[Options], float],
) -> tuple[Options, list[Trial]]:
    """The best options found, and all trials in their order.

    Args:
        first: options to begin with.
        tried: values by option, in the order in which options are chosen.
        reward: of options, to be made great.
    """
    best, most = first, float(reward(first))
    trials = [Trial(None, most, True)]
    for name, values in tried.items():
        before = best
        for value in values:
            options = before | {name: value}
            earned = float(reward(options))
            trials.append(Trial((name, value), earned, earned > most))
            if earned > most:
                best, most = options, earned
    return best, trials


class _Judge:
    """Trains with options, and plays validation worlds."""

    def __init__(self, options: argparse.Namespace, baseline: Baseline, data: OfflineData) -> None:
        worlds = worlds_of(data.dataset, options.episodes, options.eval_steps + _WARM_UP)
        if worlds is None:
            raise ValueError(f"{options.data} is of no task of this project: nothing to score on.")
        self._worlds: Worlds = worlds
        self._given, self._baseline, self._data = options, baseline, data
        self._seeds = group_seeds(VALIDATION_SEEDS, None, 1, options.episodes)

    def __call__(self, options: Options) -> float:
        rewards = [self._reward(options, seed) for seed in range(self._given.seeds)]
        return float(np.mean(rewards))

    def _reward(self, options: Options, seed: int) -> float:
        config = self._baseline.config_type.from_json({**options, "seed": seed})
        identity = {
            "method": self._baseline.name,
            "config": config.identity(),
            "data": self._data.identity(),
            "episodes": self._given.episodes,
            "eval_steps": self._given.eval_steps,
        }
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
        folder = self._given.out / key

        def played() -> dict[str, float]:
            policy = self._baseline.fit(self._data, config, folder / "run", progress=False)
            steps = self._given.eval_steps
            found = play(self._worlds, policy, self._seeds, steps, _WARM_UP)
            return {"reward": float(found.rewards.mean())}

        return float(remembered(folder / "played.json", identity, played)["reward"])


def _run(options: argparse.Namespace) -> None:
    for name in ("episodes", "eval_steps", "seeds", "threads"):
        check_int(f"--{name.replace('_', '-')}", getattr(options, name), 1)
    torch.set_num_threads(options.threads)
    baseline, tried = make_baseline(options.method), choices(options.tried)
    first = parse_overrides(options.overrides)
    if "seed" in first or "seed" in tried:
        raise ValueError("seed is no option to set or try: --seeds says how many are trained.")
    for name, values in tried.items():
        for value in values:
            # Refused now, not after minutes of training.
            baseline.config_type.from_json(first | {name: value})
    dataset = TrajectoryDataset.open(options.data)
    data = OfflineData(dataset, options.trajectories, options.first_steps)
    judge = _Judge(options, baseline, data)
    progress = Progress("settings")
    report = progress.counter("search", 1 + sum(map(len, tried.values())))
    done = itertools.count(1)

    def reward(chosen: Options) -> float:
        earned = judge(chosen)
        report(next(done))
        return earned

    best, trials = search(first, tried, reward)
    progress.close()
    machine = machine_lines(("wirelessenvs", "torch", "numpy"))
    print("\n".join(machine))
    print(f"\n{options.method} on {dataset}, {options.seeds} training seeds\n")
    rows = [[trial.label, f"{trial.reward:.4f}", "yes" if trial.kept else ""] for trial in trials]
    print("\n".join(table_lines(_COLUMNS, rows)))
    print(f"\nbest: {' '.join(f'{name}={value}' for name, value in best.items())}")
    if options.json is not None:
        figures = {
            "best": best,
            "trials": [
                {"option": trial.label, "reward": trial.reward, "kept": trial.kept}
                for trial in trials
            ],
        }
        write_figures(options.json, [options.command], machine, figures)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.studies.option_search"),
        description="Choose a baseline's options on validation worlds, one after another.",
    )
    parser.add_argument("--method", required=True, help="a baseline, or module:Class of your own")
    parser.add_argument("--data", type=Path, required=True, help="a data set of one task")
    parser.add_argument("--trajectories", type=int, help="first of the data set (default: all)")
    parser.add_argument("--first-steps", type=int, help="of each trajectory (default: all)")
    add_overrides(parser, "an option to begin with, e.g. --set steps=1000", "OPTION=VALUE")
    parser.add_argument(
        "--try", dest="tried", action="append", default=[], metavar="OPTION=VALUE,VALUE",
        help="values of an option to try; repeatable, in the order in which options are chosen",
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, default=2, help="training seeds (default: 2)")
    parser.add_argument("--episodes", type=int, default=8, help="validation worlds (default: 8)")
    parser.add_argument("--eval-steps", type=int, default=100, help="of each (default: 100)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the training runs")
    parser.add_argument("--json", type=Path, help="write all figures")
    return run_command(_run, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
