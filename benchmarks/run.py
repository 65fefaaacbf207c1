"""Runs the main experiment, or what is missing of it.

    python -m benchmarks.run --preset demo --out runs/benchmark-demo
    python -m benchmarks.report --out runs/benchmark-demo

Repeat the same command after a stop, a crash or a change: what is done under the same settings and
code stays, the rest is done.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from wirelessenvs.checks import check_int, check_real
from wirelessenvs.command import add_overrides, imports_of, program, run
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    from benchmarks.experiment.jobs.experiment import write_experiment
    from benchmarks.experiment.jobs.graph import build
    from benchmarks.experiment.jobs.job import Job, with_inputs
    from benchmarks.experiment.jobs.overview import overview_lines
    from benchmarks.experiment.jobs.pools import LocalPool, Pool
    from benchmarks.experiment.jobs.ray_pool import RayPool
    from benchmarks.experiment.jobs.scheduler import (
        Outcome,
        Scheduler,
        drop_damaged,
        finished_jobs,
        sentence_of,
    )
    from benchmarks.experiment.jobs.store import LOG_FILE, Store
    from benchmarks.experiment.methods import own_methods
    from benchmarks.experiment.presets import PRESETS
    from benchmarks.experiment.protocol import Protocol, check_known
    from networld_agent.collecting.run import available_cores
    from wirelessenvs.locks import locked

__all__ = ["main", "run_protocol"]

_LOCK: Final = ".lock"
#: Figures of `python -m benchmarks.speed` that come with the code.
_MEASURED: Final = Path(__file__).parent / "results" / "gpu"


class FailedJobsError(ValueError):
    """Some jobs failed; the sentence counts them."""


def run_protocol(
    protocol: Protocol,
    out: Path,
    *,
    tasks: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    seeds: int | None = None,
    tiers: Sequence[str] | None = None,
    amounts: Sequence[str] | None = None,
    workers: int = 1,
    ray_address: str | None = None,
    minutes: float | None = None,
    list_only: bool = False,
) -> Outcome:
    """Runs what is missing of a protocol.

    Args:
        protocol: to run.
        out: folder of the experiment.
        tasks: to hold out; all by default.
        methods: to train; all by default.
        seeds: the first of training, at most the protocol's; all by default.
        tiers: of the data that methods are trained on; all by default.
        amounts: of that data, by label; all by default.
        workers: jobs side by side.
        ray_address: of a Ray cluster, or "local"; None for processes of this machine.
        minutes: after which to stop as Ctrl-C does; None for no limit.
        list_only: only print what there is to do.

    Raises:
        ValueError: for an unknown task, method, tier or amount, or a folder that another run
            works in.
        FailedJobsError: if some failed; all others are done.
        KeyboardInterrupt: if it was stopped; nothing is lost.
    """
    entries = build(protocol, tasks, methods, seeds, tiers=tiers, amounts=amounts)
    jobs = with_inputs(entry.job for entry in entries)
    store = Store(out)
    if out.exists() and not (out.is_dir() and (store.jobs.is_dir() or _is_fresh(out))):
        raise ValueError(f"{out} exists already and is no experiment: choose another --out.")
    if list_only:
        _list(store, jobs)
        return Outcome()
    with locked(out / _LOCK) as held:
        if not held:
            raise ValueError(f"another run works in {out}: wait for it, or choose another --out.")
        return _run_jobs(protocol, store, jobs, workers, ray_address, minutes)


def _is_fresh(out: Path) -> bool:
    """Whether a folder is empty, but for the lock of a run that was killed before it began."""
    return all(path.name == _LOCK for path in out.iterdir())


def _run_jobs(
    protocol: Protocol,
    store: Store,
    jobs: list[Job],
    workers: int,
    ray_address: str | None,
    minutes: float | None,
) -> Outcome:
    store.jobs.mkdir(exist_ok=True)
    # The whole experiment, whatever part of it is run now: the report says what is missing.
    write_experiment(store, protocol, build(protocol))
    done = finished_jobs(store, jobs)
    drop_damaged(store, jobs, done)
    pool: Pool
    if ray_address is None:
        pool = LocalPool(store.jobs, tuple(protocol.own.values()))
    else:
        pool = RayPool(store.jobs, ray_address, workers)
    scheduler = Scheduler(store, pool, workers)
    print("\n".join(machine_lines(("wirelessenvs", "torch", "numpy"))))
    print("\n" + "\n".join(overview_lines(jobs, done, scheduler.left(jobs, done), workers)))
    sys.stdout.flush()
    with _stop_requests(minutes) as asked:
        outcome = scheduler.run(jobs, done, asked)
    if outcome.stopped:
        print("\nstopped: repeat the same command to go on.", file=sys.stderr)
        raise KeyboardInterrupt
    if outcome.failed:
        for job in outcome.failed:
            if (sentence := sentence_of(store.folder(job) / LOG_FILE)) is not None:
                print(f"{job.name}: {sentence}", file=sys.stderr)
        raise FailedJobsError(
            f"{len(outcome.failed)} of {len(jobs)} jobs failed and {len(outcome.skipped)} more "
            f"need them: {', '.join(job.name for job in outcome.failed)}."
        )
    return outcome


def _list(store: Store, jobs: Sequence[Job]) -> None:
    done = finished_jobs(store, jobs)
    for job in jobs:
        began = store.folder(job).exists()
        state = "done" if job.folder in done else "unfinished" if began else "to do"
        if job.folder in done and (fault := store.output_fault(job)) is not None:
            print(f"warning: {fault} The next run does {job.name} anew.", file=sys.stderr)
            state = "damaged"
            del done[job.folder]
        print(f"{state:10} {job.folder}")
    print(f"{len(done)} of {len(jobs)} jobs are done.")


@contextmanager
def _stop_requests(minutes: float | None = None) -> Iterator[Callable[[], int]]:
    """Counts Ctrl-C and SIGTERM instead of dying of them, and the end of the time as one."""
    received: list[int] = []
    end = math.inf if minutes is None else time.monotonic() + 60 * minutes

    def note(number: int, frame: Any) -> None:  # noqa: ARG001
        received.append(number)

    old = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: len(received) + (time.monotonic() > end)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _default_workers() -> int:
    """One per core, and no more than there is memory for: a job takes up to 0.7 GB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(available_cores(), int(memory / 1e9)))


