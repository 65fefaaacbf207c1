"""Runs cases in a process of their own, within limits of time and memory, and goes on later."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from .outcomes import HangError, Outcome

#: Cases after which a process is replaced, so that nothing that one of them left adds up.
_CASES_PER_PROCESS = 250
#: Address space beside that of the imports.
_MEMORY = 2 * 2**30

Case = Callable[[int], Outcome]


def in_child(work: Callable[[], None], log: Path) -> int:
    """Process id of a fork that runs `work` in a session of its own, with its output in a log."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        status = 70
        try:
            os.setsid()
            handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            nowhere = os.open(os.devnull, os.O_RDONLY)
            for stream, target in ((0, nowhere), (1, handle), (2, handle)):
                os.dup2(target, stream)
            work()
            status = 0
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return process


def limit_memory() -> None:
    """Limits the address space of this process and its children."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def recorded(record: Path) -> dict[int, Outcome]:
    """Outcomes by index; a line that a kill tore is left out."""
    found = {}
    for line in record.read_text().splitlines() if record.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # blank or torn
        index = entry.pop("index")
        found[index] = Outcome(**entry)
    return found


def run_cases(case: Case, indices: Sequence[int], record: Path, limit_s: float) -> None:
    """Runs the cases that the record does not hold.

    Args:
        case: the outcome of an index; raises nothing but `HangError`.
        indices: to run.
        record: file of one JSON object per line.
        limit_s: per case.
    """
    while True:
        done = recorded(record)
        left = [index for index in indices if index not in done]
        if not left:
            return
        chunk = left[:_CASES_PER_PROCESS]
        work = partial(_run, case, chunk, record, limit_s)
        child = in_child(work, record.with_suffix(".log"))
        end = _watch(child, record, limit_s + 10)
        if end is not None:
            done = recorded(record)
            index = next((index for index in chunk if index not in done), None)
            if index is not None:
                _write(record, index, Outcome("hang" if end == "hang" else "crash", "", end, end))


def _run(case: Case, indices: Sequence[int], record: Path, limit_s: float) -> None:
    def over(number: int, frame: object) -> None:
        raise HangError("no end within the limit")

    parent = os.getppid()
    limit_memory()
    signal.signal(signal.SIGALRM, over)
    for index in indices:
        if os.getppid() != parent:
            return  # the campaign was ended
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        try:
            outcome = case(index)
        except HangError as error:
            outcome = Outcome("hang", "", "", str(error))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        _write(record, index, outcome)


def _write(record: Path, index: int, outcome: Outcome) -> None:
    line = json.dumps({"index": index, **dataclasses.asdict(outcome)})
    with record.open("a") as file:
        # A line before it may be torn.
        file.write(f"\n{line}\n")


def _watch(child: int, record: Path, patience_s: float) -> str | None:
    """Waits for a process; how it ended, if not well. Kills it when its record stops to grow."""
    size, since = -1, time.monotonic()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return None if code == 0 else f"exit status {code}"
        now = record.stat().st_size if record.exists() else 0
        if now != size:
            size, since = now, time.monotonic()
        if time.monotonic() - since > patience_s:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "hang"
        time.sleep(0.05)
