"""The process of one job: `python -m benchmarks.experiment.jobs.execute FOLDER`.

FOLDER lies beside other jobs' folders.

Exit status: 0 the result is written, 2 a fault told in one sentence, 130 stopped and to be resumed.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.experiment.jobs.meter import Meter
from benchmarks.experiment.jobs.outputs import leftover_fault, list_outputs
from benchmarks.experiment.jobs.sources import source_of
from benchmarks.experiment.jobs.store import JOB_FILE, LOCK_FILE, RESULT_FILE, clear, write_document
from benchmarks.experiment.jobs.work import WORK
from networld_agent.documents import read_document
from networld_agent.orphans import end_with_parent
from wirelessenvs.faults import fault_sentence
from wirelessenvs.locks import locked
from wirelessenvs.machine import machine_lines

__all__ = ["main"]

_INTERRUPTED: Final = 130
#: Seconds that an earlier process of the same job gets to stop.
_PATIENCE_S: Final = 60.0

Work = Callable[[dict[str, Any], dict[str, Path], Path], dict[str, Any]]


def main(arguments: list[str] | None = None, check_source: bool = True) -> int:
    """Runs the job of a folder; returns the exit status.

    Args:
        arguments: the folder; those of the command line by default.
        check_source: whether the code may have changed since the run began: a process that was
            forked from one of its start has the code of that moment.
    """
    (name,) = sys.argv[1:] if arguments is None else arguments
    folder = Path(name)
    # Until training listens to it: a stop is a stop, whatever the signal.
    signal.signal(signal.SIGTERM, _interrupt)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        with locked(folder / LOCK_FILE) as held:
            if held:
                return _run(folder, check_source)
        if time.monotonic() > deadline:
            print(f"error: {folder} is being worked on by another process.", file=sys.stderr)
            return 2
        time.sleep(0.2)


def _run(folder: Path, check_source: bool) -> int:
    try:
        job = read_document(folder / JOB_FILE, "job")
        if check_source and job["source"] != source_of(job["kind"], job["settings"]):
            raise ValueError(
                f"{folder}: the code has changed since the run began: start the run again."
            )
        if (fault := leftover_fault(folder)) is not None:
            print(f"warning: {fault} The job begins anew.", file=sys.stderr)
            clear(folder)
            write_document(folder / JOB_FILE, job)
        with Meter(folder) as meter:
            import torch

            torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
            work: Work = getattr(importlib.import_module(WORK[job["kind"]]), job["kind"])
            inputs = {role: Path(needed) for role, needed in job["inputs"].items()}
            result = work(job["settings"], inputs, folder)
        document = {
            **job,
            "result": result,
            "outputs": list_outputs(folder),
            "usage": meter.total(),
            "machine": machine_lines(("wirelessenvs", "torch", "numpy")),
        }
        write_document(folder / RESULT_FILE, document)
    except KeyboardInterrupt:
        print("stopped; the same job goes on from here.", file=sys.stderr)
        return _INTERRUPTED
    except Exception as error:
        if (sentence := fault_sentence(error)) is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        return 2
    return 0


def _interrupt(number: int, frame: Any) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


if __name__ == "__main__":
    end_with_parent()
    sys.exit(main())
