"""What each part is worth: with it and without it, on the same data, worlds and training seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.experiment.methods import WITH_MEAN_FIELD
from benchmarks.experiment.reporting.blocks import Table
from benchmarks.experiment.reporting.results import Experiment, Group, Reals, seeds_in_common
from benchmarks.experiment.reporting.statistics import (
    Estimate,
    difference,
    paired,
    score_difference,
)
from benchmarks.experiment.reporting.tables import draws_of

__all__ = ["worth_sentences", "worth_table"]


@dataclass(frozen=True)
class _Part:
    """A part, and the methods with and without it: side by side, and averaged over the pairs."""

    name: str
    words: str
    pairs: Sequence[tuple[str, str]]


_PARTS: Final = (
    _Part(
        "neighbours' mean",
        "baselines that hear it against the same without",
        [(name, str(row.of)) for name, row in WITH_MEAN_FIELD.items()],
    ),
    _Part(
        "world model", "NetWorld against its behaviour head",
        [("networld", "networld-behaviour-head")],
    ),
    _Part(
        "values of actions", "NetWorld against the same without values",
        [("networld", "networld-no-values")],
    ),
    _Part(
        "guidance", "NetWorld against a random direction",
        [("networld", "networld-random-direction")],
    ),
    _Part(
        "pre-training", "NetWorld against the same from scratch",
        [("networld", "networld-scratch")],
    ),
    _Part(
        "all beyond the paper", "NetWorld against NetWorld as published",
        [("networld", "networld-published")],
    ),
)  # fmt: skip


@dataclass(frozen=True)
class _Worth:
    """A part on one tier of a task's data.

    Args:
        task: held out.
        tier: of the data.
        part: that is judged.
        pairs: of methods that were there.
        seeds: of training that both sides have.
        reward: with it, minus without.
        points: the same as score above the best local rule.
    """

    task: str
    tier: str
    part: _Part
    pairs: int
    seeds: int
    reward: Estimate
    points: Estimate


def _worths(experiment: Experiment) -> list[_Worth]:
    """All that is known, by task, part and tier; nothing where no task has a best local rule."""
    found = []
    for task in (entry["name"] for entry in experiment.tasks):
        draws, anchors = draws_of(experiment, task), experiment.anchors(task, zero="local")
        if draws is None or anchors is None:
            continue
        for part in _PARTS:
            for tier in experiment.tiers:
                sides = _sides(experiment, task, tier, part)
                if sides is None:
                    continue
                pairs, ours, theirs = sides
                both = paired(ours, theirs)
                found.append(
                    _Worth(
                        task, tier, part, pairs, len(ours), difference(draws, *both),
                        score_difference(draws, *both, anchors),
                    )
                )  # fmt: skip
    return found


def _sides(
    experiment: Experiment, task: str, tier: str, part: _Part
) -> tuple[int, Reals, Reals] | None:
    """Number of pairs, and `(S, E)` rewards with the part and without, means over the pairs.

    Of the training seeds that all sides of all pairs have.
    """
    known: list[tuple[Group, Group]] = []
    for ours, theirs in part.pairs:
        one, two = (experiment.compared(task, name, tier) for name in (ours, theirs))
        if one is not None and two is not None:
            known.append((one, two))
    common = [set(seeds_in_common(*pair)) for pair in known]
    seeds = sorted(set.intersection(*common)) if common else []
    if not seeds:
        return None
    with_it, without = (
        np.mean([pair[side].of_seeds(seeds) for pair in known], 0) for side in (0, 1)
    )
    return len(known), with_it, without


def worth_table(experiment: Experiment) -> Table | None:
    """A row per task, part and tier of data; None where no task has a best local rule."""
    rows = [
        (
            worth.task, worth.part.name, f"{worth.part.words} ({worth.pairs})", worth.tier,
            str(worth.seeds), worth.points.shown("+.1f"), worth.reward.shown("+.3g"),
            worth.points.verdict("a gain", "a loss"),
        )
        for worth in _worths(experiment)
    ]  # fmt: skip
    columns = (
        "task", "part", "by (pairs of methods)", "data", "n", "score gained by it [95 %]",
        "reward gained by it [95 %]", "it is",
    )  # fmt: skip
    return Table("worth", columns, tuple(rows)) if rows else None


def worth_sentences(experiment: Experiment) -> list[str]:
    """One sentence per part: where it is a gain, where a loss, and where that is undecided."""
    worths, sentences = _worths(experiment), []
    for part in _PARTS:
        mine = [worth for worth in worths if worth.part is part]
        if not mine:
            continue
        told = []
        for verdict in ("a gain", "a loss", "undecided"):
            places: dict[str, list[str]] = {}
            for worth in mine:
                if worth.points.verdict("a gain", "a loss") == verdict:
                    places.setdefault(worth.task, []).append(worth.tier)
            if places:
                where = "; ".join(f"{task} ({', '.join(on)})" for task, on in places.items())
                told.append(f"{verdict} in {where}")
        sentences.append(f"{part.name[0].upper()}{part.name[1:]}: {'. '.join(told)}.")
    return sentences
