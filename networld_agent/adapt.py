"""Adapts a pre-trained world model to a task from a few trajectories of it.

    python -m networld_agent.adapt --model runs/pretrained --data data/slicing --trajectories 10 \
        --out runs/slicing

The new task gets an index, an encoder and an inverse dynamics model of its own, all fresh; what is
shared is trained on with it. The last trajectory is held out and decides which
weights are kept and when to stop. `--from-scratch` trains the same network on the same data
without what was learnt before.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from wirelessenvs.command import imports_of, program, run

with imports_of(__name__):
    from networld_agent.config import PRESETS, WorldModelConfig, get_preset
    from networld_agent.training import adapt
    from networld_agent.training.command import add_training_options, chosen_options

__all__ = ["main"]


def _adapt(options: argparse.Namespace) -> None:
    chosen = chosen_options(options)
    for field in dataclasses.fields(WorldModelConfig):
        if field.name in chosen:
            raise ValueError(f"the model's own option {field.name!r} cannot be set here.")
    adapt(
        options.model,
        options.data,
        options.out,
        get_preset(options.preset, chosen),
        trajectories=options.trajectories,
        first_steps=options.first_steps,
        from_scratch=options.from_scratch,
        device=options.device,
        tensorboard=options.tensorboard,
        verify=options.verify,
        report=print,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("networld_agent.adapt"),
        description="Adapt a trained model to a new task. A stopped run goes on with the same "
        "command.",
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--data", type=Path, required=True, help="data set of the new task")
    parser.add_argument("--trajectories", type=int, help="first n of them (default: all)")
    parser.add_argument("--first-steps", type=int, help="of each trajectory (default: all)")
    parser.add_argument(
        "--from-scratch", action="store_true", help="the same network without its training"
    )
    parser.add_argument(
        "--preset", default="demo", help=f"budget: {', '.join(PRESETS)} (default: demo)"
    )
    add_training_options(parser)
    return run(_adapt, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
