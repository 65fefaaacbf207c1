"""Trains a baseline on offline data.

python -m benchmarks.baselines.fit --method cql --data data/rb-expert --trajectories 10 \
        --out runs/rb-cql --set alpha=2
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from wirelessenvs.command import imports_of, program, run

with imports_of(__name__):
    from benchmarks.baselines import make_baseline
    from benchmarks.baselines.registry import BASELINES, CENTRAL
    from benchmarks.baselines.shared.options import add_data, add_training, config_of, data_of

__all__ = ["main"]


def _fit(options: argparse.Namespace) -> None:
    method = make_baseline(options.method, "--method")
    config = config_of(method.config_type, options)
    data = data_of(options)
    policy = method.fit(data, config, options.out)
    print(
        f"{options.out} is complete: {method.name} on {data.num_trajectories} trajectories of "
        f"{data.num_steps} steps, {config.steps} updates, {policy.parameters} weights."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.baselines.fit"), description="Train a baseline on offline data."
    )
    known = ", ".join((*BASELINES, *CENTRAL))
    parser.add_argument(
        "--method", required=True,
        help=f"one of {known}, MODULE:CLASS of your own, or the name of one that is installed",
    )  # fmt: skip
    add_data(parser)
    add_training(parser, "updates (default: the method's)")
    return run(_fit, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
