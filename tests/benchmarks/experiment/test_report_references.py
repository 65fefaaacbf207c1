"""The best heuristic of a task and its expert stand in every table and beside every curve."""

import dataclasses

import pytest
from matplotlib.figure import Figure
from report_cases import write_results

from benchmarks.experiment.reporting import figures
from benchmarks.experiment.reporting.ablations import ablation_table
from benchmarks.experiment.reporting.amounts import amount_tables, cloning_tables
from benchmarks.experiment.reporting.comparisons import amount_scores, claim_table, nearest_table
from benchmarks.experiment.reporting.pretraining import few_shot, few_shot_table
from benchmarks.experiment.reporting.references import reference_title
from benchmarks.experiment.reporting.results import read
from benchmarks.experiment.reporting.tables import score_table, size_table

#: The policy that plays it, by task.
POLICIES = {"rb": "maxweight", "cbf": "fp-causal-warm", "slicing": "static"}
ALL = "best heuristic (maxweight, fp-causal-warm, static)"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    return read(write_results(tmp_path_factory.mktemp("references") / "out"))


@pytest.fixture(scope="module")
def old(experiment):
    """As folders are that were made before there was a heuristic."""
    groups = [group for group in experiment.groups if group.method != "heuristic"]
    return dataclasses.replace(experiment, groups=groups)


def tables(experiment):
    pages = [score_table(experiment, task) for task in POLICIES]
    return [
        *pages, *amount_tables(experiment).values(), *cloning_tables(experiment).values(),
        ablation_table(experiment), size_table(experiment), claim_table(experiment),
        nearest_table(experiment, amount_scores(experiment)),
        few_shot_table(experiment, few_shot(experiment)),
    ]  # fmt: skip


def rows_of(table):
    """Rows as dictionaries, by what they say of task, size and method."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    names = ("task", "size", "method", "against")
    return {tuple(row[name] for name in names if name in row): row for row in rows}


def test_they_stand_in_every_table(experiment):
    for table in tables(experiment):
        told = [*table.columns, *(cell for row in table.rows for cell in row)]
        assert any(text.startswith("best heuristic") for text in told), table.name
        assert any(text.split(":")[0] == "expert" for text in told), table.name


def test_a_heuristic_that_was_not_played_is_left_out(old):
    for table in tables(old):
        told = [*table.columns, *(cell for row in table.rows for cell in row)]
        assert not any("heuristic" in text for text in told), table.name
        assert any(text.split(":")[0] == "expert" for text in told), table.name


def test_they_need_no_data_and_have_one_score_in_every_amount(experiment):
    rows = rows_of(amount_tables(experiment)["expert"])
    for task, policy in POLICIES.items():
        for name, wanted in ((f"best heuristic ({policy})", "80.0"), ("expert", "100.0")):
            _, _, *cells = rows[task, name].values()
            assert cells == [f"{wanted} [{wanted}, {wanted}]"] * 3


def test_they_stand_beside_cloning_on_each_amount(experiment):
    rows = rows_of(cloning_tables(experiment)["expert"])
    row = rows["rb", "best heuristic (maxweight)"]
    column = "{}: score above cloning [95 %]"
    # 80 against 20 and 40.
    for amount, wanted in (("2", 60), ("4", 40)):
        told, seeds = row[column.format(amount)].split(", n = ")
        assert float(told.split()[0]) == pytest.approx(wanted, abs=1.5)
        assert seeds == "- and 3"
    # Nothing was cloned on so few.
    assert row[column.format("20 steps")] == "-"


def test_a_task_without_trained_methods_is_no_rows_of_references(experiment):
    some = [g for g in experiment.groups if g.task != "cbf" or not g.amount]
    part = dataclasses.replace(experiment, groups=some)
    for table in (amount_tables(part)["expert"], cloning_tables(part)["expert"]):
        assert {row[0] for row in table.rows} == {"rb", "slicing"}


def test_the_claim_is_shown_beside_them(experiment):
    rows = rows_of(claim_table(experiment))
    column = "NetWorld's reward minus its [95 %]"
    for name, wanted, verdict in (
        ("best heuristic (maxweight)", 1, "above"), ("expert", -1, "below"),
    ):  # fmt: skip
        row = rows["rb", name]
        assert float(row[column].split()[0]) == pytest.approx(wanted, abs=0.15)
        assert row["NetWorld is"] == verdict


def test_other_sizes_have_their_own(experiment):
    rows = rows_of(size_table(experiment))
    for size in ("as trained", "9 nodes"):
        row = rows["rb", size, "best heuristic (maxweight)"]
        assert (row["target data"], row["n"]) == ("-", "-")
        assert row["score [95 %]"] == "80.0 [80.0, 80.0]"


def test_they_stand_beside_pretraining(experiment):
    table = few_shot_table(experiment, few_shot(experiment))
    for row in rows_of(table).values():
        told = row["best heuristic: score [95 %]"]
        assert told == f"80.0 [80.0, 80.0] ({POLICIES[row['task']]})"
        assert row["expert: score [95 %]"] == "100.0 [100.0, 100.0]"


def test_a_heuristic_close_to_the_expert_needs_no_data_for_it(experiment):
    lifted = [
        dataclasses.replace(group, rewards=group.rewards + 1.9)
        if (group.method, group.task) == ("heuristic", "cbf") else group
        for group in experiment.groups
    ]  # fmt: skip
    changed = dataclasses.replace(experiment, groups=lifted)
    rows = rows_of(nearest_table(changed, amount_scores(changed)))
    _, *cells = rows[(ALL,)].values()
    assert cells == ["not reached", "not reached", "none needed", "not reached", "-"]
    _, *cells = rows[("expert",)].values()
    assert cells == [*["none needed"] * 4, "-"]


def test_a_row_of_all_tasks_names_all_policies(experiment, old):
    assert reference_title(experiment, "heuristic") == ALL
    assert reference_title(experiment, "expert") == "expert"
    assert reference_title(old, "heuristic") == "best heuristic"


def test_curves_are_drawn_beside_the_heuristic_or_else_medium(experiment, old):
    for given, there, absent in (
        (experiment, "best heuristic", "medium"), (old, "medium", "best heuristic"),
    ):  # fmt: skip
        handles = {}
        figures._curve_panel(given, Figure().subplots(), "rb", handles)
        assert {"expert", there, "random"} <= handles.keys()
        assert absent not in handles