def _plan(protocol: Protocol, folder: Path, out: Path) -> None:
    if protocol.name != "paper":
        raise ValueError("--plan is for --preset paper: the others are for CPUs.")
    # Counting what is not measured imports all methods.
    from benchmarks.experiment.costs.plan import plan_lines
    from benchmarks.speed.record import read_documents

    documents = read_documents(_MEASURED)
    if folder != _MEASURED:
        documents |= read_documents(folder)
    print("\n".join(plan_lines(protocol, documents, out)))


def _with_own(protocol: Protocol, given: Sequence[str], overrides: Sequence[str]) -> Protocol:
    """The protocol with methods of other packages and their options beside its own."""
    own = own_methods(given)
    found: dict[str, tuple[str, ...]] = dict.fromkeys(own, ())
    for override in overrides:
        name, _, option = override.partition(":")
        check_known("method of --set", [name], tuple(own))
        found[name] = (*found[name], option)
    return dataclasses.replace(
        protocol, own=own, baseline_options=protocol.baseline_options | found
    )


def _command(options: argparse.Namespace) -> None:
    check_known("preset", [options.preset], tuple(PRESETS))
    workers = _default_workers() if options.jobs is None else check_int("--jobs", options.jobs, 1)
    minutes = options.minutes
    if minutes is not None:
        check_real("--minutes", minutes, 0, 1e6, low_open=True)
    out = options.out or Path("runs") / f"benchmark-{options.preset}"
    protocol = _with_own(PRESETS[options.preset], options.method, options.overrides)
    if options.plan is not None:
        _plan(protocol, options.plan, out)
        return
    seeds = None if options.seeds is None else check_int("--seeds", options.seeds, 1)
    if seeds is not None and seeds > protocol.seeds:
        protocol = dataclasses.replace(protocol, seeds=seeds)
    run_protocol(
        protocol,
        out,
        tasks=options.tasks,
        methods=options.methods,
        seeds=seeds,
        tiers=options.tiers,
        amounts=options.amounts,
        workers=workers,
        ray_address=options.ray,
        minutes=minutes,
        list_only=options.list,
    )
    if not options.list:
        print(f"\ndone. For tables and figures: {program('benchmarks.report')} --out {out}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.run"),
        description="Run the main experiment. Repeat the same command to go on where it stopped.",
    )
    parser.add_argument(
        "--preset", default="demo", help=f"budget: {', '.join(PRESETS)} (default: demo)"
    )
    parser.add_argument("--out", type=Path, help="folder (default: runs/benchmark-PRESET)")
    parser.add_argument("--tasks", nargs="+", help="to hold out (default: all)")
    parser.add_argument("--methods", nargs="+", help="to train and compare (default: all)")
    parser.add_argument(
        "--method", action="append", default=[], metavar="MODULE:CLASS",
        help="a method of your own to train and compare beside the others, or the name of one "
        "that is installed; repeatable",
    )  # fmt: skip
    add_overrides(
        parser,
        "replace an option of such a method, e.g. --set its-name:steps=1500; repeatable",
        "NAME:OPTION=VALUE",
    )
    parser.add_argument("--seeds", type=int, help="of training: 0 to n - 1 (default: the preset's)")
    parser.add_argument("--tiers", nargs="+", help="of the data trained on (default: all)")
    parser.add_argument(
        "--amounts", nargs="+", help="of that data, such as 10 or '100 steps' (default: all)"
    )
    parser.add_argument(
        "--jobs", type=int, help="side by side (default: one per core and GB of memory)"
    )
    parser.add_argument(
        "--minutes", type=float, help="stop after so many, as Ctrl-C does; repeat to go on"
    )
    parser.add_argument(
        "--ray", nargs="?", const="local", metavar="ADDRESS",
        help="run on a Ray cluster whose nodes share the folder; without ADDRESS a local one",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="list the jobs and their state")
    parser.add_argument(
        "--plan", nargs="?", type=Path, const=_MEASURED, metavar="FOLDER",
        help="print what preset paper costs on one GPU and in which order to run it, from the "
        f"figures of {program('benchmarks.speed')} in FOLDER (default: those that come with it)",
    )  # fmt: skip
    return run(_command, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
