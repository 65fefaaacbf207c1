"""Preset decisive-smoke with real jobs: every row, on data of a rule, from data to report."""

import csv

import pytest

from benchmarks.experiment.jobs.graph import build
from benchmarks.experiment.jobs.store import Store
from benchmarks.experiment.methods import REFERENCES
from benchmarks.experiment.presets import PRESETS
from benchmarks.report import main as report
from benchmarks.run import main
from networld_agent.evaluation.seeds import block_seeds

PROTOCOL = PRESETS["decisive-smoke"]


def run_and_report(out, *part):
    assert main(["--preset", PROTOCOL.name, "--out", str(out), *part]) == 0
    assert report(["--out", str(out)]) == 0
    return {path.name for path in (out / "report").iterdir()}


def test_every_row_is_trained_on_data_of_a_rule_and_reported(tmp_path, capsys):
    out, part = tmp_path / "out", {"tasks": ["rb-uneven"], "tiers": ["rule"]}
    names = run_and_report(out, "--tasks", "rb-uneven", "--tiers", "rule")
    assert {"above-rules-rule.csv", "tiers-rb-uneven.png", "worth.csv"} <= names
    store, seen = Store(out), set()
    for entry in build(PROTOCOL, **part):
        result = store.result(entry.job)["result"]
        assert result["seeds"] == list(block_seeds("decisive", 2))
        if entry.method in REFERENCES:
            continue
        seen.add(entry.method)
        fitted = entry.job.inputs["policy"]
        trained = store.result(fitted)["result"]
        assert trained["held_out"]["looks"] >= 1, entry.method
        assert fitted.inputs["data"].settings["policy"] == "rule"
        if entry.method == "networld":
            # With and without a weight of values: all are on record.
            weights = {trial.split(", ")[3] for trial in trained["tuning"]}
            assert weights == {"0", "10", "30", "100", "300"}
    assert seen == set(PROTOCOL.methods)
    told = " ".join(capsys.readouterr().out.split())
    assert "0 the best local rule, demand-mean (rb-uneven):" in told
    # Without expert data nothing is said of the claim on it, and all is said of the rule's.
    assert "Resource blocks, uneven load: not known yet, results are missing; on rule data" in told
    with (out / "report" / "validation.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert len(rows) == len(PROTOCOL.methods)
    assert rows["MA-DT"]["settings tried on validation worlds"] == "6"
    # Guidance scales alone: noise and steps are those of the paper.
    assert int(rows["NetWorld as published"]["settings tried on validation worlds"][0]) < 7


@pytest.mark.long
def test_the_whole_preset_runs_and_reports(tmp_path, capsys):
    names = run_and_report(tmp_path / "out")
    assert "missing" not in capsys.readouterr().out
    assert {f"tiers-{task.name}.png" for task in PROTOCOL.tasks} <= names
