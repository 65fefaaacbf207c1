"""Runs what is missing of a job graph, side by side."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from benchmarks.experiment.jobs.job import Job
from benchmarks.experiment.jobs.overview import Durations, clock
from benchmarks.experiment.jobs.pools import Pool
from benchmarks.experiment.jobs.store import LOG_FILE, ResultError, Store
from wirelessenvs.files import read_regular

__all__ = ["Outcome", "Scheduler", "drop_damaged", "finished_jobs", "sentence_of"]

#: Lines of a failed job's log that are shown.
_LOG_LINES = 8
_POLL_S = 0.1


@dataclass
class Outcome:
    """How a run ended.

    Args:
        finished: jobs that ran to their end.
        failed: jobs that did not.
        skipped: jobs that need a failed one.
        stopped: whether it was asked to stop.
    """

    finished: list[Job] = field(default_factory=list)
    failed: list[Job] = field(default_factory=list)
    skipped: list[Job] = field(default_factory=list)
    stopped: bool = False


def finished_jobs(store: Store, jobs: Sequence[Job]) -> dict[str, float]:
    """Seconds of the finished jobs by folder; a damaged result is named on standard error."""
    done = {}
    for job in jobs:
        try:
            result = store.result(job)
        except ResultError as error:
            print(f"warning: {error} That job is done anew.", file=sys.stderr)
            continue
        if result is not None:
            done[job.folder] = float(result["usage"]["wall_seconds"])
    return done


def drop_damaged(store: Store, jobs: Sequence[Job], done: dict[str, float]) -> None:
    """Takes out of `done` what left files that are missing or changed by now, and deletes it.

    Looks at all that is done, also what no job to do will read: else an experiment would be
    complete whose models are not. Names on standard error what is to be done anew.
    """
    for job in jobs:
        if job.folder in done and (fault := store.output_fault(job)) is not None:
            print(f"warning: {fault} {job.name} is done anew.", file=sys.stderr)
            store.discard(job)
            del done[job.folder]


class Scheduler:
    """Starts a job when all that it needs is there.

    Args:
        store: of the results.
        pool: that runs them.
        workers: jobs side by side.
        stream: for reports; standard error by default.
    """

    def __init__(
        self, store: Store, pool: Pool, workers: int, stream: TextIO | None = None
    ) -> None:
        self._store, self._pool, self._workers = store, pool, workers
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._durations = Durations()

    def run(self, jobs: Sequence[Job], done: dict[str, float], stop: Callable[[], int]) -> Outcome:
        """Runs the jobs that are not finished.

        Args:
            jobs: inputs first, see `with_inputs`.
            done: seconds of finished ones by folder.
            stop: how often the user asked to stop: once lets jobs stop between steps, twice ends
                them.
        """
        try:
            return self._run(jobs, done, stop)
        except BaseException:
            # A full disk, say: nobody is left to wait for the jobs at work.
            self._pool.stop()
            raise

    def _run(self, jobs: Sequence[Job], done: dict[str, float], stop: Callable[[], int]) -> Outcome:
        outcome, asked = Outcome(), 0
        finished = set(done)
        for job in jobs:
            if job.folder in done:
                self._durations.note(job, done[job.folder])
        # In the order given, which is that of their importance: whoever stops early has half of it.
        waiting = [job for job in jobs if job.folder not in finished]
        running: dict[str, tuple[Job, float]] = {}
        while waiting or running:
            if stop() > asked:
                asked = stop()
                outcome.stopped = True
                self._say("stopping: running jobs keep what they have; once more ends them at once")
                self._pool.stop(kill=asked > 1)
            if outcome.stopped:
                waiting = []
            for folder, status in self._pool.finished():
                job, began = running.pop(folder)
                self._end(job, status, time.monotonic() - began, outcome, finished)
            waiting = self._drop_hopeless(waiting, outcome)
            while len(running) < self._workers:
                job_ready = next(
                    (j for j in waiting if all(n.folder in finished for n in j.inputs.values())),
                    None,
                )
                if job_ready is None:
                    break
                waiting.remove(job_ready)
                self._store.prepare(job_ready)
                running[job_ready.folder] = (job_ready, time.monotonic())
                self._pool.start(job_ready.folder)
            self._show(len(jobs), len(finished), waiting, running)
            time.sleep(_POLL_S)
        self._clear()
        return outcome

    def left(self, jobs: Sequence[Job], done: dict[str, float]) -> float | None:
        """Seconds that the missing jobs will take; None if unknown."""
        for job in jobs:
            if job.folder in done:
                self._durations.note(job, done[job.folder])
        seconds = self._durations.left([j for j in jobs if j.folder not in done], self._workers)
        self._durations = Durations()
        return seconds

    def _end(
        self, job: Job, status: int, seconds: float, outcome: Outcome, finished: set[str]
    ) -> None:
        fault = None
        try:
            if status == 0 and self._store.result(job) is None:
                fault = "it left no result"
        except ResultError as error:
            fault = str(error)
        if status == 0 and fault is None:
            outcome.finished.append(job)
            finished.add(job.folder)
            self._durations.note(job, seconds)
            self._say(f"{job.name}: {clock(seconds)}")
        elif outcome.stopped:
            self._say(f"{job.name}: stopped")
        else:
            outcome.failed.append(job)
            log = self._store.folder(job) / LOG_FILE
            self._say(f"{job.name}: failed ({fault or _told(status)}); the end of {log}:")
            for line in _last_lines(log):
                self._say(f"    {line}")

    def _drop_hopeless(self, waiting: list[Job], outcome: Outcome) -> list[Job]:
        lost = {job.folder for job in (*outcome.failed, *outcome.skipped)}
        if not lost:
            return waiting
        for job in sorted(waiting, key=_depth):
            if any(needed.folder in lost for needed in job.inputs.values()):
                lost.add(job.folder)
                outcome.skipped.append(job)
        return [job for job in waiting if job.folder not in lost]

    # ------------------------------------------------------------------- reports
    def _show(
        self, total: int, done: int, waiting: list[Job], running: dict[str, tuple[Job, float]]
    ) -> None:
        if not self._terminal:
            return
        rest = [*waiting, *(job for job, _ in running.values())]
        left = self._durations.left(rest, self._workers)
        names = ", ".join(job.name for job, _ in running.values())
        time_left = "" if left is None else f", {clock(left)} left"
        line = f"{done} of {total} jobs done{time_left}; running {names or 'none'}"
        print(f"\r{line[:118]}\x1b[K", end="", file=self._stream, flush=True)

    def _say(self, line: str) -> None:
        self._clear()
        print(line, file=self._stream, flush=True)

    def _clear(self) -> None:
        if self._terminal:
            print("\r\x1b[K", end="", file=self._stream, flush=True)


def _depth(job: Job) -> int:
    return 1 + max((_depth(needed) for needed in job.inputs.values()), default=0)


def _told(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"


def _last_lines(log: Path) -> list[str]:
    try:
        text = read_regular(log).decode(errors="replace")
    except OSError:
        return []
    return [line.rpartition("\r")[2] for line in text.splitlines()[-_LOG_LINES:]]


def sentence_of(log: Path) -> str | None:
    """The sentence of the error that a job has ended with, if its log ends with one."""
    last = "".join(_last_lines(log)[-1:])
    return last.removeprefix("error: ") if last.startswith("error: ") else None
