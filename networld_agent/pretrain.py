"""Trains one world model on the data of several tasks.

    python -m networld_agent.pretrain --data data/rb data/cbf --preset cpu --out runs/pretrained

A stopped run goes on with the same command, to the same final weights, bit for bit on a CPU.
Several processes: `torchrun --nproc-per-node 2 -m networld_agent.pretrain ...`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wirelessenvs.command import imports_of, program, run

with imports_of(__name__):
    from networld_agent.config import PRESETS, get_preset
    from networld_agent.training import pretrain
    from networld_agent.training.command import add_training_options, chosen_options

__all__ = ["main"]


def _pretrain(options: argparse.Namespace) -> None:
    pretrain(
        options.data,
        options.out,
        get_preset(options.preset, chosen_options(options)),
        trajectories=options.trajectories,
        device=options.device,
        tensorboard=options.tensorboard,
        verify=options.verify,
        report=print,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("networld_agent.pretrain"),
        description="Train a world model on one or more data sets. A stopped run goes on with the "
        "same command.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        metavar="FOLDER",
        help="data sets, or folders of data sets",
    )
    parser.add_argument("--preset", default="demo", help=f"{', '.join(PRESETS)} (default: demo)")
    parser.add_argument("--trajectories", type=int, help="first n of each data set (default: all)")
    add_training_options(parser)
    return run(_pretrain, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
