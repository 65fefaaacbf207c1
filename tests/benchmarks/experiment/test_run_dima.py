"""DIMA as a row of the experiment: its jobs run, it is played, and the report says what it is."""

import csv
import dataclasses
import sys

import pytest

from benchmarks.experiment.jobs.fitting import fit
from benchmarks.experiment.jobs.graph import build
from benchmarks.experiment.jobs.store import Store
from benchmarks.experiment.presets import PRESETS
from benchmarks.report import main as report
from benchmarks.run import run_protocol

TINY = (
    "steps=10", "model=tiny", "model_share=0.6", "starts=5", "horizon=2", "hidden_size=8",
    "batch_size=20",
)  # fmt: skip
PROTOCOL = dataclasses.replace(
    PRESETS["smoke"],
    ablations=("dima",),
    amounts={"dima": {"expert": ("2",)}},
    baseline_options={**PRESETS["smoke"].baseline_options, "dima": TINY},
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    pytest.importorskip("vector_quantize_pytorch")
    out = tmp_path_factory.mktemp("runs") / "smoke"
    # Reals in slicing, choices in resource blocks.
    run_protocol(PROTOCOL, out, tasks=["rb", "slicing"], methods=["dima"])
    return out


def test_it_is_trained_and_played_on_every_amount(finished):
    store = Store(finished)
    played = {
        (entry.task, entry.amount): store.result(entry.job)
        for entry in build(PROTOCOL, ["rb", "slicing"], ["dima"])
        if entry.method == "dima"
    }
    assert played.keys() == {(task, n) for task in ("rb", "slicing") for n in ("2", "4")}
    for done in played.values():
        result = done["result"]
        assert (result["policy"], result["information"]) == ("dima", "local; trained centrally")
        assert result["bytes_per_step"] == 0
        assert len(result["rewards"]) == 2


def test_its_training_says_what_it_cost(finished):
    (entry,) = (
        entry
        for entry in build(PROTOCOL, ["rb"], ["dima"])
        if (entry.method, entry.amount) == ("dima", "2")
    )
    trained = Store(finished).result(entry.job.inputs["policy"])
    assert trained["result"]["tuning"] == {}
    assert trained["result"]["parameters"] > 100
    assert trained["usage"]["cpu_seconds"] > 0


def test_the_report_has_a_row_of_its_own_and_no_claim_on_it(finished, tmp_path):
    assert report(["--out", str(finished), "--to", str(tmp_path)]) == 0
    page = (tmp_path / "report.md").read_text()
    assert "| DIMA | local; trained centrally | 4 expert | 1 |" in page
    assert "| DIMA | local; trained centrally | 2 expert | 1 |" in page
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert {row["amount"] for row in rows if row["method"] == "dima"} == {"2", "4"}
    assert not (tmp_path / "claim.csv").exists()
    assert not list((finished / "jobs").glob("curve-*-dima-*"))


def test_without_the_extra_a_model_with_codes_says_what_is_missing(finished, tmp_path, monkeypatch):
    """A model that reads observations off the state does not need it."""
    (entry,) = (
        entry
        for entry in build(PROTOCOL, ["rb"], ["dima"])
        if (entry.method, entry.amount) == ("dima", "2")
    )
    store, job = Store(finished), entry.job.inputs["policy"]
    data = {"data": store.folder(job.inputs["data"])}
    monkeypatch.setitem(sys.modules, "vector_quantize_pytorch", None)
    with pytest.raises(ImportError, match=r"pip install 'wirelessenvs\[dima\]'\.$"):
        fit(job.settings, data, tmp_path / "codes")
    reading = {**job.settings, "options": [*TINY, "state_read=True"]}
    assert fit(reading, data, tmp_path / "read")["parameters"] > 100
