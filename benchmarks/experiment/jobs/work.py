"""Where the code of each kind of job is. Only the job itself imports it."""

from __future__ import annotations

from typing import Final

__all__ = ["WORK", "player_module"]

_JOBS: Final = "benchmarks.experiment.jobs"
#: Modules by kind of job; the function has the kind's name.
WORK: Final = {
    "collect": f"{_JOBS}.collecting",
    "pretrain": f"{_JOBS}.world_models",
    "adapt": f"{_JOBS}.world_models",
    "fit": f"{_JOBS}.fitting",
    "evaluate": f"{_JOBS}.evaluating",
    "curve": f"{_JOBS}.evaluating",
}


def player_module(method: str) -> str:
    """The module with `load_player` and `tuned_options` of a method that is trained."""
    return f"{_JOBS}.{'planner' if method == 'networld' else 'baseline'}_player"
