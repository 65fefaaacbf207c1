"""Runs a command of `benchmarks`: `python -m networld_benchmarks run --preset smoke`.

Many projects leave a package `benchmarks` in site-packages. So a wheel carries ours in a folder of
this package, which stands first on the path of its commands and of the processes that they start.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Final

from wirelessenvs.command import call_as

__all__ = ["ROOT", "commands", "main"]

_INSIDE: Final = Path(__file__).with_name("root")
#: Holds `benchmarks`: in a wheel a folder of this package, in a checkout the checkout.
ROOT: Final = _INSIDE if _INSIDE.is_dir() else Path(__file__).resolve().parents[1]


def commands() -> list[str]:
    """What `python -m benchmarks.COMMAND` runs, sorted: "baselines.fit", "run", ..."""
    found = []
    for path in (ROOT / "benchmarks").rglob("*.py"):
        if '__name__ == "__main__"' in path.read_text():
            parts = path.relative_to(ROOT / "benchmarks").with_suffix("").parts
            found.append(".".join(parts).removesuffix(".__main__"))
    # The process of one job, which the experiment starts itself.
    return sorted(set(found) - {"experiment.jobs.execute"})


def main() -> int:
    """The command; returns its exit status, unless the command itself ends the process."""
    called = Path(sys.argv[0]).name
    program = "python -m networld_benchmarks" if called == "__main__.py" else called
    known, (command, *words) = commands(), sys.argv[1:] or ["--help"]
    if command in ("-h", "--help"):
        print(f"usage: {program} COMMAND ...\n\nCommands, each with a --help of its own:")
        print("\n".join(f"  {name}" for name in known))
        return 0
    if command not in known:
        told = f"error: COMMAND must be one of {', '.join(known)}, got {command!r}."
        print(told, file=sys.stderr)
        return 2
    here = [] if sys.flags.safe_path else [os.getcwd()]  # a method of one's own is found there
    sys.path[:0] = [str(ROOT), *here]
    inherited = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *inherited])
    call_as("benchmarks.", f"{program} ")
    sys.argv[1:] = words
    runpy.run_module(f"benchmarks.{command}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
