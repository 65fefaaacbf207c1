"""Ablations are compared with the whole of the same training seeds, and the table shows that."""

import dataclasses

import numpy as np
import pytest
from report_cases import LEVELS, write_results

from benchmarks.experiment.reporting.ablations import ablation_table
from benchmarks.experiment.reporting.pretraining import few_shot
from benchmarks.experiment.reporting.results import read

UNGUIDED = "networld-no-guidance"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Three seeds of the whole and of the one from scratch, two of the one without guidance."""
    levels = {**LEVELS, UNGUIDED: 10.8}
    return read(write_results(tmp_path_factory.mktemp("ablations") / "out", levels))


def change(experiment, method, **how):
    """The experiment with one method's groups changed."""
    groups = [
        dataclasses.replace(group, **{name: edit(group) for name, edit in how.items()})
        if group.method == method and group.amount == "2" else group
        for group in experiment.groups
    ]  # fmt: skip
    return dataclasses.replace(experiment, groups=groups)


def rows_of(experiment):
    """By method: n, score and difference in resource blocks."""
    table = ablation_table(experiment)
    assert table.columns[1] == "rb: n"
    return {row[0]: row[1:4] for row in table.rows}


def value(cell):
    return float(cell.split()[0])


def test_every_row_says_how_many_seeds_it_has(experiment):
    assert {name: cells[0] for name, cells in rows_of(experiment).items()} == {
        "NetWorld": "3",
        "NetWorld, seeds 0, 1 alone": "2",
        "NetWorld without guidance": "2",
        "NetWorld from scratch": "3",
        "best heuristic (maxweight, fp-causal-warm, static)": "-",
        "expert": "-",
    }


def test_score_and_difference_agree_whatever_the_other_seeds_are(experiment):
    """The third seed of the whole fails: without it the whole is above the one unguided."""
    failed = change(experiment, "networld", rewards=lambda g: g.rewards - [[0.0], [0.0], [6.0]])
    rows = rows_of(failed)
    whole, alone = rows["NetWorld"], rows["NetWorld, seeds 0, 1 alone"]
    unguided = rows["NetWorld without guidance"]
    # This is why there is a row of the same seeds.
    assert value(whole[1]) < value(unguided[1]) < value(alone[1])
    assert value(unguided[2]) < 0
    # Ten reward make a hundred points.
    assert value(unguided[1]) - value(alone[1]) == pytest.approx(10 * value(unguided[2]), abs=0.11)


def test_seeds_are_compared_by_their_number_not_by_their_place(experiment):
    """The first result of a variant is missing: its second is not compared with another seed's."""
    second = change(
        experiment, UNGUIDED, seeds=lambda _: (1,), rewards=lambda g: g.rewards[1:] - 1.0
    )
    second = change(
        second, "networld", rewards=lambda g: np.array([[9.0], [0.0], [9.0]]) + g.rewards
    )
    rows = rows_of(second)
    assert rows["NetWorld, seed 1 alone"][0] == rows["NetWorld without guidance"][0] == "1"
    # 10.8 - 2 of a variant on few, one less, against 9.
    assert value(rows["NetWorld without guidance"][2]) == pytest.approx(-1.2, abs=0.01)


def test_a_variant_without_a_seed_of_the_whole_is_left_out(experiment):
    other = change(experiment, UNGUIDED, seeds=lambda _: (7, 8))
    rows = rows_of(other)
    assert set(rows) >= {"NetWorld", "NetWorld from scratch"}
    assert not any("guidance" in name or "alone" in name for name in rows)


def test_more_seeds_than_the_whole_has_are_not_shown(experiment):
    """Their score would be of seeds that the difference is not of."""
    more = change(
        experiment,
        "networld-scratch",
        seeds=lambda _: (0, 1, 2, 3),
        rewards=lambda g: np.concatenate([g.rewards, g.rewards[:1] + 40.0]),
    )
    wanted = rows_of(experiment)["NetWorld from scratch"]
    assert rows_of(more)["NetWorld from scratch"] == wanted


def test_no_variants_no_table(experiment):
    groups = [g for g in experiment.groups if g.method not in (UNGUIDED, "networld-scratch")]
    assert ablation_table(dataclasses.replace(experiment, groups=groups)) is None


def test_pretraining_is_compared_over_the_seeds_that_both_have(experiment):
    missing = change(
        experiment, "networld-scratch", seeds=lambda _: (1, 2), rewards=lambda g: g.rewards[1:]
    )
    lucky = change(
        missing, "networld", rewards=lambda g: np.array([[50.0], [0.0], [0.0]]) + g.rewards
    )
    (entry,) = (entry for entry in few_shot(lucky) if entry.task == "rb")
    assert entry.num_seeds == 2
    # 9 of NetWorld against 4 - 2, world by world.
    assert entry.gain.value == pytest.approx(7, abs=0.01)
