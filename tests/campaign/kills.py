"""Part "kills": a command is killed at a random moment and repeated; the end must be the same."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from . import damaged_files
from .commands import LINES, inputs, line, perform
from .contents import contents, partial_files
from .outcomes import HangError, Outcome, captured, judged
from .worker import in_child

LIMIT_S = 300.0


def prepare(shelf: Path, indices: Sequence[int]) -> None:
    """Runs the commands of these cases undisturbed, twice: what they write, and when."""
    for name in {_command(index): None for index in indices}:
        target = shelf / f"whole-{name}.json"
        if target.exists():
            continue
        damaged_files.make(shelf, inputs(name))
        found = [_undisturbed(name, shelf, shelf / f".whole-{name}") for _ in range(2)]
        if found[0]["contents"] != found[1]["contents"]:
            one, two = (set(entry["contents"].items()) for entry in found)
            raise RuntimeError(f"{name} writes something else each time: {sorted(one ^ two)}")
        target.write_text(json.dumps(found[1]))


def _command(index: int) -> str:
    return list(LINES)[index % len(LINES)]


def _start(name: str, shelf: Path, place: Path) -> int:
    def work() -> None:
        os.chdir(place)
        import importlib
        import sys

        module, arguments = line(name, shelf)
        sys.exit(importlib.import_module(module).main(arguments))

    return in_child(work, place.with_suffix(".log"))


def _undisturbed(name: str, shelf: Path, place: Path) -> dict:
    """Contents, seconds until the first file and until the end."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    began, first = time.monotonic(), None
    process = _start(name, shelf, place)
    while not (ended := os.waitpid(process, os.WNOHANG))[0]:
        if first is None and any(place.iterdir()):
            first = time.monotonic() - began
        time.sleep(0.001)
    if ended[1]:
        raise RuntimeError(f"{name} failed: see {place.with_suffix('.log')}")
    seconds = time.monotonic() - began
    found = {"contents": contents(place), "first": first or seconds, "seconds": seconds}
    left = partial_files(place)
    shutil.rmtree(place)
    if left:
        raise RuntimeError(f"{name} leaves {', '.join(left)} although nobody killed it")
    return found


def _empty(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)


def _is_done(place: Path, whole: dict) -> bool:
    """Whether the last kill came after the last of the work."""
    try:
        return contents(place) == whole["contents"] and not partial_files(place)
    except (OSError, ValueError):  # torn, by right
        return False


def killed_command(index: int, seed: int, shelf: Path, scratch: Path) -> Outcome:
    """One case: a command is killed up to three times, then runs to its end."""
    rng = random.Random(f"kills:{seed}:{index}")
    name = _command(index)
    whole = json.loads((shelf / f"whole-{name}.json").read_text())
    place = scratch / "kill"
    moments: list[str] = []
    kills, latest = rng.choice((1, 1, 2, 3)), whole["seconds"]
    _empty(place)
    for _ in range(kills + 8):
        # Most of the moments when there is something to break.
        begin = 0.8 * min(whole["first"], latest) if rng.random() < 0.9 else 0.0
        moment, group = rng.uniform(begin, latest), rng.random() < 0.5
        process = _start(name, shelf, place)
        time.sleep(moment)
        if os.waitpid(process, os.WNOHANG)[0]:
            if moments:
                break
            # It was quicker this time: anew, and sooner.
            latest = 0.9 * moment
            _empty(place)
            continue
        (os.killpg if group else os.kill)(process, signal.SIGKILL)
        os.waitpid(process, 0)
        moments.append(f"{'all of it ' if group else ''}at {moment:.3f} s")
        if len(moments) == kills:
            break
    about = f"{name} of {whole['seconds']:.2f} s killed {', '.join(moments) or 'too late'}"
    if not moments:
        return Outcome("late", about)
    os.chdir(place)
    if _is_done(place, whole):
        return Outcome("harmless", f"{about}: done all the same")
    with captured():
        try:
            perform(name, shelf)
            found = contents(place)
        except (Exception, HangError) as error:
            outcome = judged(error, about, ())
            # Whatever it says: the same command again must do it.
            return Outcome("wrong bytes" if outcome.kind == "unclear" else outcome.kind, about,
                           f"{name}: {outcome.group}", outcome.detail)  # fmt: skip
    if found != whole["contents"]:
        differing = sorted(k for k in found | whole["contents"]
                           if found.get(k) != whole["contents"].get(k))  # fmt: skip
        return Outcome("wrong bytes", about, f"{name}: {differing[0]}", ", ".join(differing))
    if left := partial_files(place):
        return Outcome("partial", about, f"{name}: {left[0]}", ", ".join(left))
    return Outcome("harmless", about)
