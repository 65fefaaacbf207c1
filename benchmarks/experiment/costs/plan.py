"""The experiment in the order in which nine minutes of a GPU at a time give the most.

    python -m benchmarks.run --preset paper --plan

A stage is a command of `benchmarks.run`; what earlier stages have done is not done again. Training
that a piece cuts off goes on in the next one; an evaluation begins anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.experiment.costs.jobs import job_seconds
from benchmarks.experiment.costs.rates import Rates, Seconds
from benchmarks.experiment.jobs.graph import build
from benchmarks.experiment.jobs.job import KINDS, Job, with_inputs
from benchmarks.experiment.protocol import Protocol
from benchmarks.markdown import table_lines
from wirelessenvs.command import program

__all__ = ["PIECE_MINUTES", "Stage", "plan_lines", "stages_of"]

PIECE_MINUTES: Final = 9.0
#: Of a piece: to start, to look at what is there, and to write checkpoints at its end. Assumed.
_OVERHEAD_S: Final = 45.0
_HOUR_S: Final = 3600.0
#: Processes that collect what is slow, in the table: a small machine and one beside an H100.
_CORES: Final = (1, 2, 16)


@dataclass(frozen=True)
class Stage:
    """A part of the experiment that can be told something from.

    Args:
        title: what it gives.
        parts: options of `benchmarks.run` by name, one set per command.
    """

    title: str
    parts: tuple[Mapping[str, Any], ...]


def stages_of(protocol: Protocol) -> list[Stage]:
    """What is done first: the two tasks whose data are cheap, on one seed, then more of all."""
    known = [task.name for task in protocol.tasks]
    first = [name for name in ("rb", "cbf") if name in known] or known[:2]
    few: dict[str, Any] = {"tiers": ["expert"], "amounts": [protocol.few]}
    many: dict[str, Any] = {"tiers": ["expert"], "amounts": [protocol.many]}
    one = {"tasks": first, "seeds": 1}
    values, sequences = ["bc", "cql", "iql"], ["dt", "dd"]
    stages = [
        Stage("NetWorld on few trajectories, one seed", ({**one, "methods": ["networld"], **few},)),
        Stage("what looks one step ahead, on many", ({**one, "methods": values, **many},)),
        Stage("what looks further ahead, on many", ({**one, "methods": sequences, **many},)),
        Stage("NetWorld without pre-training", ({**one, "methods": ["networld-scratch"], **few},)),
    ]
    claim = [
        {"methods": ["networld", "networld-scratch"], **few},
        {"methods": [*values, *sequences], **many},
    ]
    if protocol.seeds > 1:
        parts = tuple({"tasks": first, **part} for part in claim)
        stages.append(Stage(f"the claim with all {protocol.seeds} seeds", parts))
    if len(known) > len(first):
        stages.append(Stage("the claim in every task", tuple(claim)))
    expert = {"tiers": ["expert"], "methods": ["networld", "networld-scratch", *values, *sequences]}
    return [
        *stages,
        Stage("every amount of expert data", (expert,)),
        Stage("mixed data, ablations, DIMA, other sizes", ({},)),
    ]


def plan_lines(
    protocol: Protocol, documents: Mapping[str, Mapping[str, Any]], out: Path
) -> list[str]:
    """Markdown: what each kind of job costs, stages with their commands, and what to mind.

    Args:
        protocol: to run.
        documents: of measured pieces, see `Rates`.
        out: folder of the experiment.
    """
    rates = Rates(documents)
    jobs = with_inputs(entry.job for entry in build(protocol))
    costs = {job.folder: job_seconds(job, rates) for job in jobs}
    cards = dict.fromkeys(f"{d['card']} ({name})" for name, d in documents.items())
    return [
        f"Preset {protocol.name} on one GPU, one job at a time. Measured: {', '.join(cards)}.",
        "",
        *_kinds(jobs, costs),
        "",
        *_stages(protocol, costs, out),
        "",
        *_collections(jobs, costs, out),
        *_too_long(jobs, costs),
    ]


def _kinds(jobs: Sequence[Job], costs: Mapping[str, Seconds]) -> list[str]:
    groups: dict[tuple[str, str], list[Seconds]] = {}
    for kind in KINDS:
        for job in jobs:
            if job.kind == kind:
                groups.setdefault((kind, _played(job)), []).append(costs[job.folder])
    rows = []
    for (kind, method), found in groups.items():
        low, high = min(cost.value for cost in found), max(cost.value for cost in found)
        each = f"{low:,.0f}" if round(low) == round(high) else f"{low:,.0f} to {high:,.0f}"
        rows.append([kind, method, len(found), each, _hours(found), _told(found)])
    everything = list(costs.values())
    rows.append(["all", "", len(jobs), "", _hours(everything), _told(everything)])
    columns = ("jobs", "method", "number", "seconds each", "hours", "figures")
    return table_lines(columns, rows)


def _hours(costs: Sequence[Seconds]) -> str:
    return f"{sum(cost.value for cost in costs) / _HOUR_S:.1f}"


def _played(job: Job) -> str:
    if job.kind == "collect":
        return f"{job.settings['env']}, {job.settings['policy']}"
    if job.kind == "pretrain":
        return "networld"
    usual = "networld" if job.kind == "adapt" else "rules of the tasks"
    return str(job.settings.get("method", usual))


def _told(costs: Sequence[Seconds]) -> str:
    share = sum(c.value for c in costs if c.measured) / max(sum(c.value for c in costs), 1e-9)
    if share == 1:
        return "measured"
    return "estimated" if share == 0 else f"estimated, {100 * share:.0f} % of the time measured"


def _stages(protocol: Protocol, costs: Mapping[str, Seconds], out: Path) -> list[str]:
    rows = []
    commands: list[str] = []
    done: set[str] = set()
    for number, stage in enumerate(stages_of(protocol), 1):
        entries = [e for part in stage.parts for e in build(protocol, **part)]
        new = [
            job
            for job in with_inputs(entry.job for entry in entries)
            if job.folder not in done and job.kind != "collect"
        ]
        done |= {job.folder for job in new}
        found = [costs[job.folder] for job in new]
        pieces = math.ceil(sum(c.value for c in found) / (60 * PIECE_MINUTES - _OVERHEAD_S))
        rows.append([f"{number}. {stage.title}", len(new), _hours(found), pieces])
        commands += [_command(protocol, part, out) for part in stage.parts]
    return [
        *table_lines(("stage", "jobs", "hours", "pieces"), rows),
        "",
        "Collecting left out. A piece is one of these commands; repeat each until its status is 0:",
        "",
        "```",
        *commands,
        "```",
    ]


def _command(protocol: Protocol, part: Mapping[str, Any], out: Path) -> str:
    words = [f"{program('benchmarks.run')} --preset {protocol.name}"]
    for name, value in part.items():
        given = [value] if isinstance(value, int) else value
        shown = (f"'{word}'" if " " in str(word) else str(word) for word in given)
        words.append(f"--{name} {' '.join(shown)}")
    usual = Path("runs") / f"benchmark-{protocol.name}"
    return " ".join(
        [
            *words,
            *([] if out == usual else [f"--out {out}"]),
            f"--jobs 1 --minutes {PIECE_MINUTES:g}",
        ]
    )


def _collections(jobs: Sequence[Job], costs: Mapping[str, Seconds], out: Path) -> list[str]:
    """Lines on data collected beforehand with all cores, where a job has one process."""
    collecting = [job for job in jobs if job.kind == "collect"]
    rows = []
    for job in collecting:
        seconds, episodes = costs[job.folder].value, job.settings["episodes"]
        shared = (f"{seconds / 60 / cores:,.1f}" for cores in _CORES)
        rows.append([_played(job), episodes, f"{seconds / episodes:.1f}", *shared])
    cores = (f"{cores} cores" if cores > 1 else "1 core" for cores in _CORES)
    lines = [
        "Data that is collected beforehand is taken: minutes by processes, if they share nothing.",
        "",
        *table_lines(("data", "trajectories", "seconds each", *cores), rows),
    ]
    slow = [job for job in collecting if costs[job.folder].value > 60 * PIECE_MINUTES]
    if slow:
        lines += ["", "```", *(_collect_command(job, out) for job in slow), "```"]
    return [*lines, ""]


def _collect_command(job: Job, out: Path) -> str:
    settings = job.settings
    words = [f"python -m networld_agent.collect --env {settings['env']}"]
    if settings["preset"] is not None:
        words.append(f"--preset {settings['preset']}")
    words += [f"--set {name}={value!r}" for name, value in settings["overrides"].items()]
    words.append(f"--policy {settings['policy']} --episodes {settings['episodes']}")
    # Small batches: that much of what each process has done is lost at a stop.
    words.append(f"--steps {settings['steps']} --num-envs 4 --out {out}/jobs/{job.folder}/data")
    return " ".join(words)


def _too_long(jobs: Sequence[Job], costs: Mapping[str, Seconds]) -> list[str]:
    """Evaluations begin anew after a stop: those that take longer than a piece never end in one."""
    most = 60 * PIECE_MINUTES - _OVERHEAD_S
    found = [
        job for job in jobs if job.kind in ("evaluate", "curve") and costs[job.folder].value > most
    ]
    if not found:
        return []
    longest = max(costs[job.folder].value for job in found)
    return [
        f"{len(found)} evaluations take longer than a piece, up to {longest / 60:.0f} minutes, and "
        "must be run without --minutes: "
        + ", ".join(sorted({job.name for job in found})[:6])
        + (" ..." if len(found) > 6 else ".")
    ]
