"""Where jobs run: processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from benchmarks.experiment.jobs.job import KINDS
from benchmarks.experiment.jobs.sources import ROOT, source_files
from benchmarks.experiment.jobs.store import open_log
from benchmarks.experiment.methods import METHODS
from networld_agent.orphans import end_with_parent

__all__ = ["LocalPool", "Pool", "preloaded", "start_process"]


class Pool(Protocol):
    """Runs jobs side by side."""

    def start(self, folder: str) -> None:
        """Starts the job of a folder."""
        ...

    def finished(self) -> list[tuple[str, int]]:
        """Folders whose process has ended since the last call, with its exit status."""
        ...

    def stop(self, kill: bool = False) -> None:
        """Asks all processes to stop between two steps, or ends them at once."""
        ...


def preloaded(own: Sequence[str] = ()) -> list[str]:
    """Modules that a job's process is forked with: all that jobs run, so that it cannot change.

    They are imported one by one: what cannot be leaves the others.

    Args:
        own: methods of other packages, as `module:Class`.
    """
    methods = (None, *METHODS, *own)
    files = {name for kind in KINDS for method in methods for name in source_files(kind, method)}
    names = [
        ".".join(path.with_suffix("").parts)
        for path in map(Path, sorted(files))
        if path.suffix == ".py" and path.name not in ("__init__.py", "__main__.py")
    ]
    # Every optimiser imports _dynamo at its first step: over a second in each job.
    return ["torch", "torch._dynamo", "benchmarks.experiment.jobs.execute", *names]


def child_environment() -> dict[str, str]:
    """Variables of a job's process: one thread each, code of this checkout and where we are."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [str(ROOT), str(Path.cwd()), *filter(None, given)]
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        # A folder `benchmarks` where we are must not come before ours.
        "PYTHONSAFEPATH": "1",
    }


def start_process(jobs: Path, folder: str) -> subprocess.Popen[bytes]:
    """The process of one job, with its output appended to the log in its folder.

    It leads a session of its own, as a forked one does.
    """
    with open_log(jobs / folder) as log:
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.experiment.jobs.execute", folder],
            cwd=jobs,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Other environment variables for what is started within; ours are as before afterwards."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class LocalPool:
    """Processes of this machine.

    They are forked from one that has imported everything and done nothing: a job of a second does
    not begin with three of imports, and all jobs of a run run the code of its start.

    Args:
        jobs: folder of all jobs' folders.
        own: methods of other packages, as `module:Class`.
    """

    def __init__(self, jobs: Path, own: Sequence[str] = ()) -> None:
        self._jobs = jobs.resolve()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(preloaded(own))
        self._running: dict[str, BaseProcess] = {}

    def start(self, folder: str) -> None:
        """Starts the job of a folder."""
        process = self._context.Process(target=run_in_child, args=(str(self._jobs), folder))
        # The first one starts the process that all are forked from, which keeps these.
        with _environment(child_environment()):
            process.start()
        self._running[folder] = process

    def finished(self) -> list[tuple[str, int]]:
        """Folders whose process has ended since the last call, with its exit status."""
        ended = []
        for folder, process in list(self._running.items()):
            if process.exitcode is not None:
                del self._running[folder]
                ended.append((folder, process.exitcode))
        return ended

    def stop(self, kill: bool = False) -> None:
        """Asks all processes to stop between two steps, or ends them at once."""
        for process in self._running.values():
            if process.exitcode is None:
                if kill:
                    process.kill()
                else:
                    process.terminate()


def run_in_child(jobs: str, folder: str) -> None:
    """The whole life of a forked process: the job of a folder, with its output in the log there."""
    # Ctrl-C on the terminal reaches it through its parent only.
    os.setsid()
    end_with_parent()
    os.chdir(jobs)
    with open_log(Path(folder)) as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    from benchmarks.experiment.jobs.execute import main

    status = main([folder], check_source=False)
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(status)
