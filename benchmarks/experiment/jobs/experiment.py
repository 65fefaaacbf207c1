"""`experiment.json`: what a folder's experiment consists of, for the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.experiment.jobs.graph import Entry
from benchmarks.experiment.jobs.job import Job, with_inputs
from benchmarks.experiment.jobs.store import Store, write_document
from networld_agent.errors import ModelError
from networld_agent.storage import read_document

__all__ = ["read_experiment", "write_experiment"]

_FILE = "experiment.json"


def write_experiment(store: Store, protocol: Any, entries: Sequence[Entry]) -> None:
    """Writes protocol, jobs and which result stands for what."""
    jobs = with_inputs(entry.job for entry in entries)
    document = {
        "protocol": dataclasses.asdict(protocol),
        "jobs": {job.folder: _described(job) for job in jobs},
        "entries": [
            {**{k: v for k, v in vars(entry).items() if k != "job"}, "job": entry.job.folder}
            for entry in entries
        ],
    }
    write_document(store.out / _FILE, document)


def _described(job: Job) -> dict[str, Any]:
    inputs = {role: needed.folder for role, needed in job.inputs.items()}
    return {"kind": job.kind, "name": job.name, "key": job.key, "inputs": inputs}


def read_experiment(out: Path) -> dict[str, Any]:
    """Reads what `write_experiment` wrote.

    Raises:
        ValueError: naming the file and its fault.
    """
    try:
        return read_document(out / _FILE, "experiment")
    except ModelError as error:
        raise ValueError(str(error)) from None
