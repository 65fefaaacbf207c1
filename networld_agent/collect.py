"""Collects offline data: `python -m networld_agent.collect --env rb-v0 --out data/rb-expert`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from networld_agent.collecting import TIERS, CollectionSettings, collect
from networld_agent.collecting.run import available_cores, on_line
from networld_agent.data.metadata import Metadata
from networld_agent.data.writer import partial_folder
from wirelessenvs.command import Progress, add_config_options, parse_overrides, program, run

__all__ = ["main"]


def _collect(options: argparse.Namespace) -> None:
    settings = CollectionSettings(
        env=options.env,
        preset=options.preset,
        overrides=parse_overrides(options.overrides),
        policy=options.policy,
        epsilon=options.epsilon,
        episodes=options.episodes,
        steps=options.steps,
        seed=options.seed,
        state=options.state,
    )
    jobs = options.jobs
    if jobs is None:
        # No more processes than whole batches: starting one costs seconds.
        side_by_side = 1 if settings.foreign else max(options.num_envs, 1)
        batches = -(-options.episodes // side_by_side)
        jobs = max(1, min(available_cores(), batches))
    before = options.out.exists()
    line = Progress("steps", every_s=10)
    try:
        path = collect(
            settings,
            options.out,
            num_envs=options.num_envs,
            jobs=jobs,
            ray_address=options.ray,
            report=on_line(line),
        )
    finally:
        line.close()
    metadata = Metadata.read(path)
    size = sum(info.layout.file_bytes for info in metadata.arrays.values())
    returns = metadata.statistics["returns"]
    print(
        f"{path} {'is complete already' if before else 'is complete'}: {settings.episodes} "
        f"episodes of {settings.steps} steps, {metadata.description.num_agents} agents, "
        f"{size / 1e9:.3f} GB, mean reward {returns['mean']:.4f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("networld_agent.collect"),
        description="Collect offline data. A stopped run goes on with the same command.",
    )
    parser.add_argument("--env", required=True, help="cbf-v0, rb-v0, slicing-v0 or module:factory")
    add_config_options(parser)
    parser.add_argument(
        "--policy",
        default="expert",
        help=f"{', '.join(TIERS)}, a policy of the task, or module:Class; module:function for an "
        "environment from a factory (default: expert)",
    )
    parser.add_argument(
        "--epsilon", type=float,
        help="share of random actions (default: 0.3 of the tier rule, 0.05 of others)",
    )  # fmt: skip
    parser.add_argument("--episodes", type=int, default=100, help="default: 100")
    parser.add_argument("--steps", type=int, default=1000, help="of each episode (default: 1000)")
    parser.add_argument(
        "--seed", type=int, help="of the first episode (default: the tier's own range)"
    )
    parser.add_argument(
        "--state", action="store_true", help="record the global state, too, for central critics"
    )
    parser.add_argument(
        "--num-envs", type=int, default=64, help="most episodes side by side (default: 64)"
    )
    parser.add_argument(
        "--jobs", type=int, help="worker processes (default: one per core, if there is work)"
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="collect on a Ray cluster: its address, or a local one with --jobs workers",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the data set")
    options = parser.parse_args(arguments)
    show = warnings.showwarning
    warnings.showwarning = _show_warning
    try:
        return run(lambda given: _interruptible(given), options)
    finally:
        warnings.showwarning = show


def _interruptible(options: argparse.Namespace) -> None:
    try:
        _collect(options)
    except KeyboardInterrupt:
        if partial_folder(options.out).exists():
            print(
                "\nfinished episodes are kept: repeat the same command to go on.", file=sys.stderr
            )
        raise
    except RuntimeError as error:
        # A fault inside a worker or a foreign environment.
        raise ValueError(str(error)) from error


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
