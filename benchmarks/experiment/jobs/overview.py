"""What there is to do, what is done, and how long the rest will take."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.experiment.jobs.job import KINDS, Job

__all__ = ["Durations", "clock", "overview_lines"]


def clock(seconds: float) -> str:
    """A duration, as text for people.

    Example:
        >>> clock(3 * 3600 + 120), clock(75), clock(4.2)
        ('3 h 02 min', '1 min 15 s', '4 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Durations:
    """Guesses a job's seconds from finished ones that resemble it."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], list[float]] = defaultdict(list)

    def note(self, job: Job, seconds: float) -> None:
        """Takes a finished job into account."""
        for likeness in _likenesses(job):
            self._seen[likeness].append(seconds)

    def guess(self, job: Job) -> float | None:
        """Seconds; None while no job of this kind has finished."""
        for likeness in _likenesses(job):
            if likeness in self._seen:
                return statistics.mean(self._seen[likeness])
        return None

    def left(self, jobs: Iterable[Job], workers: int) -> float | None:
        """Seconds for these jobs side by side; None while nothing is known.

        Kinds of which none has finished are taken to be like the mean of the others.
        """
        guesses = [self.guess(job) for job in jobs]
        known = [guess for guess in guesses if guess is not None]
        if not known:
            return 0.0 if not guesses else None
        return statistics.mean(known) * len(guesses) / workers


def _likenesses(job: Job) -> list[tuple[str, ...]]:
    """The jobs that a job resembles, the closest first."""
    method = str(job.settings.get("method"))
    task = job.name.split("-")[1]
    return [(job.kind, method, task), (job.kind, method), (job.kind, "", task), (job.kind,)]


def overview_lines(
    jobs: Sequence[Job], done: Mapping[str, float], left: float | None, workers: int
) -> list[str]:
    """A Markdown table by kind, and the time that the rest will take.

    Args:
        jobs: all of them.
        done: seconds of the finished ones by folder.
        left: seconds to go; None if unknown.
        workers: jobs side by side.
    """
    total, finished = Counter(job.kind for job in jobs), Counter[str]()
    seconds = Counter[str]()
    for job in jobs:
        if job.folder in done:
            finished[job.kind] += 1
            seconds[job.kind] += done[job.folder]  # type: ignore[assignment]
    lines = ["| jobs | done | to do | seconds so far |", "|---|---|---|---|"]
    for kind in KINDS:
        if total[kind]:
            rest = total[kind] - finished[kind]
            lines.append(f"| {kind} | {finished[kind]} | {rest} | {seconds[kind]:.0f} |")
    to_do = len(jobs) - len(done)
    if not to_do:
        lines.append("\nall done.")
    else:
        guess = "unknown until some have finished" if left is None else f"about {clock(left)}"
        lines.append(f"\n{to_do} to do, {workers} at a time: {guess}.")
    return lines
