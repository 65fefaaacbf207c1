"""`experiment.json`: what a folder's experiment consists of, for the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from benchmarks.experiment.jobs.graph import Entry
from benchmarks.experiment.jobs.job import Job, with_inputs
from benchmarks.experiment.jobs.store import Store, write_document
from benchmarks.experiment.protocol import Protocol, TaskSetup
from networld_agent.documents import read_document
from networld_agent.errors import ModelError
from networld_agent.fields import Fields
from networld_agent.storage import fields_of

__all__ = ["read_experiment", "write_experiment"]

_FILE = "experiment.json"
#: Not in folders from before there was such a choice; no report reads it.
_ADDED = ("model_options", "values", "value_tiers")


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
    path = out / _FILE
    try:
        document = read_document(path, "experiment")
        _check(fields_of(document, path))
    except ModelError as error:
        raise ValueError(str(error)) from None
    return document


def _check(fields: Fields) -> None:
    """Everything that a report reads is there and of its kind."""
    protocol = fields.sub("protocol")
    _check_kinds(protocol, Protocol)
    for task in protocol.subs("tasks"):
        _check_kinds(task, TaskSetup)
    jobs = fields.sub("jobs")
    folders = {*jobs}
    for folder in folders:
        job = jobs.sub(folder)
        inputs = job.sub("inputs")
        needed = [inputs.text(role) for role in inputs]
        for key in ("kind", "name", "key"):
            job.text(key)
        if Path(folder).name != folder or not folders.issuperset(needed):
            raise jobs.fault(folder, "must be a folder's name with inputs among the jobs", needed)
    for entry in fields.subs("entries"):
        for key in ("task", "method", "tier", "amount", "size"):
            entry.text(key, empty=True)
        entry.flag("main")
        entry.integer("seed")
        if entry.text("job") not in folders:
            raise entry.fault("job", "must be one of the jobs", entry.text("job"))


def _check_kinds(fields: Fields, kind: type) -> None:
    """The fields of a dataclass are there, as JSON holds such values."""
    for name, hint in get_type_hints(kind).items():
        if name in _ADDED and name not in fields:
            continue
        origin = get_origin(hint) or hint
        if origin is int:
            fields.integer(name)
        elif origin is str:
            fields.text(name, empty=True)
        elif origin is dict:
            fields.sub(name)
        elif origin is tuple:
            (fields.texts if get_args(hint)[0] is str else fields.subs)(name)
