"""Gives a trained world model values of a task's actions, learnt from recorded transitions.

    python -m networld_agent.value --model runs/rb --data data/rb-rule

Plans repeat what the data's policy does; values say which of its actions, random ones included, led
to more. The model is replaced as a whole in the end: a stopped command has changed nothing. How
much values weigh is chosen by `python -m networld_agent.evaluate --tune-guidance`.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from wirelessenvs.command import (
    Progress,
    add_no_verify,
    add_overrides,
    imports_of,
    parse_overrides,
    program,
    run,
)

with imports_of(__name__):
    from networld_agent.data import TrajectoryDataset
    from networld_agent.data.windows import WindowSource, first_segments
    from networld_agent.device import pick_device
    from networld_agent.model import WorldModel
    from networld_agent.training.action_values import ValueConfig, learn_action_values

__all__ = ["main"]


def _learn(options: argparse.Namespace) -> None:
    chosen = parse_overrides(options.overrides)
    known = [field.name for field in dataclasses.fields(ValueConfig)]
    for name in chosen:
        if name not in known:
            raise ValueError(f"unknown option {name!r}; options: {', '.join(known)}.")
    config = ValueConfig(**chosen)
    model = WorldModel.load(options.model, pick_device(options.device))
    dataset = TrajectoryDataset.open(options.data, options.verify)
    source = WindowSource(dataset, first_segments(dataset, options.trajectories))
    line = Progress("updates", every_s=10)
    try:
        learn_action_values(model, source, config, line.counter("values", config.steps))
    finally:
        line.close()
    model.save(options.model)
    print(
        f"{options.model} has values of the actions of {source.task} after {config.steps} updates"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("networld_agent.value"),
        description="Give a trained model values of a task's actions, learnt from its data.",
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--data", type=Path, required=True, help="data set of a task that it knows")
    parser.add_argument("--trajectories", type=int, help="first n of them (default: all)")
    add_overrides(parser, "an option of learning, e.g. --set credit=team; repeatable")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    add_no_verify(parser)
    return run(_learn, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
