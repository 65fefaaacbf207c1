"""What baselines ask for is chosen on validation worlds, among six returns."""

import numpy as np
import pytest

from benchmarks.baselines import load_policy
from benchmarks.jobs.fitting import fit
from benchmarks.presets import PRESETS
from networld_agent.collecting import CollectionSettings, collect


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("collect")
    collect(CollectionSettings(env="rb-v0", episodes=2, steps=40), folder / "data")
    return folder


@pytest.mark.parametrize("method", ["bc", "dt", "dd"])
def test_the_best_of_the_returns_that_were_tried_is_asked_for(collected, tmp_path, method):
    settings = {
        "method": method,
        "options": list(PRESETS["smoke"].options_of(method, "rb")),
        "seed": 0,
        "snapshots": 0,
        "trajectories": 2,
        "first_steps": None,
        "tuning": {
            "env": "rb-v0",
            "preset": None,
            "overrides": {},
            "episodes": 1,
            "steps": 2,
            "warm_up": 2,
        },
    }
    trials = fit(settings, {"data": collected}, tmp_path)["tuning"]
    if method == "bc":
        assert trials == {}
        return
    assert len(trials) == 6
    best = max(trials, key=trials.get)
    asked = load_policy(tmp_path / "policy").target_return
    assert asked == pytest.approx(float(best), rel=1e-5)
    assert np.isfinite(list(trials.values())).all()
