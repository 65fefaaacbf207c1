"""Baselines choose their weights by a held-out trajectory, as NetWorld does."""

import dataclasses
import json
import signal

import numpy as np
import pytest
import torch
from baseline_cases import METHODS, files_of, killed_fit, tiny_config, tiny_data

from benchmarks.baselines import OfflineData, make_baseline
from benchmarks.baselines.shared.offline_pool import OfflinePool
from benchmarks.experiment.jobs.held_out import looked_at

CHOSEN = {"held_out": True, "validate_every": 4}


def fit(name, config, folder, data=None):
    data = tiny_data("discrete") if data is None else data
    return make_baseline(name).fit(data, config, folder, progress=False)


def weights(policy):
    return policy.network.state_dict()


def equal(one, two):
    return all(torch.equal(one[key], two[key]) for key in one)


def test_training_never_draws_what_is_held_out_and_looks_draw_nothing_else():
    data = tiny_data("discrete").preferring(0.0)
    assert data.hold_out()
    rng = np.random.default_rng(0)
    # Expert, medium, random, expert: of the two with a single trajectory none can be spared.
    assert set(data.positions(500, 10, rng)[0]) == {0, 1, 2}
    with data.held_out_only():
        assert set(data.positions(500, 10, rng)[0]) == {3}
    assert set(data.positions(500, 10, rng)[0]) == {0, 1, 2}
    whole = OfflineData(data.dataset)
    assert whole.hold_out()
    assert set(whole.positions(500, 10, rng)[0]) == {0, 1, 2}
    with whole.held_out_only():
        assert set(whole.positions(500, 10, rng)[0]) == {3, 4, 5}, "one of each policy"


def test_of_a_single_trajectory_nothing_is_held_out(tmp_path):
    data = OfflineData(tiny_data("discrete").dataset, 1)
    assert not data.hold_out()
    fit("bc", tiny_config("bc", **CHOSEN), tmp_path / "run", data)
    assert looked_at(tmp_path / "run", 4) is None


def test_what_is_held_out_decides_which_weights_are_kept_and_when_to_stop(tmp_path):
    """Cloning 4 trajectories overfits: the policy is that of the best look, not of the last."""
    options = {"steps": 2_000, "learning_rate": 0.02, "hidden_size": 64, **CHOSEN}
    stopped = fit("bc", tiny_config("bc", patience=3, **options), tmp_path / "stopped")
    found = looked_at(tmp_path / "stopped", 4)
    assert found["steps"] < 2_000
    assert found["steps"] == found["best_step"] + 3 * 4
    assert found["looks"] == found["steps"] // 4
    until = tiny_config("bc", **{**options, "steps": found["best_step"], "patience": 0})
    assert equal(weights(stopped), weights(fit("bc", until, tmp_path / "until")))
    # A run that is over goes on with nothing.
    assert equal(weights(stopped), weights(fit("bc", tiny_config("bc", patience=3, **options),
                                               tmp_path / "stopped")))  # fmt: skip


@pytest.mark.parametrize("kind", ["discrete", "box"])
@pytest.mark.parametrize("name", METHODS)
def test_a_killed_run_keeps_what_was_chosen(name, kind, tmp_path):
    data, config = tiny_data(kind), tiny_config(name, patience=0, **CHOSEN)
    whole = make_baseline(name).fit(data, config, tmp_path / "whole", progress=False)
    assert killed_fit(name, data, config, tmp_path / "killed", 17) == -signal.SIGKILL
    again = make_baseline(name).fit(data, config, tmp_path / "killed", progress=False)
    assert equal(weights(whole), weights(again))
    assert files_of(tmp_path / "whole") == files_of(tmp_path / "killed")
    assert looked_at(tmp_path / "whole", 4)["looks"] == 6


@pytest.mark.parametrize("name", METHODS)
def test_looking_changes_nothing_of_training_but_its_data(name, tmp_path):
    """Random numbers of updates are those of a run that never looks."""
    often, once = (
        tiny_config(name, patience=0, held_out=True, validate_every=every) for every in (3, 24)
    )
    logs = []
    for place, config in (("often", often), ("once", once)):
        fit(name, config, tmp_path / place)
        logs.append((tmp_path / place / "metrics.jsonl").read_text().splitlines())
    kept = [[{**json.loads(line), "time": 0} for line in log] for log in logs]
    assert kept[0] == kept[1]


def test_preferring_trajectories_and_snapshots_do_not_go_with_it(tmp_path):
    config = tiny_config("bc", trajectory_temperature=0.1, **CHOSEN)
    with pytest.raises(ValueError, match="held_out goes with trajectory_temperature 0 only"):
        fit("bc", config, tmp_path / "run")
    with pytest.raises(ValueError, match="snapshots must be 0 with held_out"):
        tiny_config("bc", snapshots=2, **CHOSEN)
    pool = OfflinePool([tiny_data("discrete")])
    with pytest.raises(ValueError, match="held_out takes a single data set"):
        fit("bc", tiny_config("bc", **CHOSEN), tmp_path / "pool", pool)


def test_without_it_runs_are_called_what_they_were():
    config = tiny_config("bc")
    assert not {"held_out", "validate_every", "patience"} & config.identity().keys()
    assert dataclasses.replace(config, held_out=True).identity()["patience"] == 10
