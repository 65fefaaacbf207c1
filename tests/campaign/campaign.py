"""Parts of the campaign, their records and tables."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

# Every optimiser imports it at its first step: once here, not in each process of cases.
import torch._dynamo  # noqa: F401

from . import arguments, damaged_files, kills
from .outcomes import FAULTS, GOOD, ROOT, Outcome
from .worker import recorded, run_cases


@dataclass(frozen=True)
class Part:
    """One part: what it needs before, its cases, how many, and seconds for each."""

    prepare: Callable[[Path, Sequence[int]], None]
    case: Callable[[int, int, Path, Path], Outcome]
    count: int
    limit_s: float


PARTS = {
    "damage": Part(
        damaged_files.prepare, damaged_files.damaged_file, 10_000, damaged_files.LIMIT_S
    ),
    "arguments": Part(
        lambda shelf, indices: None,
        arguments.random_arguments,
        2_000 * len(arguments.FACADES),
        20.0,
    ),
    "kills": Part(kills.prepare, kills.killed_command, 100, kills.LIMIT_S),
}  # fmt: skip


def source_digest(*own: str) -> str:
    """Of the product's code and some files of the campaign's: what is of other code is not used."""
    files = [
        path
        for folder in ("wirelessenvs", "networld_agent", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    files += [path for name in own for path in sorted(Path(__file__).parent.glob(name))]
    found = hashlib.sha256()
    for path in files:
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def run_part(
    part: str, out: Path, count: int | None = None, seed: int = 0, only: int | None = None
) -> int:
    """Runs the missing cases of a part, writes its table and prints it; returns the faults.

    Args:
        part: its name.
        out: folder of all records.
        count: of the cases; the part's own by default.
        seed: of all cases.
        only: the one case to replay, without a record of the result.
    """
    chosen = PARTS[part]
    shelf = out / f"shelf-{source_digest('specimens.py', 'commands.py', 'contents.py')}"
    out = out / source_digest("*.py")
    scratch = out / f"scratch-{part}"
    scratch.mkdir(parents=True, exist_ok=True)
    indices = range(chosen.count if count is None else count) if only is None else [only]
    chosen.prepare(shelf, indices)
    case = partial(chosen.case, seed=seed, shelf=shelf, scratch=scratch)
    record = out / f"{part}-{seed}.jsonl"
    if only is not None:
        record = out / "replayed.jsonl"
        record.unlink(missing_ok=True)
    run_cases(case, indices, record, chosen.limit_s)
    outcomes = {i: o for i, o in recorded(record).items() if i in indices}
    table = table_of(part, outcomes, seed)
    if only is None:
        (out / f"{part}-{seed}.json").write_text(json.dumps(table, indent=1) + "\n")
        (out / f"{part}-{seed}.txt").write_text(text_of(table))
    else:
        print(json.dumps([vars(outcome) for outcome in outcomes.values()], indent=1))
    print(text_of(table), flush=True)
    shutil.rmtree(scratch, ignore_errors=True)
    return sum(table["counts"].get(kind, 0) for kind in FAULTS)


def table_of(part: str, outcomes: dict[int, Outcome], seed: int) -> dict[str, Any]:
    """Counts of outcomes by kind, and the faults of one cause as one entry."""
    groups: dict[tuple[str, str], list[int]] = {}
    for index, outcome in sorted(outcomes.items()):
        if outcome.kind in FAULTS:
            groups.setdefault((outcome.kind, outcome.group), []).append(index)
    return {
        "part": part,
        "seed": seed,
        "cases": len(outcomes),
        "counts": dict(Counter(outcome.kind for outcome in outcomes.values())),
        "faults": [
            {
                "kind": kind, "group": group, "count": len(found),
                "replay": f"python -m tests.campaign {part} --seed {seed} --only {found[0]}",
                "about": outcomes[found[0]].about, "detail": outcomes[found[0]].detail,
            }
            for (kind, group), found in sorted(groups.items(), key=lambda item: -len(item[1]))
        ],
    }  # fmt: skip


def text_of(table: dict[str, Any]) -> str:
    """The table for people."""
    lines = [f"{table['part']}: {table['cases']} cases, seed {table['seed']}"]
    for kind, meaning in {**GOOD, **FAULTS}.items():
        if (number := table["counts"].get(kind, 0)) or kind in FAULTS:
            lines.append(f"  {kind:12} {number:6}  {meaning}")
    for fault in table["faults"]:
        lines += [
            f"* {fault['kind']} x {fault['count']}: {fault['group']}",
            f"    {fault['about'][:160]}",
            f"    {fault['detail'][:160]!r}",
            f"    {fault['replay']}",
        ]
    return "\n".join(lines) + "\n"
