"""Part "damage": a file is damaged and then read as users would; seeded by (seed, index)."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from .damages import copy_of, damage
from .outcomes import HangError, Outcome, captured, judged, named
from .specimens import SPECIMENS, found_by
from .worker import in_child

LIMIT_S = 100.0


def prepare(shelf: Path, indices: Sequence[int]) -> None:
    """Makes all specimens."""
    make(shelf, SPECIMENS)


def make(shelf: Path, names: Iterable[str]) -> None:
    """Makes specimens that the shelf lacks, and what each reader finds in them undamaged."""
    shelf.mkdir(parents=True, exist_ok=True)
    for name in SPECIMENS:
        if name not in names or (shelf / f"{name}.json").exists():
            continue
        process = in_child(partial(_make, name, shelf), shelf / "prepared.log")
        if os.waitpid(process, 0)[1] != 0:
            raise RuntimeError(f"specimen {name} was not made: see {shelf / 'prepared.log'}")


def _make(name: str, shelf: Path) -> None:
    specimen, folder, scratch = SPECIMENS[name], shelf / name, shelf / f".scratch-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    specimen.make(scratch / "made" if specimen.name == "copy" else scratch / "kept", shelf)
    made = next(path for path in (scratch / "made", scratch / "kept") if path.exists())
    made.rename(folder)
    found = {}
    for reader in specimen.readers:
        digests = {
            found_by(specimen, reader, copy_of(folder, scratch / run / specimen.name), shelf,
                     scratch / run)
            for run in ("one", "two")
        }  # fmt: skip
        if len(digests) > 1:
            raise RuntimeError(f"{name}: reader {reader} finds something else each time")
        (found[reader],) = digests
        for run in ("one", "two"):
            shutil.rmtree(scratch / run)
    shutil.rmtree(scratch)
    (shelf / f"{name}.json").write_text(json.dumps(found))


def damaged_file(index: int, seed: int, shelf: Path, scratch: Path) -> Outcome:
    """One case: the outcome of reading a folder after one of its files was damaged."""
    rng = random.Random(f"damage:{seed}:{index}")
    name = rng.choices(list(SPECIMENS), [specimen.weight for specimen in SPECIMENS.values()])[0]
    specimen = SPECIMENS[name]
    place = scratch / "damage"
    shutil.rmtree(place, ignore_errors=True)
    folder = copy_of(shelf / name, place / specimen.name)
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ".lock"]
    kinds = sorted({path.suffix for path in files})
    # Kinds of files equally often: an experiment has thirty JSON files to one of weights.
    suffix = rng.choice(kinds)
    path = rng.choice([path for path in files if path.suffix == suffix])
    reader = rng.choice(list(specimen.readers))
    words, forged = damage(folder, path.relative_to(folder).as_posix(), rng)
    about = f"{name}, read by {reader}: {words}"
    names = {path.name, path.stem, str(folder), folder.name, *(p.name for p in folder.rglob("*"))}
    wanted = json.loads((shelf / f"{name}.json").read_text())[reader]
    with captured() as (_, errors), np.errstate(all="ignore"):
        try:
            signal.setitimer(signal.ITIMER_REAL, specimen.limit_s)
            found = found_by(specimen, reader, folder, shelf, place)
        except (Exception, HangError, SystemExit) as error:
            return judged(error, about, names)
        said = errors.getvalue()
    if found == wanted:
        return Outcome("harmless", about)
    if named(said, names):
        return Outcome("clear", about, "", said[-400:])
    if forged:
        return Outcome("forged", about)
    kind = "wrong bytes" if reader in ("again", "subset", "fit", "adapt", "import") else "silent"
    what = words.split(": ", 1)[1].split()[0]
    return Outcome(kind, about, f"{name}/{path.name[:24]} by {reader} ({what})")
