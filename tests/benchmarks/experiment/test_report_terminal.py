"""What `python -m benchmarks.report` prints ends with the claim and the main table."""

import dataclasses

import pytest
from report_cases import write_results

from benchmarks import report
from benchmarks.experiment.reporting.blocks import Table
from benchmarks.experiment.reporting.results import read
from benchmarks.experiment.reporting.terminal import as_text, main_table, terminal_text


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("terminal") / "out")


@pytest.fixture(scope="module")
def experiment(out):
    return read(out)


def rows_of(experiment):
    return {row[0]: row[1:] for row in main_table(experiment).rows}


def without(experiment, *methods):
    groups = [group for group in experiment.groups if group.method not in methods]
    return dataclasses.replace(experiment, groups=groups)


def test_the_command_ends_with_the_table(out, tmp_path, capsys, monkeypatch):
    # Pages have tests of their own, and take their time.
    monkeypatch.setattr(report, "write_report", lambda experiment, to: [to / "index.html"])
    assert report.main(["--out", str(out), "--to", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    *_, last = told.splitlines()
    assert last == f"wrote 1 files to {tmp_path}; open {tmp_path / 'index.html'}"
    places = [
        told.index(text)
        for text in ("Resource blocks: holds:", "NetWorld is\n", "Score [95 %]", "\nwrote ")
    ]
    assert places == sorted(places)


def test_the_main_table_has_a_row_per_method_and_the_references(experiment):
    assert list(rows_of(experiment)) == [
        "NetWorld", "NetWorld from scratch", "MA-BC", "MA-CQL", "MA-IQL", "MA-DT", "MA-DD",
        "best heuristic", "expert", "random",
    ]  # fmt: skip


def test_its_scores_are_of_the_main_comparison(experiment):
    rows = rows_of(experiment)
    data, seeds, *scores = rows["NetWorld"]
    assert (data, seeds, len(scores)) == ("2", "3", 3)
    assert all(float(told.split()[0]) == pytest.approx(90, abs=1.5) for told in scores)
    assert rows["MA-BC"][:2] == ("4", "3")
    assert rows["best heuristic"] == ("-", "-", *["80.0 [80.0, 80.0]"] * 3)
    assert rows["expert"][2:] == ("100.0 [100.0, 100.0]",) * 3


def test_seeds_are_told_by_task_where_they_differ(experiment):
    groups = [
        dataclasses.replace(group, rewards=group.rewards[:1], seeds=(0,))
        if (group.method, group.task) == ("dd", "cbf") else group
        for group in experiment.groups
        if (group.method, group.task) != ("dd", "slicing")
    ]  # fmt: skip
    rows = rows_of(dataclasses.replace(experiment, groups=groups))
    assert rows["MA-DD"][:2] == ("4", "3/1/-")
    assert rows["MA-DD"][-1] == "-"
    assert rows["MA-DT"][1] == "3"


def test_the_heuristics_are_named_below(experiment):
    text = terminal_text(experiment)
    assert text.endswith("Best heuristic: maxweight (rb), fp-causal-warm (cbf), static (slicing).")
    assert "heuristic" not in terminal_text(without(experiment, "heuristic"))


def test_it_fits_a_terminal(experiment):
    """Also with the longest names and numbers that there are."""
    groups = [
        dataclasses.replace(group, rewards=(group.rewards - 9.5) / 3e5)
        for group in experiment.groups
    ]
    small = dataclasses.replace(experiment, groups=groups)
    text = terminal_text(small)
    assert "e-0" in text
    assert max(map(len, text.splitlines())) <= 118


def test_a_part_is_told_as_far_as_it_goes(experiment):
    text = terminal_text(without(experiment, "networld", "expert"))
    assert "Resource blocks: not known yet, results are missing." in text
    assert "NetWorld is" not in text
    # Without anchors there are no scores.
    assert set(rows_of(without(experiment, "expert"))["MA-BC"][2:]) == {"-"}
    nothing = terminal_text(dataclasses.replace(experiment, groups=[]))
    assert nothing.count("not known yet") == len(nothing.splitlines()) == 3


def test_columns_are_aligned_and_headings_wrapped():
    columns = ("task", "method", "reward gained by it [95 %]")
    table = Table("x", columns, (("rb", "MA-BC", "+1 [0, 2]"), ("slicing", "DIMA", "-")))
    assert as_text(table).splitlines() == [
        "task     method        reward",
        "                 gained by it",
        # Not "[95" and "%]".
        "                       [95 %]",
        "-------  ------  ------------",
        "rb       MA-BC      +1 [0, 2]",
        "slicing  DIMA               -",
    ]
