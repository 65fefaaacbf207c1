"""A job: a pure function of its settings, its inputs and the code that it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from benchmarks.experiment.jobs.sources import source_of
from networld_agent.documents import checksum

__all__ = ["KINDS", "Job", "with_inputs"]

#: In the order of work.
KINDS = ("collect", "pretrain", "adapt", "fit", "evaluate", "curve")


@dataclass(frozen=True)
class Job:
    """One node of the job graph.

    Args:
        kind: one of `KINDS`.
        name: for people; says nothing that the settings do not say.
        settings: all that the result depends on, as JSON values.
        inputs: jobs whose results it reads, by role.
    """

    kind: str
    name: str
    settings: dict[str, Any]
    inputs: dict[str, Job] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Fingerprint of the code that it runs."""
        return source_of(self.kind, self.settings)

    @cached_property
    def key(self) -> str:
        """SHA-256 of settings, inputs' keys, and source code."""
        document = {
            "kind": self.kind,
            "settings": self.settings,
            "inputs": {role: job.key for role, job in self.inputs.items()},
            "source": self.source,
        }
        return checksum(document)

    @property
    def folder(self) -> str:
        """Name of the job's folder."""
        return f"{self.name}-{self.key[:12]}"


def with_inputs(jobs: Iterable[Job]) -> list[Job]:
    """Jobs and all that they need, each once, inputs first."""
    seen: dict[str, Job] = {}

    def visit(job: Job) -> Iterator[Job]:
        for needed in job.inputs.values():
            yield from visit(needed)
        if job.folder not in seen:
            seen[job.folder] = job
            yield job

    return [found for job in jobs for found in visit(job)]
