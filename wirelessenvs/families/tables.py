"""Learns the slicing experts of many sites at once: `python -m wirelessenvs.families.tables train`.

A site's expert learns its tables when it is first made, in some seconds, and keeps them in the
cache folder. This does so beforehand, in several processes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence

from wirelessenvs.checks import check_int
from wirelessenvs.command import Progress, run
from wirelessenvs.families.catalogue import FAMILIES, deployments
from wirelessenvs.slicing.config import SlicingConfig
from wirelessenvs.slicing.model import cache_folder, slice_model

__all__ = ["main"]


def _learn(place: tuple[str, int]) -> str:
    split, index = place
    config = deployments("slicing", split)[index].config
    assert isinstance(config, SlicingConfig)
    return slice_model(config).fingerprint


def _tables(options: argparse.Namespace) -> None:
    split = deployments("slicing", options.split).split
    count = check_int("--deployments", options.deployments, 1)
    processes = check_int("--processes", options.processes, 1, 1024)
    places = [(split, index) for index in range(count)]
    progress = Progress("deployments")
    report = progress.counter(f"tables of slicing/{split}", count)
    start = time.perf_counter()
    # Spawned: a forked child would inherit threads that compiled code may have started.
    with multiprocessing.get_context("spawn").Pool(min(processes, count)) as pool:
        for done, _ in enumerate(pool.imap_unordered(_learn, places), 1):
            report(done)
    progress.close()
    seconds = time.perf_counter() - start
    print(f"{count} tables in {seconds:.0f} s with {processes} processes, in {cache_folder()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m wirelessenvs.families.tables",
        description="Learn the slicing expert's tables of a split's first deployments.",
    )
    parser.add_argument("split", help=f"one of {', '.join(FAMILIES['slicing'].splits)}")
    parser.add_argument("--deployments", type=int, default=100, help="how many (default: 100)")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="default: one per core"
    )
    return run(_tables, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
