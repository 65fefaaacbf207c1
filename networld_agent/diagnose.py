"""Says which part of a model works and which fails, on one page with plots.

    python -m networld_agent.diagnose --model runs/rb --data data/rb-mixed \
        --held-out data/rb-mixed-held-out --out diagnostics.html

One task per `--data`; environments are rebuilt from the data set's own description.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wirelessenvs.checks import check_int
from wirelessenvs.command import add_no_verify, check_targets, imports_of, program, run, whole_file
from wirelessenvs.faults import check_installed
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    import torch

    from networld_agent.data import TrajectoryDataset
    from networld_agent.data.windows import WindowSource
    from networld_agent.device import pick_device
    from networld_agent.diagnostics.measurements import Measurements, measure, measure_lift
    from networld_agent.diagnostics.page import diagnostics_page, verdicts
    from networld_agent.documents import write_json
    from networld_agent.evaluate import planner_config
    from networld_agent.evaluation.players import check_fit
    from networld_agent.evaluation.seeds import TEST_SEEDS, group_seeds
    from networld_agent.model import WorldModel
    from networld_agent.planning import Planner
    from networld_agent.worlds.make import worlds_of

__all__ = ["main"]


def _sources(data: Path, held_out: Path | None, verify: str) -> tuple[WindowSource, WindowSource]:
    """The windows that the linear model is fitted on, and those that are measured."""
    dataset = TrajectoryDataset.open(data, verify)
    if held_out is not None:
        other = TrajectoryDataset.open(held_out, verify)
        if other.description.task != dataset.description.task:
            raise ValueError(
                f"--held-out {held_out} is of {other.description.task}, but --data {data} of "
                f"{dataset.description.task}."
            )
        return WindowSource(dataset), WindowSource(other)
    count = dataset.num_episodes
    if count < 2:
        raise ValueError(f"--data {data} has a single episode: give --held-out as well.")
    border = count - max(1, count // 5)
    return (
        WindowSource(dataset.select(np.arange(border))),
        WindowSource(dataset.select(np.arange(border, count))),
    )


def _diagnose_task(options: argparse.Namespace, data: Path, held_out: Path | None) -> Measurements:
    training, test = _sources(data, held_out, options.verify)
    config = planner_config(options.plan)
    model = WorldModel.load(options.model, pick_device(options.device))
    planner = Planner(model, training.task, config)
    found = measure(model, training.task, training, test, config, options.windows, options.samples)
    if options.episodes == 0:
        return found
    seeds = group_seeds(TEST_SEEDS, None, 1, options.episodes)
    worlds = worlds_of(training.dataset, len(seeds), options.steps + options.warm_up)
    if worlds is None:
        return found
    check_fit(planner, worlds)
    lifts = measure_lift(
        model, training.task, worlds, seeds, options.steps, config, warm_up=options.warm_up
    )
    return dataclasses.replace(found, lifts=lifts)


def _diagnose(options: argparse.Namespace) -> None:
    for name in ("windows", "samples", "steps"):
        check_int(f"--{name}", getattr(options, name), 1)
    for name in ("episodes", "warm_up"):
        check_int(f"--{name.replace('_', '-')}", getattr(options, name), 0)
    if options.held_out and len(options.held_out) != len(options.data):
        raise ValueError(
            f"give one --held-out per --data: {len(options.data)} of these, "
            f"{len(options.held_out)} of those."
        )
    check_targets(options.out, options.json)
    check_installed("matplotlib")
    if options.threads is not None:
        torch.set_num_threads(check_int("--threads", options.threads, 1))
    held_out = options.held_out or [None] * len(options.data)
    found = []
    for data, other in zip(options.data, held_out, strict=True):
        entry = _diagnose_task(options, data, other)
        found.append(entry)
        print(f"\n{entry.task}")
        for good, sentence in verdicts(entry):
            print(f"  {'yes' if good else 'NO '}  {sentence}")
    command = " ".join(["python -m networld_agent.diagnose", *options.arguments])
    about = [command, *machine_lines(("wirelessenvs", "torch", "numpy"))]
    if not options.held_out:
        about.append(
            "Measured on the last fifth of each data set's episodes. They are held out only if the "
            "model was trained on the others."
        )
    with whole_file(options.out) as partial:
        partial.write_text(diagnostics_page(found, about))
    print(f"\nwrote {options.out}")
    if options.json is not None:
        document = {"about": about, "tasks": [entry.to_json() for entry in found]}
        write_json(options.json, document)
        print(f"wrote {options.json}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("networld_agent.diagnose"),
        description="Say which part of a model works and which fails, on one page with plots.",
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of a trained model")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="data sets, one per task to examine"
    )
    parser.add_argument(
        "--held-out", type=Path, nargs="+", default=[],
        help="data sets that the model has not seen, in the same order (default: the last fifth "
        "of the episodes of --data)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="the page, an HTML file")
    parser.add_argument("--json", type=Path, help="write all figures")
    parser.add_argument("--windows", type=int, default=96, help="joint windows (default: 96)")
    parser.add_argument("--samples", type=int, default=32, help="plans per mean (default: 32)")
    parser.add_argument(
        "--episodes", type=int, default=20, help="of the lift; 0 plays none (default: 20)"
    )
    parser.add_argument("--steps", type=int, default=200, help="per episode (default: 200)")
    parser.add_argument("--warm-up", type=int, default=5, help="random steps (default: 5)")
    parser.add_argument(
        "--plan", metavar="NAME=VALUE", action="append", default=[],
        help="an option of the planner; repeatable",
    )  # fmt: skip
    add_no_verify(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--threads", type=int, help="of torch (default: its own choice)")
    options = parser.parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    return run(_diagnose, options)


if __name__ == "__main__":
    sys.exit(main())
