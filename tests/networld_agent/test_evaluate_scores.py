"""Scores, intervals, seeds and tables on numbers whose answer is known."""

import csv
import io
import json
import math

import numpy as np
import pytest

from networld_agent.evaluation.episodes import Episodes
from networld_agent.evaluation.scores import (
    bootstrap_interval,
    normalised,
    normalised_interval,
    spread_over_groups,
)
from networld_agent.evaluation.seeds import TEST_SEEDS, VALIDATION_SEEDS, group_seeds
from networld_agent.evaluation.table import as_csv, as_json, make_rows, printed
from networld_agent.evaluation.tuning import Trial, best_trial
from wirelessenvs.seeds import EVALUATION_SEEDS


def test_random_scores_0_and_expert_100():
    assert normalised(-3.0, -3.0, 1.0) == 0
    assert normalised(1.0, -3.0, 1.0) == 100
    assert normalised(0.0, -3.0, 1.0) == 75
    assert normalised(2.0, -3.0, 1.0) == 125
    assert math.isnan(normalised(0.0, 1.0, 1.0))


def test_bootstrap_interval_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_bootstrap_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(300):
        low, high = bootstrap_interval(rng.normal(0, 1, 40), 500, seed=trial)
        covered += low <= 0 <= high
    assert 0.90 <= covered / 300 <= 0.98


def test_paired_interval_ignores_how_hard_the_worlds_are():
    rng = np.random.default_rng(2)
    hardness = rng.normal(0, 100, 50)
    random, expert = hardness, hardness + 10
    method = hardness + 8 + rng.normal(0, 0.1, 50)
    low, high = normalised_interval(method, random, expert)
    assert 79 < low < 80.5 < high < 81.5 or 78.5 < low < 80 < high < 81
    assert high - low < 1.5


def test_spread_over_groups_is_the_deviation_of_their_means():
    assert spread_over_groups(np.array([1.0, 3, 5, 7]), 2) == pytest.approx(np.std([2, 6], ddof=1))
    assert math.isnan(spread_over_groups(np.ones(4), 1))


def test_tuning_test_and_data_seeds_never_meet():
    assert VALIDATION_SEEDS[0] > TEST_SEEDS[-1]
    assert VALIDATION_SEEDS[-1] == EVALUATION_SEEDS[-1]
    assert TEST_SEEDS[0] == EVALUATION_SEEDS[0]


def test_more_groups_or_episodes_keep_the_seeds_that_were_there():
    few = set(group_seeds(TEST_SEEDS, None, 2, 3))
    assert few < set(group_seeds(TEST_SEEDS, None, 3, 5))
    assert len(few) == 6


@pytest.mark.parametrize("first", [0, 999_999, 1_899_999, 1_900_000])
def test_seeds_outside_the_reserved_range_are_refused(first):
    with pytest.raises(ValueError, match="may be in the data"):
        group_seeds(TEST_SEEDS, first, 2, 2)


def test_too_many_episodes_in_a_group_are_refused():
    with pytest.raises(ValueError, match="at most 1000"):
        group_seeds(TEST_SEEDS, None, 1, 1001)


def episodes(rewards):
    rewards = np.array(rewards, float)
    share = np.full(len(rewards), 0.25)
    return Episodes(tuple(range(len(rewards))), rewards, {"rate": 2 * rewards}, share, 0.004, 128.0)


def table():
    played = {"ours": episodes([4, 6]), "random": episodes([0, 2]), "expert": episodes([5, 7])}
    return make_rows(played, dict.fromkeys(played, "neighbors"), 2)


def test_rows_hold_means_scores_and_metrics():
    ours, random, expert = table()
    assert ours.reward == 5
    assert ours.score == pytest.approx(80)
    assert (random.score, expert.score) == (0, 100)
    assert ours.metrics == {"rate": 10}
    assert ours.reward_spread == pytest.approx(np.std([4, 6], ddof=1))
    assert (ours.repeated, ours.milliseconds, ours.bytes_per_step) == (0.25, 4, 128)


def test_without_an_expert_there_is_no_score():
    (row,) = make_rows({"ours": episodes([1, 2])}, {"ours": "neighbors"}, 1)
    assert math.isnan(row.score)
    assert "| - |" in printed([row], None)


def test_csv_and_json_hold_the_same_figures():
    rows = table()
    lines = list(csv.DictReader(io.StringIO(as_csv(rows))))
    objects = json.loads(json.dumps(as_json(rows), allow_nan=False))
    for line, entry, row in zip(lines, objects, rows, strict=True):
        assert line["method"] == entry["method"] == row.method
        assert float(line["score"]) == pytest.approx(entry["score"])
        assert float(line["rate"]) == entry["metrics"]["rate"]
        assert [float(line["reward_low"]), float(line["reward_high"])] == pytest.approx(
            entry["reward_interval"]
        )


def test_printed_table_has_one_line_per_row_and_equal_columns():
    lines = printed(table(), "rate").splitlines()
    assert len(lines) == 5
    assert len({line.count("|") for line in lines}) == 1


def test_the_smaller_of_equally_good_scales_is_taken():
    def best(*trials):
        found = best_trial([Trial(*trial, 0.0, (0.0, 0.0)) for trial in trials])
        return found.temperature, found.scale

    assert best((0.5, 0.0, 1.0), (0.5, 0.1, 3.0), (0.5, 0.3, 2.0)) == (0.5, 0.1)
    assert best((0.5, 0.1, 3.0), (0.5, 0.0, 3.0), (1.0, 0.0, 3.0)) == (0.5, 0.0)
    assert best((0.5, 0.0, 2.0), (1.0, 0.0, 3.0)) == (1.0, 0.0)


def test_a_temperature_that_was_not_kept_is_not_taken():
    kept = Trial(0.5, 0.0, 2.0, 0.0, (0.0, 0.0))
    dropped = Trial(1.0, 0.0, 3.0, 0.0, (0.0, 0.0), kept=False)
    assert best_trial([kept, dropped]) is kept
