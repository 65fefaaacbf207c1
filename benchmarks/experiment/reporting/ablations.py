"""NetWorld without each of its parts, against the whole of the same training seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.experiment.methods import ABLATIONS, JUDGING
from benchmarks.experiment.reporting.blocks import Table
from benchmarks.experiment.reporting.references import ALWAYS, reference_groups, reference_title
from benchmarks.experiment.reporting.results import Experiment, Group, seeds_in_common
from benchmarks.experiment.reporting.statistics import (
    Draws,
    Estimate,
    Reals,
    difference,
    paired,
    score,
)
from benchmarks.experiment.reporting.style import title_of
from benchmarks.experiment.reporting.tables import draws_of

__all__ = ["ablation_table"]

_WHOLE: Final = "networld"
_VARIANTS: Final = (*ABLATIONS, *JUDGING, "networld-scratch")
_Seeds = tuple[int, ...]
#: n, score, and reward against the whole.
_Cells = tuple[str, str, str]
_NOTHING: Final[_Cells] = ("-", "-", "-")


@dataclass(frozen=True)
class _Panel:
    """The columns of one task.

    Args:
        experiment: whose results they are.
        draws: of the task's test worlds.
        whole: NetWorld on the same data as its variants.
        variants: that have a training seed in common with the whole.
    """

    experiment: Experiment
    draws: Draws
    whole: Group
    variants: list[Group]

    def compared(self) -> set[_Seeds]:
        """Seeds that variants are compared over, where these are not all of the whole's."""
        return {seeds_in_common(group, self.whole) for group in self.variants} - {self.whole.seeds}

    def rows(self, alone: Sequence[_Seeds]) -> dict[str, _Cells]:
        """Rows by method, or by `_alone` for the complete model on some of its seeds."""
        found = {_WHOLE: self._cells(_WHOLE, self.whole.rewards)}
        for seeds in alone:
            if set(seeds) <= set(self.whole.seeds):
                found[_alone(seeds)] = self._cells(_WHOLE, self.whole.of_seeds(seeds))
        for group in self.variants:
            seeds = seeds_in_common(group, self.whole)
            # Its score is of these seeds, too: what was not compared must not be shown beside it.
            mine, whole = group.of_seeds(seeds), self.whole.of_seeds(seeds)
            lost = difference(self.draws, *paired(mine, whole))
            found[group.method] = self._cells(group.method, mine, lost)
        for group in reference_groups(self.experiment, self.whole.task):
            sides = (group.method, group.rewards), (_WHOLE, self.whole.rewards)
            lost = difference(self.draws, *sides)
            found[group.method] = ("-", *self._cells(group.method, group.rewards, lost)[1:])
        return found

    def _cells(self, method: str, rewards: Reals, lost: Estimate | None = None) -> _Cells:
        anchors = self.experiment.anchors(self.whole.task)
        shown = score(self.draws, method, rewards, anchors).shown(".1f") if anchors else "-"
        return str(len(rewards)), shown, "-" if lost is None else lost.shown("+.3g")


def ablation_table(experiment: Experiment) -> Table | None:
    """NetWorld without each of its parts, by task: seeds, score, and what the part is worth.

    A variant may have fewer training seeds than the whole. Beside the whole of all seeds there is
    then the whole of the variant's: otherwise a lucky seed would make a score higher and the
    difference beside it negative.
    """
    tasks = [task["name"] for task in experiment.tasks]
    panels = {task: panel for task in tasks if (panel := _panel(experiment, task)) is not None}
    if not any(panel.variants for panel in panels.values()):
        return None
    fewer = set[_Seeds]().union(*(panel.compared() for panel in panels.values()))
    alone = sorted(fewer, key=lambda seeds: (-len(seeds), seeds))
    titles = {
        _WHOLE: title_of(_WHOLE),
        **{_alone(seeds): _alone(seeds) for seeds in alone},
        **{method: title_of(method) for method in _VARIANTS},
        **{method: reference_title(experiment, method) for method in ALWAYS},
    }
    cells = {task: panel.rows(alone) for task, panel in panels.items()}
    rows = tuple(
        (title, *(text for t in tasks for text in cells.get(t, {}).get(name, _NOTHING)))
        for name, title in titles.items()
        if any(name in found for found in cells.values())
    )
    columns = ["method"]
    for task in tasks:
        columns += [
            f"{task}: n", f"{task}: score [95 %]", f"{task}: reward against the whole [95 %]",
        ]  # fmt: skip
    return Table("ablations", tuple(columns), rows, frozenset({0}))


def _panel(experiment: Experiment, task: str) -> _Panel | None:
    """None where the whole has not been played."""
    few, draws = experiment.protocol["few"], draws_of(experiment, task)
    played = experiment.find(task, amount=few, tier="expert")
    whole = next((group for group in played if group.method == _WHOLE), None)
    if whole is None or draws is None:
        return None
    variants = [g for g in played if g.method in _VARIANTS and seeds_in_common(g, whole)]
    return _Panel(experiment, draws, whole, variants)


def _alone(seeds: _Seeds) -> str:
    """The row of the whole that was trained with these seeds only."""
    named = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    return f"{title_of(_WHOLE)}, {named} alone"
