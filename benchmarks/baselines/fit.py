"""Trains a baseline on offline data.

python -m benchmarks.baselines.fit --method cql --data data/rb-expert --trajectories 10 \
        --out runs/rb-cql --set alpha=2
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.baselines import OfflineData, make_baseline
from benchmarks.baselines.registry import BASELINES, CENTRAL
from networld_agent.data import TrajectoryDataset
from wirelessenvs.command import run

__all__ = ["main"]


def _fit(options: argparse.Namespace) -> None:
    method = make_baseline(options.method, "--method")
    pairs = list(options.overrides)
    for name in ("steps", "seed"):
        if getattr(options, name) is not None:
            pairs.append(f"{name}={getattr(options, name)}")
    config = method.config_type.from_overrides(pairs)
    dataset = TrajectoryDataset.open(options.data)
    data = OfflineData(dataset, options.trajectories, options.first_steps)
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
    known = ", ".join((*BASELINES, *CENTRAL))
    parser.add_argument(
        "--method", required=True,
        help=f"one of {known}, MODULE:CLASS of your own, or the name of one that is installed",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, help="folder of a data set")
    parser.add_argument("--trajectories", type=int, help="first joint trajectories (default: all)")
    parser.add_argument("--first-steps", type=int, help="of each trajectory (default: all)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--steps", type=int, help="updates (default: the method's)")
    parser.add_argument("--seed", type=int, help="of weights, batches and noise (default: 0)")
    parser.add_argument(
        "--set", dest="overrides", metavar="OPTION=VALUE", action="append", default=[],
        help="replace an option of the method, e.g. --set batch_size=128; repeatable",
    )  # fmt: skip
    return run(_fit, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
