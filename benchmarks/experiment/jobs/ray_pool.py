"""Jobs on a Ray cluster whose nodes share the experiment's folder and this checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from benchmarks.experiment.jobs.pools import start_process

__all__ = ["RayPool"]


def _run_job(jobs: str, folder: str) -> int:
    """Runs the job's process in a worker, where it can stop between two steps."""
    process: subprocess.Popen[bytes] = start_process(Path(jobs), folder)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        return process.wait()


class RayPool:
    """One Ray task per job.

    Args:
        jobs: folder of all jobs' folders, at the same path on every node.
        address: of the cluster; "local" starts one here.
        workers: of a local cluster.

    Raises:
        ImportError: if Ray is not installed.
    """

    def __init__(self, jobs: Path, address: str, workers: int) -> None:
        try:
            import ray
        except ImportError:
            raise ImportError("--ray needs Ray: pip install 'wirelessenvs[ray]'.") from None
        self._ray: Any = ray
        self._jobs = str(jobs.resolve())
        if not ray.is_initialized():
            local = {"num_cpus": workers, "include_dashboard": False, "log_to_driver": False}
            ray.init(address=address, **(local if address == "local" else {}))
        self._remote = ray.remote(num_cpus=1, max_retries=0)(_run_job)
        self._running: dict[Any, str] = {}

    def start(self, folder: str) -> None:
        """Starts the job of a folder."""
        self._running[self._remote.remote(self._jobs, folder)] = folder

    def finished(self) -> list[tuple[str, int]]:
        """Folders whose task has ended since the last call, with its exit status."""
        if not self._running:
            return []
        waiting = list(self._running)
        ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        return [(self._running.pop(task), self._status(task)) for task in ready]

    def stop(self, kill: bool = False) -> None:
        """Asks all tasks to stop their processes, or ends them at once."""
        for task in self._running:
            self._ray.cancel(task, force=kill)

    def _status(self, task: Any) -> int:
        try:
            return int(self._ray.get(task))
        except self._ray.exceptions.TaskCancelledError:
            return 130
        except self._ray.exceptions.RayError:
            return 1
