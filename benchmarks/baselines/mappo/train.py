"""Trains MAPPO, IPPO or HAPPO in a team's environment, then scores it on episodes never seen.

python -m benchmarks.baselines.mappo.train --env rb-v0 --steps 20000 --out runs/rb-mappo
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wirelessenvs.command import imports_of, program, run

with imports_of(__name__):
    from benchmarks.baselines.mappo.config import MappoConfig
    from benchmarks.baselines.mappo.happo import HappoConfig, HappoLearner
    from benchmarks.baselines.mappo.learner import MappoLearner
    from benchmarks.baselines.online.evaluation import Setting
    from benchmarks.baselines.online.options import (
        add_environment,
        add_evaluation,
        evaluation_of,
        setting_of,
    )
    from benchmarks.baselines.online.run import evaluate_run, report, train_run
    from benchmarks.baselines.online.teams import make_team
    from benchmarks.baselines.shared.options import add_training, config_of
    from benchmarks.baselines.shared.policy import BaselinePolicy

__all__ = ["main", "train_mappo"]


def train_mappo(setting: Setting, config: MappoConfig, folder: Path) -> BaselinePolicy:
    """Trains MAPPO, IPPO or HAPPO, as the options say, into a run's folder as `train_run` does."""
    team = make_team(setting.env, config.num_envs, setting.preset, setting.overrides)
    learner = HappoLearner if isinstance(config, HappoConfig) else MappoLearner
    return train_run(lambda: learner(team, config), config.method, setting, config, folder)


def _train(options: argparse.Namespace) -> None:
    kind = HappoConfig if options.happo else MappoConfig
    config = config_of(kind, options, independent=options.independent)
    setting, evaluation = setting_of(options), evaluation_of(options)
    train_mappo(setting, config, options.out)
    print(report(config.method, options.out, evaluate_run(options.out, setting, evaluation)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.baselines.mappo.train"),
        description="Train MAPPO online, then score it on episodes never seen.",
    )
    add_environment(parser)
    add_training(parser, "environment steps (default: 20000)")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--independent", action="store_true",
        help="IPPO: the critic sees an agent's own observation, not the state",
    )  # fmt: skip
    kinds.add_argument(
        "--happo", action="store_true",
        help="HAPPO: an actor per agent, improved one after the other",
    )  # fmt: skip
    add_evaluation(parser)
    return run(_train, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
