"""Collects offline data, of one environment or over the deployments of a family.

python -m networld_agent.collect --env rb-v0 --out data/rb-expert
python -m networld_agent.collect --family rb --split train --deployments 64 --out data/rb-family
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from networld_agent.collecting import (
    TIERS,
    CollectionSettings,
    FamilySettings,
    collect,
    collect_family,
)
from networld_agent.collecting.run import available_cores, on_line
from networld_agent.data.family import deployment_folder, total_line
from networld_agent.data.metadata import FAMILY_FILE, Metadata
from networld_agent.data.writer import partial_folder
from networld_agent.deployment_options import (
    OTHER_PAGE,
    add_deployment_options,
    asks_for_family,
    chosen_deployments,
)
from wirelessenvs.command import (
    Progress,
    add_config_options,
    add_overrides,
    parse_overrides,
    program,
    run,
)

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
    # No more processes than whole batches: starting one costs seconds.
    side_by_side = 1 if settings.foreign else max(options.num_envs, 1)
    jobs = _jobs(options, -(-options.episodes // side_by_side))
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


def _collect_family(options: argparse.Namespace) -> None:
    settings = FamilySettings(
        family=options.family,
        split=options.split,
        indices=chosen_deployments(options),
        policy=options.policy,
        overrides=parse_overrides(options.overrides),
        epsilon=options.epsilon,
        episodes=options.episodes_per_deployment,
        steps=options.steps,
        seed=options.seed,
        state=options.state,
    )
    folders = [deployment_folder(options.out, index) for index in settings.indices]
    before = all(folder.exists() for folder in folders)
    line = Progress("steps", every_s=10)
    batches = -(-settings.episodes // max(options.num_envs, 1))
    jobs = _jobs(options, len(folders) if len(folders) > 1 else batches)
    try:
        collect_family(
            settings, options.out, num_envs=options.num_envs, jobs=jobs, report=on_line(line)
        )
    finally:
        line.close()
    print(
        f"{options.out} {'is complete already' if before else 'is complete'}: "
        f"{total_line([Metadata.read(folder) for folder in folders])}"
    )


def _jobs(options: argparse.Namespace, most: int) -> int:
    """`--jobs`; by default one per core, and at most so many."""
    jobs: int | None = options.jobs
    return max(1, min(available_cores(), most)) if jobs is None else jobs


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    over_family = asks_for_family(words)
    parser = argparse.ArgumentParser(
        prog=program("networld_agent.collect"),
        description="Collect offline data. A stopped run goes on with the same command.",
        epilog=None if over_family else OTHER_PAGE,
    )
    if over_family:
        add_deployment_options(parser, 64)
        add_overrides(
            parser, "an argument of the environment that no deployment fixes, e.g. --set "
            "context=true; repeatable",
        )  # fmt: skip
        parser.add_argument("--episodes-per-deployment", type=int, default=2, help="default: 2")
        parser.add_argument(
            "--seed", type=int,
            help="of all episodes: those of two seeds are different ones (default: the tier's own)",
        )  # fmt: skip
    else:
        parser.add_argument(
            "--env", required=True, help="cbf-v0, rb-v0, slicing-v0 or module:factory"
        )
        add_config_options(parser)
        parser.add_argument("--episodes", type=int, default=100, help="default: 100")
        parser.add_argument(
            "--seed", type=int, help="of the first episode (default: the tier's own range)"
        )
        parser.add_argument(
            "--ray",
            nargs="?",
            const="local",
            metavar="ADDRESS",
            help="collect on a Ray cluster: its address, or a local one with --jobs workers",
        )
    parser.add_argument(
        "--policy",
        default="expert",
        help=f"{', '.join(TIERS)}, a policy of the task, or module:Class; module:function for an "
        "environment from a factory (default: expert, of a family its own)",
    )
    parser.add_argument(
        "--epsilon", type=float,
        help="share of random actions (default: 0.3 of the tier rule, 0.05 of others; replay has "
        "its own)",
    )  # fmt: skip
    steps = 500 if over_family else 1000
    parser.add_argument(
        "--steps", type=int, default=steps, help=f"of each episode (default: {steps})"
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
        "--out", type=Path, required=True, help="folder of the data set, or of one per deployment"
    )
    options = parser.parse_args(words)
    options.command = _collect_family if over_family else _collect
    return run(_interruptible, options)


def _interruptible(options: argparse.Namespace) -> None:
    try:
        options.command(options)
    except KeyboardInterrupt:
        if partial_folder(options.out).exists() or (options.out / FAMILY_FILE).exists():
            print(
                "\nfinished episodes are kept: repeat the same command to go on.", file=sys.stderr
            )
        raise
    except RuntimeError as error:
        # A fault inside a worker or a foreign environment.
        raise ValueError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
