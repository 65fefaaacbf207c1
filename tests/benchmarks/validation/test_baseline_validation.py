"""The committed comparisons with references, and the rule that judges them."""

import json

import numpy as np
import pytest

from benchmarks.experiment.jobs.sources import ROOT
from benchmarks.validation.beside_d3rlpy import compared
from benchmarks.validation.closed_forms import CHECKS

RESULTS = ROOT / "benchmarks" / "results"
#: Below the reference by more than 5 %, and why that is known; docs/baselines.md has the reasons.
EXCEPTIONS = {
    ("baselines-validation.json", "iql", "pendulum"),  # at 5,000 updates it is level
    ("baselines-validation-dt.json", "dt", "pendulum"),  # 5.1 %; with five seeds above
}


@pytest.mark.parametrize(
    ("ours", "theirs", "as_good"),
    [
        ([95.1, 95.1], [100.0, 100.0], True),  # within 5 %
        ([94.9, 94.9], [100.0, 100.0], False),
        ([-104.9, -104.9], [-100.0, -100.0], True),
        ([-105.1, -105.1], [-100.0, -100.0], False),
        ([200.0, 200.0], [100.0, 100.0], True),  # better
        ([60.0, 60.0], [50.0, 150.0], True),  # inside a wide interval
    ],
)
def test_as_good_is_not_below_by_more_than_5_percent_or_within_the_interval(ours, theirs, as_good):
    assert compared(ours, theirs)["as_good"] is as_good


def test_without_a_peer_there_is_no_verdict():
    assert "as_good" not in compared([1.0, 2.0], None)


def below_reference():
    for path in sorted(RESULTS.glob("baselines-validation*.json")):
        for row in json.loads(path.read_text())["results"]:
            if "d3rlpy_mean" in row:
                gap = (row["ours_mean"] - row["d3rlpy_mean"]) / abs(row["d3rlpy_mean"])
                yield (path.name, row["method"], row["task"]), gap


def test_no_baseline_is_below_its_peer_but_those_that_are_named():
    found = dict(below_reference())
    assert {name for _, name, _ in found} == {"bc", "cql", "iql", "dt"}
    assert {key for key, gap in found.items() if gap < -0.05} == EXCEPTIONS


def test_each_exception_is_repaired_by_more_updates_or_seeds():
    found = dict(below_reference())
    assert found["baselines-validation-iql-5000.json", "iql", "pendulum"] >= -0.05
    assert found["baselines-validation-dt-pendulum.json", "dt", "pendulum"] >= -0.05


def test_the_diffuser_is_as_near_to_what_is_exact_as_the_table_says():
    document = json.loads((RESULTS / "baselines-validation-dd.json").read_text())
    rows = document["dd_expectations"]
    means = {name: np.mean([row[name] for row in rows]) for name in rows[0]}
    assert means["return_effect"] == pytest.approx(1, abs=0.05)
    # Not within 5 %, and said so: no worse than this.
    assert means["next_velocity"] < 0.08
    assert means["inverse"] < 0.076
    assert all(row["lift"][0] > 0 for row in document["dd_mixed_quality"])


#: Not within 5 % of what is exact, and said so in docs/baselines.md: no worse than this.
INEXACT = {("dt", "actions"): 0.12, ("cql", "values, alpha 5"): 0.08}


def test_baselines_are_within_5_percent_of_closed_forms_but_for_what_is_named():
    rows = json.loads((RESULTS / "baselines-exact.json").read_text())["rows"]
    assert {(row["method"], row["actions"]) for row in rows} == set(CHECKS)
    for row in rows:
        assert row["share"] == pytest.approx(1, abs=0.05), row
        assert row["error"] < INEXACT.get((row["method"], row["quantity"]), 0.05), row
    assert {row["seed"] for row in rows} == {0, 1, 2}
