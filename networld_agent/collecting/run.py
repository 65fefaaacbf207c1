"""Collects a data set, from nothing or from where an earlier run was stopped."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from networld_agent.collecting.blocks import plan_blocks
from networld_agent.collecting.processes import play_in_processes
from networld_agent.collecting.settings import CollectionSettings
from networld_agent.collecting.sources import EpisodeSource
from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.metadata import Description, Metadata
from networld_agent.data.writer import DatasetWriter
from networld_agent.errors import DatasetError
from wirelessenvs.checks import check_int

__all__ = ["Reporter", "available_cores", "collect", "on_line"]

#: Told "collecting" or "checksums", how many units are done, and of how many.
Reporter = Callable[[str, int, int], None]


def on_line(line: Reporter) -> Reporter:
    """Shows the collecting alone: checksums take a moment."""

    def report(what: str, done: int, total: int) -> None:
        if what == "collecting":
            line(what, done, total)

    return report


def available_cores() -> int:
    """Processor cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def collect(
    settings: CollectionSettings,
    out: str | Path,
    *,
    num_envs: int = 64,
    jobs: int = 1,
    ray_address: str | None = None,
    report: Reporter | None = None,
) -> Path:
    """Collects a data set into the folder `out`; returns it.

    A run that was stopped goes on from its finished episodes. If `out` already holds exactly this
    data set, nothing is done. Batch size, processes and cluster do not change a byte of it.

    Args:
        settings: what to collect.
        out: folder of the data set; must not exist, or hold this very data set.
        num_envs: most episodes that are played side by side; what a kill can lose per worker.
        jobs: worker processes; 1 works in this process.
        ray_address: collect on a Ray cluster instead: "local" starts one with `jobs` workers,
            "auto" or "host:port" joins one.
        report: called during the work.

    Raises:
        ValueError: if settings do not fit the environment, or `out` holds something else.
        OSError: if the disk cannot take it.
    """
    check_int("--num-envs", num_envs, 1)
    check_int("--jobs", jobs, 1, 10_000)
    with contextlib.closing(EpisodeSource(settings)) as source:
        return _collect(source, settings, Path(out), num_envs, jobs, ray_address, report)


def _collect(
    source: EpisodeSource,
    settings: CollectionSettings,
    target: Path,
    num_envs: int,
    jobs: int,
    ray_address: str | None,
    report: Reporter | None,
) -> Path:
    description = source.describe()
    if target.exists():
        _check_complete(target, description)
        return target
    with DatasetWriter(target, description) as writer:
        missing = writer.missing
        total = settings.episodes * settings.steps
        done = total - len(missing) * settings.steps

        def progress(steps: int) -> None:
            nonlocal done
            done += steps
            if report is not None:
                report("collecting", done, total)

        if settings.foreign:
            # One by one in any case: small blocks are safe on the disk sooner.
            num_envs = min(num_envs, 8)
        blocks = plan_blocks(missing, settings.episode_policies, num_envs, jobs)
        if ray_address is not None and blocks:
            from networld_agent.collecting.ray_cluster import play_on_ray

            play_on_ray(settings, blocks, writer, jobs, ray_address, progress)
        elif jobs > 1 and len(blocks) > 1:
            play_in_processes(settings, blocks, writer, jobs, progress)
        else:
            for block in blocks:
                for chunk in source.play(block):
                    writer.write(chunk)
                    progress(chunk.num_steps)
                writer.commit(block)
        files = len(description.layouts())
        return writer.finish(report and (lambda count: report("checksums", count, files)))


def _check_complete(target: Path, description: Description) -> None:
    """Checks that a folder holds the described data set, every byte of it.

    Raises:
        ValueError: saying what it holds instead, or which of its files is damaged.
    """
    try:
        old = Metadata.read(target).description
    except DatasetError as error:
        raise ValueError(f"{target} exists and is no readable data set: {error}") from None
    if (difference := old.difference(description)) is not None:
        raise ValueError(f"{target} holds a data set with other settings: {difference}.")
    try:
        TrajectoryDataset.open(target)
    except DatasetError as error:
        raise ValueError(
            f"{target} is damaged: {error} Delete that folder to collect it anew."
        ) from None
