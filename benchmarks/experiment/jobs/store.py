"""Results on disk: one folder per job, one checked file in it that says that it is done."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks.experiment.jobs.job import Job
from benchmarks.experiment.jobs.outputs import output_fault
from networld_agent import documents
from networld_agent.documents import read_document
from networld_agent.errors import ModelError
from networld_agent.fields import Fields
from networld_agent.storage import fields_of
from wirelessenvs.files import check_regular
from wirelessenvs.json_values import finite_or_null

__all__ = [
    "JOB_FILE",
    "LOCK_FILE",
    "LOG_FILE",
    "RESULT_FILE",
    "ResultError",
    "Store",
    "clear",
    "open_log",
    "read_result",
    "write_document",
]

JOB_FILE = "job.json"
LOCK_FILE = ".lock"
LOG_FILE = "log.txt"
RESULT_FILE = "result.json"


def open_log(folder: Path) -> BinaryIO:
    """A job's log, to write on at its end; what is no regular file there gives way."""
    path = folder / LOG_FILE
    try:
        check_regular(path)
    except FileNotFoundError:
        pass
    except OSError:
        # A pipe would wait for a reader for ever.
        path.unlink()
    return path.open("ab")


class ResultError(ValueError):
    """A result file that cannot be used; the sentence names it."""


class Store:
    """The folder of an experiment.

    Args:
        out: `out/jobs/<name>-<key>/` holds a job's files.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.jobs = out, out / "jobs"

    def folder(self, job: Job) -> Path:
        """Folder of a job."""
        return self.jobs / job.folder

    def result(self, job: Job) -> dict[str, Any] | None:
        """The result of a finished job; None if it is not finished.

        Raises:
            ResultError: if the file is damaged or of another job.
        """
        return read_result(self.folder(job), job.key)

    def prepare(self, job: Job) -> Path:
        """Makes a job's folder with all that its process must know; returns the folder."""
        folder = self.folder(job)
        document = {
            "kind": job.kind,
            "name": job.name,
            "key": job.key,
            "settings": job.settings,
            "inputs": {role: needed.folder for role, needed in job.inputs.items()},
            "source": job.source,
        }
        write_document(folder / JOB_FILE, document)
        (folder / RESULT_FILE).unlink(missing_ok=True)
        return folder

    def output_fault(self, job: Job) -> str | None:
        """Which file of a finished job is missing or changed, in words; None if none is."""
        document = self.result(job)
        return output_fault(self.folder(job), (document or {}).get("outputs", {}))

    def discard(self, job: Job) -> None:
        """Deletes all that a job has done."""
        clear(self.folder(job))


def clear(folder: Path) -> None:
    """Empties a job's folder but for its log and its lock."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in (LOCK_FILE, LOG_FILE):
            path.unlink()


def read_result(folder: Path, key: str) -> dict[str, Any] | None:
    """The result of a folder's job; None if it is not finished.

    Raises:
        ResultError: if the file is damaged or of another job.
    """
    path = folder / RESULT_FILE
    if not path.exists():
        return None
    try:
        document = read_document(path, "result")
    except ModelError as error:
        raise ResultError(str(error)) from None
    if document.get("key") != key:
        raise ResultError(f"{path}: is the result of another job.")
    try:
        _check(fields_of(document, path))
    except ModelError as error:
        raise ResultError(str(error)) from None
    return document


def _check(fields: Fields) -> None:
    """What others read of every result is there and of its kind."""
    fields.sub("result")
    fields.sub("settings")
    fields.texts("machine")
    usage = fields.sub("usage")
    for name in ("wall_seconds", "cpu_seconds", "peak_memory_mb"):
        usage.real(name, 0)
    if "outputs" not in fields:
        return
    outputs = fields.sub("outputs")
    for name in outputs:
        output = outputs.sub(name)
        output.integer("bytes")
        output.text("sha256")
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise outputs.fault(name, "must be a path in the job's folder", name)


def write_document(path: Path, document: dict[str, Any]) -> None:
    """As `documents.write_document`, with null for numbers that are not finite."""
    documents.write_document(path, finite_or_null(document))
