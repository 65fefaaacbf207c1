"""The report of the decisive comparison: scores above rules, what parts are worth, validation."""

import csv
import dataclasses
import json
import re

import pytest
from report_cases import EPISODES, write_results

from benchmarks.experiment.jobs.store import write_document
from benchmarks.experiment.methods import BASELINES, WITH_MEAN_FIELD
from benchmarks.experiment.presets import PRESETS
from benchmarks.experiment.protocol import TIERS_OF_DATA
from benchmarks.experiment.reporting.comparisons import claim_table, verdicts
from benchmarks.experiment.reporting.early_stopping import trials_table
from benchmarks.experiment.reporting.results import read
from benchmarks.experiment.reporting.tables import baselines_in
from benchmarks.experiment.reporting.terminal import main_table
from benchmarks.experiment.reporting.worth import worth_sentences, worth_table
from benchmarks.report import main

PROTOCOL = dataclasses.replace(
    PRESETS["decisive-smoke"],
    tasks=tuple(t for t in PRESETS["decisive-smoke"].tasks if t.name in ("rb-8", "cbf-beam")),
    seeds=3,
    ablation_seeds=3,
    episodes=EPISODES,
    values={},
)
#: Made-up results of two trajectories lose 2, and NetWorld's on expert data gain 2 again.
LEVELS = {
    "random": 0.0, "medium": 5.0, "rule": 3.0, "local": 6.0, "heuristic": 8.0, "expert": 10.0,
    "networld": 9.0, "networld@mixed": 9.0, "networld@rule": 11.0, "networld@replay": 11.0,
    "networld-behaviour-head": 10.0, "networld-random-direction": 11.0,
    "networld-scratch": 8.0, "networld-published": 7.0,
    "bc": 5.0, "bc-mean-field": 6.0, "dt-mean-field": 8.0, "cql@rule": 8.5,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("above") / "out", LEVELS, protocol=PROTOCOL)


@pytest.fixture(scope="module")
def experiment(folder):
    return read(folder)


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory):
    to = tmp_path_factory.mktemp("to")
    assert main(["--out", str(folder), "--to", str(to)]) == 0
    return to


