"""What stands in every table beside the methods: a task's best rules, and its expert."""

from __future__ import annotations

from typing import Final

from benchmarks.experiment.methods import REFERENCES
from benchmarks.experiment.reporting.results import Experiment, Group
from benchmarks.experiment.reporting.style import title_of

__all__ = ["ALWAYS", "group_title", "reference_groups", "reference_title"]

#: References in every table, in this order. Folders of old experiments have no heuristic.
ALWAYS: Final = ("local", "heuristic", "expert")


def reference_groups(experiment: Experiment, task: str, size: str = "") -> list[Group]:
    """The best rules and the expert of a task, as far as they have been played."""
    return [group for name in ALWAYS for group in experiment.find(task, size, method=name)]


def reference_title(experiment: Experiment, method: str) -> str:
    """Name of a row of several tasks, each with its own policy: "best heuristic (a, b, c)"."""
    groups = [
        group for task in experiment.tasks for group in experiment.find(task["name"], method=method)
    ]
    return _with_policies(method, [group.policy for group in groups])


def group_title(group: Group) -> str:
    """Name of a group's row: of a reference with the policy that plays it."""
    return _with_policies(group.method, [group.policy])


def _with_policies(method: str, policies: list[str]) -> str:
    # What is trained, random and the expert are called as what plays them.
    names = [name for name in dict.fromkeys(policies) if name not in ("", method)]
    if method not in REFERENCES or not names:
        return title_of(method)
    return f"{title_of(method)} ({', '.join(names)})"
