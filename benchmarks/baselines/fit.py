"""Trains a baseline on offline data.

python -m benchmarks.baselines.fit --method cql --data data/rb-expert --trajectories 10 \
        --out runs/rb-cql --set alpha=2
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.baselines import BASELINES, make_baseline
from benchmarks.baselines.shared.options import add_data, add_training, config_of, data_of
from wirelessenvs.checks import check_choice
from wirelessenvs.command import run

__all__ = ["main"]


def _fit(options: argparse.Namespace) -> None:
    method = make_baseline(check_choice("--method", options.method, tuple(BASELINES)))
    config = config_of(method.config_type, options)
    data = data_of(options)
    policy = method.fit(data, config, options.out)
    print(
        f"{options.out} is complete: {method.name} on {len(data.episodes)} trajectories of "
        f"{data.num_steps} steps, {config.steps} updates, {policy.parameters} weights."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.baselines.fit", description="Train a baseline on offline data."
    )
    parser.add_argument("--method", required=True, help=f"one of {', '.join(BASELINES)}")
    add_data(parser)
    add_training(parser, "updates (default: the method's)")
    return run(_fit, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