def rows_of(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def value(cell):
    return float(cell.split()[0])


def test_the_best_local_rule_is_0_and_the_expert_100(experiment):
    rows = {row["method"]: row for row in rows_of(main_table(experiment, "expert", "local"))}
    assert value(rows["expert"]["rb-8"]) == 100
    (local,) = (row for name, row in rows.items() if name.startswith("best local rule"))
    assert value(local["rb-8"]) == 0
    # 6 is 0 and 10 is 100: the level 9 is 75.
    assert value(rows["NetWorld"]["rb-8"]) == pytest.approx(75, abs=5)
    assert value(rows["MA-BC"]["cbf-beam"]) == pytest.approx(-25, abs=5)
    assert "NetWorld as published" in rows
    plain = {row["method"]: row for row in rows_of(main_table(experiment))}
    assert value(plain["NetWorld"]["rb-8"]) == pytest.approx(90, abs=2)


def test_each_tier_has_its_own_scores_and_references_are_the_same_on_all(experiment):
    tables = {t: rows_of(main_table(experiment, t, "local")) for t in TIERS_OF_DATA}
    scores = {
        tier: {row["method"]: value(row["rb-8"]) for row in rows if row["rb-8"] != "-"}
        for tier, rows in tables.items()
    }
    assert scores["mixed"]["NetWorld"] == pytest.approx(25, abs=5)
    assert scores["rule"]["MA-CQL"] == pytest.approx(62.5, abs=5)
    assert {tier["data's rule"] for tier in scores.values()} == {-75.0}


def test_the_claim_is_over_all_that_hear_as_networld_does(experiment):
    assert baselines_in(experiment) == [*BASELINES, *WITH_MEAN_FIELD]
    rows = rows_of(claim_table(experiment))
    found = {(row["task"], row["data"], row["against"]): row for row in rows}
    assert found["rb-8", "expert", "MA-DT with mean field"]["NetWorld is"] == "above"
    assert found["rb-8", "mixed", "MA-DT with mean field"]["NetWorld is"] == "below"
    first, second = verdicts(experiment)
    for title, sentence in (("Resource blocks, 8 nodes", first), ("Beamforming, real", second)):
        assert sentence.startswith(title)
        assert "holds: NetWorld on 2 is above every baseline on 4" in sentence
        assert "the hardest to beat is MA-DT with mean field on 4" in sentence
        assert "on mixed data it does not hold (below MA-DT with mean field)" in sentence
        assert "on rule data it holds;" in sentence
    # One fewer on one tier: what is left does not decide it alone.
    fewer = [g for g in experiment.groups if (g.method, g.tier) != ("bc", "rule")]
    sentence = verdicts(dataclasses.replace(experiment, groups=fewer))[0]
    assert "on rule data it holds (baselines missing: 1);" in sentence


def test_what_parts_are_worth_is_a_difference_on_the_same_data(experiment):
    rows = {
        row["part"]: row
        for row in rows_of(worth_table(experiment))
        if (row["task"], row["data"]) == ("rb-8", "expert")
    }
    # On two trajectories each, where levels are two lower.
    for part, wanted in (
        ("world model", 1.0), ("guidance", 0.0), ("pre-training", 3.0),
        ("all beyond the paper", 4.0), ("neighbours' mean", (6 - 5 + 8 - 4) / 5),
    ):  # fmt: skip
        assert value(rows[part]["reward gained by it [95 %]"]) == pytest.approx(wanted, abs=0.02)
        points = value(rows[part]["score gained by it [95 %]"])
        assert points == pytest.approx(25 * wanted, abs=0.5)
        assert rows[part]["n"] == "3"
    assert rows["neighbours' mean"]["by (pairs of methods)"].endswith("without (5)")
    assert rows["guidance"]["it is"] == "undecided"
    told = "\n".join(worth_sentences(experiment))
    assert "Pre-training: a gain in rb-8 (expert, mixed, rule, replay)" in told
    assert "World model: a gain in rb-8 (expert, rule, replay)" in told
    assert "a loss in rb-8 (mixed)" in told


def test_one_seed_of_a_side_is_compared_with_that_seed(experiment):
    groups = [
        dataclasses.replace(g, seeds=(2,), rewards=g.rewards[2:])
        if g.method == "networld-scratch" else g
        for g in experiment.groups
    ]  # fmt: skip
    rows = rows_of(worth_table(dataclasses.replace(experiment, groups=groups)))
    assert {row["n"] for row in rows if row["part"] == "pre-training"} == {"1"}
    assert {row["n"] for row in rows if row["part"] == "guidance"} == {"3"}


def test_what_was_chosen_by_validation_is_counted_for_every_method(experiment):
    rows = {row["method"]: row for row in rows_of(trials_table(experiment))}
    assert len(rows) == len(PROTOCOL.methods)
    steps = 2 * PROTOCOL.tune_episodes * PROTOCOL.tune_steps
    for name, whose in (("NetWorld", "its own"), ("MA-BC", "its own"),
                        ("NetWorld's behaviour head", "those of NetWorld")):  # fmt: skip
        assert rows[name]["settings tried on validation worlds"] == "2"
        assert rows[name]["steps played for that"] == str(steps)
        assert rows[name]["looks at held-out data"] == "12"
        assert rows[name]["weights"] == whose
    # Of a task with longer validation episodes than others, those are counted.
    tasks = [
        {**task, "tune_steps": 7 if task["name"] == "rb-8" else None} for task in experiment.tasks
    ]
    longer = dataclasses.replace(experiment, protocol={**experiment.protocol, "tasks": tasks})
    rows = {row["method"]: row for row in rows_of(trials_table(longer))}
    assert rows["MA-BC"]["steps played for that"] == f"{steps} to {7 * PROTOCOL.tune_episodes * 2}"


def test_the_page_begins_with_scores_above_rules(page):
    text = (page / "report.md").read_text()
    headings = re.findall(r"^## (.*)$", text, re.M)
    assert headings[0] == "Scores above the best local rule"
    assert "What each part is worth" in headings
    assert "What was chosen by validation" in headings
    # Test episodes have a length of their own, whatever that of a trajectory.
    assert all(task.test_steps == 8 != task.steps for task in PROTOCOL.tasks)
    assert "test worlds (steps: rb-8 8, cbf-beam 8)" in text
    names = {path.name for path in page.iterdir()}
    assert {"tiers-rb-8.png", "tiers-cbf-beam.png", "worth.csv", "validation.csv"} <= names
    assert {f"above-rules-{tier}.csv" for tier in TIERS_OF_DATA} <= names
    assert "so do all baselines" in text
    # The row that is 0 is named, where random is 0 stands beside it.
    column = "| score, 0 is best local rule (mean-field) [95 %] | reward [95 %] |"
    assert column in text
    assert "| score, 0 is random [95 %] |" in text
    rows = list(csv.DictReader((page / "scores.csv").open()))
    (row,) = (
        r for r in rows
        if (r["task"], r["method"], r["tier"]) == ("rb-8", "networld", "expert")
    )  # fmt: skip
    assert float(row["score_above_rule"]) == pytest.approx(75, abs=5)


def test_the_terminal_says_which_rule_is_0(folder, tmp_path, capsys):
    assert main(["--out", str(folder), "--to", str(tmp_path)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "0 the best local rule, mean-field (rb-8), greedy (cbf-beam):" in told
    assert "Pre-training: a gain in" in told


def test_a_folder_from_before_there_were_tiers_draws_and_blocks_is_still_read(folder, tmp_path):
    old = json.loads((folder / "experiment.json").read_text())
    del old["sha256"]
    for name in ("model_options", "own_draws", "test_block", "values", "value_tiers"):
        del old["protocol"][name]
    for task in old["protocol"]["tasks"]:
        del task["local"], task["test_steps"], task["tune_steps"]
    write_document(tmp_path / "experiment.json", old)
    assert read(tmp_path).total == len(old["entries"])
