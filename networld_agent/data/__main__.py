"""Looks after data sets: `python -m networld_agent.data inspect|verify|export|subset|import`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from networld_agent.data import family
from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.family import dataset_folders, open_datasets
from networld_agent.data.inspection import plot, summary
from networld_agent.data.subset import write_subset
from wirelessenvs.checks import check_int
from wirelessenvs.command import Progress, add_no_verify, check_targets, program, run

__all__ = ["main"]


def _inspect(options: argparse.Namespace) -> None:
    check_targets(options.plot)
    if dataset_folders(options.dataset) != [options.dataset]:
        if options.plot is not None:
            raise ValueError(f"--plot draws one data set, and {options.dataset} holds several.")
        print(family.summary(options.dataset, open_datasets([options.dataset], options.verify)))
        return
    dataset = TrajectoryDataset.open(options.dataset, options.verify)
    print(summary(dataset))
    if options.plot is not None:
        plot(dataset, options.plot)
        print(f"wrote {options.plot}")


def _verify(options: argparse.Namespace) -> None:
    for given in options.datasets:
        alone = dataset_folders(given) == [given]
        found = [TrajectoryDataset.open(given, "full")] if alone else open_datasets([given], "full")
        for dataset in found:
            arrays = dataset.metadata.arrays.values()
            total = sum(info.layout.file_bytes for info in arrays)
            print(
                f"{dataset.path}: {len(arrays)} arrays, {total} bytes, all values and checksums "
                "are right"
            )


def _chosen(options: argparse.Namespace) -> TrajectoryDataset:
    dataset = TrajectoryDataset.open(options.dataset)
    if options.first is not None:
        return dataset.first(check_int("--first", options.first, 1, dataset.num_episodes))
    if options.episodes is not None:
        start, _, stop = options.episodes.partition(":")
        if not (start.isdecimal() and stop.isdecimal()):
            raise ValueError(f"--episodes takes FROM:TO, got {options.episodes!r}.")
        return dataset.select(range(int(start), int(stop)))
    return dataset


def _subset(options: argparse.Namespace) -> None:
    if options.first is None and options.episodes is None:
        raise ValueError("say which episodes: --first N or --episodes FROM:TO.")
    dataset, line = _chosen(options), Progress("episodes", every_s=10)
    path = write_subset(
        dataset, options.out, lambda done: line("copying", done, dataset.num_episodes)
    )
    line.close()
    print(f"wrote {path}: {dataset.num_episodes} episodes")


def _export(options: argparse.Namespace) -> None:
    from networld_agent.data.minari_exchange import export_minari

    dataset, line = _chosen(options), Progress("episodes", every_s=10)
    path = export_minari(
        dataset,
        options.minari_id,
        options.root,
        lambda done: line("exporting", done, dataset.num_episodes),
        per_agent=options.per_agent,
        reference_episodes=options.reference_episodes,
    )
    line.close()
    print(f"wrote {path}: minari.load_dataset({options.minari_id!r})")


def _import(options: argparse.Namespace) -> None:
    from networld_agent.data.minari_exchange import import_minari

    path = import_minari(options.minari, options.out)
    print(f"wrote {path}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("networld_agent.data"), description="Look after data sets."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    inspect = commands.add_parser("inspect", help="what is in it, as text and picture")
    inspect.add_argument("dataset", type=Path, help="or a folder of data sets")
    inspect.add_argument("--plot", type=Path, metavar="PNG", help="draw it as well")
    add_no_verify(inspect)
    inspect.set_defaults(command=_inspect)

    verify = commands.add_parser("verify", help="check every value and every checksum")
    verify.add_argument("datasets", type=Path, nargs="+", metavar="dataset")
    verify.set_defaults(command=_verify)

    subset = commands.add_parser("subset", help="copy some episodes into a new data set")
    export = commands.add_parser("export", help="write it as a Minari data set (HDF5)")
    for command in (subset, export):
        command.add_argument("dataset", type=Path)
        command.add_argument("--first", type=int, metavar="N", help="the first N episodes")
        command.add_argument("--episodes", metavar="FROM:TO", help="episodes FROM up to TO - 1")
    subset.add_argument("--out", type=Path, required=True)
    subset.set_defaults(command=_subset)
    export.add_argument("--minari-id", required=True, help='such as "rb/expert-v0"')
    export.add_argument("--root", type=Path, help="folder of Minari data sets (default: Minari's)")
    export.add_argument(
        "--per-agent", action="store_true", help="one episode per agent, for single-agent libraries"
    )
    export.add_argument(
        "--reference-episodes", type=int, metavar="N",
        help="play the random policy and the expert for Minari's reference scores (default: those "
        "that are known, if any)",
    )  # fmt: skip
    export.set_defaults(command=_export)

    back = commands.add_parser("import", help="turn an exported Minari data set back")
    back.add_argument("minari", type=Path, help="its folder")
    back.add_argument("--out", type=Path, required=True)
    back.set_defaults(command=_import)

    options = parser.parse_args(arguments)
    return run(options.command, options)


if __name__ == "__main__":
    sys.exit(main())
