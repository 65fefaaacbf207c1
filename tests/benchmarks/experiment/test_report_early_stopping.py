"""What a baseline could gain by playing another snapshot than its last."""

import numpy as np
import pytest

from benchmarks.experiment.presets import PRESETS
from benchmarks.experiment.reporting.early_stopping import early_stopping_table
from benchmarks.experiment.reporting.results import Curve, Experiment


def experiment(*curves):
    tasks = [{"name": task.name} for task in PRESETS["smoke"].tasks]
    return Experiment({"tasks": tasks}, curves=list(curves))


def curve(method, *seeds, task="rb"):
    return Curve(task, method, "10", np.array([50.0, 75.0, 100.0]), np.array(seeds, float))


def test_the_best_is_taken_of_each_seed_and_stands_beside_networlds_last():
    table = early_stopping_table(
        experiment(
            curve("networld", [9, 9, 6], [9, 9, 8]),
            curve("bc", [1, 5, 3], [4, 2, 3]),
            curve("networld-scratch", [0, 0, 0]),
        )
    )
    (row,) = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert row["method"] == "MA-BC"
    assert float(row["last snapshot"]) == pytest.approx(3)
    assert float(row["best snapshot of each seed"]) == pytest.approx(4.5)
    assert row["after % of training"] == "50, 75"
    assert float(row["NetWorld's last"]) == pytest.approx(7)
    assert float(row["NetWorld's last minus their best"]) == pytest.approx(2.5)


def test_without_networlds_curve_there_is_nothing_to_compare():
    assert early_stopping_table(experiment(curve("bc", [1, 2, 3]))) is None
    other = experiment(curve("networld", [1, 2, 3], task="cbf"), curve("bc", [1, 2, 3]))
    assert early_stopping_table(other) is None
