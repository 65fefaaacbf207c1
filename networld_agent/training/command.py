"""Options that the commands `pretrain` and `adapt` share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from networld_agent.config import parse_options
from wirelessenvs.command import add_no_verify, add_overrides

__all__ = ["add_training_options", "chosen_options"]


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that every training command has."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    add_overrides(
        parser,
        "replace an option of the preset, e.g. --set horizon=16; repeatable",
        "OPTION=VALUE",
    )
    parser.add_argument("--steps", type=int, help="optimiser steps (default: the preset's)")
    parser.add_argument("--seed", type=int, help="of weights, batches and noise (default: 0)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    parser.add_argument("--compile", action="store_true", help="torch.compile: minutes to warm up")
    add_no_verify(parser)
    parser.add_argument("--tensorboard", action="store_true", help="write TensorBoard files too")


def chosen_options(options: argparse.Namespace) -> dict[str, Any]:
    """`--set` with the options that have a name of their own, as `get_preset` takes them."""
    chosen = parse_options(options.overrides)
    for name in ("steps", "seed"):
        if getattr(options, name) is not None:
            chosen[name] = getattr(options, name)
    return {**chosen, "compile": True} if options.compile else chosen
