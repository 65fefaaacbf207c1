"""Trains DIMA online in a team's environment, then scores it on episodes never seen.

python -m benchmarks.baselines.dima.train --env rb-v0 --preset wireless --steps 20000 \
        --out runs/rb-dima
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.baselines.dima.config import PRESETS
from benchmarks.baselines.dima.online import DimaLearner
from benchmarks.baselines.dima.policy_config import OnlineConfig
from benchmarks.baselines.online.options import (
    add_environment,
    add_evaluation,
    add_training,
    config_of,
    evaluation_of,
    setting_of,
)
from benchmarks.baselines.online.run import evaluate_run, report, train_run
from benchmarks.baselines.online.teams import make_team
from wirelessenvs.command import run

__all__ = ["main"]


def _train(options: argparse.Namespace) -> None:
    config = config_of(OnlineConfig, options, f"model={options.preset}")
    setting, evaluation = setting_of(options), evaluation_of(options)
    team = make_team(setting.env, config.num_envs, setting.preset, setting.overrides)
    folder = options.out
    train_run(lambda: DimaLearner(team, config, folder), "dima", setting, config, folder)
    print(report("dima", folder, evaluate_run(folder, setting, evaluation)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.baselines.dima.train",
        description="Train DIMA online, then score it on episodes never seen.",
    )
    add_environment(parser)
    add_training(parser)
    parser.add_argument(
        "--preset", default="wireless",
        help=f"of the world model, one of {', '.join(PRESETS)} (default: wireless)",
    )  # fmt: skip
    add_evaluation(parser)
    return run(_train, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
