"""Installed commands: `wirelessenvs-play` is `python -m wirelessenvs.play`, and so on."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

from wirelessenvs.command import call_as

__all__ = ["bench", "play", "scores", "script"]


def script(module: str) -> Callable[[], None]:
    """A function that does all that `python -m module` does.

    Code in the current folder is found, so that `--env my_module:make` works with both.
    """

    def main() -> None:
        if not sys.flags.safe_path:
            sys.path.insert(0, os.getcwd())
        call_as(module, Path(sys.argv[0]).name)
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    return main


bench = script("wirelessenvs.bench")
play = script("wirelessenvs.play")
scores = script("wirelessenvs.scores")
