"""Options that the commands which train share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.baselines.shared.offline_data import OfflineData
from benchmarks.baselines.shared.offline_pool import OfflinePool
from networld_agent.data.family import check_training_split, open_datasets
from wirelessenvs.command import add_no_verify, add_overrides, parse_overrides

__all__ = ["add_data", "add_training", "config_of", "data_of"]

C = TypeVar("C", bound=BaselineConfig)


def add_data(parser: argparse.ArgumentParser) -> None:
    """`--data`, `--trajectories`, `--first-steps`, `--no-verify`."""
    parser.add_argument("--data", type=Path, required=True, help="a data set, or a folder of them")
    parser.add_argument("--trajectories", type=int, help="first of each data set (default: all)")
    parser.add_argument("--first-steps", type=int, help="of each trajectory (default: all)")
    add_no_verify(parser)


def add_training(parser: argparse.ArgumentParser, steps: str) -> None:
    """`--out`, `--steps`, `--seed`, `--set`.

    Args:
        parser: of the command.
        steps: what a step is, and how many there are by default.
    """
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--steps", type=int, help=steps)
    parser.add_argument("--seed", type=int, help="of all random numbers (default: 0)")
    add_overrides(
        parser, "replace an option of the method, e.g. --set gamma=0.9; repeatable", "OPTION=VALUE"
    )


def data_of(options: argparse.Namespace) -> OfflineData:
    """The data to train on."""
    datasets = open_datasets([options.data], options.verify)
    parts = [OfflineData(each, options.trajectories, options.first_steps) for each in datasets]
    if len(parts) == 1:
        return parts[0]
    for dataset in datasets:
        check_training_split(dataset)
    return OfflinePool(parts)


def config_of(kind: type[C], options: argparse.Namespace, **more: Any) -> C:
    """The method's options: `--set`, then those with a name of their own.

    Args:
        kind: of the configuration.
        options: of the command.
        **more: further options by name.
    """
    chosen = {**parse_overrides(options.overrides), **more}
    for name in ("steps", "seed"):
        if getattr(options, name) is not None:
            chosen[name] = getattr(options, name)
    return kind.from_json(chosen)
