"""Trains DIMA online in a team's environment, then scores it on episodes never seen.

python -m benchmarks.baselines.dima.train --env rb-v0 --preset wireless --steps 20000 \
        --out runs/rb-dima
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wirelessenvs.command import imports_of, program, run

with imports_of(__name__):
    from benchmarks.baselines.dima.config import PRESETS
    from benchmarks.baselines.dima.files import FORM
    from benchmarks.baselines.dima.online import DimaLearner
    from benchmarks.baselines.dima.policy_config import OnlineConfig
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

__all__ = ["main", "train_dima"]


def train_dima(setting: Setting, config: OnlineConfig, folder: Path) -> BaselinePolicy:
    """Trains DIMA into a run's folder as `train_run` does, its world model beside the policy."""
    team = make_team(setting.env, config.num_envs, setting.preset, setting.overrides)
    return train_run(
        lambda: DimaLearner(team, config, folder), "dima", setting, config, folder,
        models=[f"model/{FORM.file}"],
    )  # fmt: skip


def _train(options: argparse.Namespace) -> None:
    config = config_of(OnlineConfig, options, model=options.preset)
    setting, evaluation = setting_of(options), evaluation_of(options)
    train_dima(setting, config, options.out)
    print(report("dima", options.out, evaluate_run(options.out, setting, evaluation)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.baselines.dima.train"),
        description="Train DIMA online, then score it on episodes never seen.",
    )
    add_environment(parser)
    add_training(parser, "environment steps (default: 20000)")
    parser.add_argument(
        "--preset", default="wireless",
        help=f"of the world model, one of {', '.join(PRESETS)} (default: wireless)",
    )  # fmt: skip
    add_evaluation(parser)
    return run(_train, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
