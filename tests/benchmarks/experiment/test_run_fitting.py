"""What baselines ask for is chosen on validation worlds, among six returns."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.baselines import load_policy
from benchmarks.experiment.jobs import fitting
from benchmarks.experiment.jobs.fitting import fit
from benchmarks.experiment.presets import PRESETS
from networld_agent.collecting import CollectionSettings, collect


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("collect")
    collect(CollectionSettings(env="rb-v0", episodes=2, steps=40), folder / "data")
    return folder


def settings_of(method):
    return {
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


@pytest.mark.parametrize("method", ["bc", "dt", "dd"])
def test_six_returns_are_tried_and_one_of_the_best_is_asked_for(collected, tmp_path, method):
    trials = fit(settings_of(method), {"data": collected}, tmp_path)["tuning"]
    if method == "bc":
        assert trials == {}
        return
    assert len(trials) == 6
    best = max(trials, key=trials.get)
    asked = load_policy(tmp_path / "policy").target_return
    assert asked == pytest.approx(float(best), rel=1e-5)
    assert np.isfinite(list(trials.values())).all()


@pytest.mark.parametrize("method", ["dt", "dd"])
def test_the_return_with_the_highest_reward_is_asked_for(collected, tmp_path, monkeypatch, method):
    # Networks of ten updates act alike whatever they are asked for: rewards are given here.
    asked = []

    def play(worlds, policy, *_):
        asked.append(policy.target_return)
        return SimpleNamespace(rewards=np.array([[1.0, 3.0, 9.0, 4.0, 2.0, 0.0][len(asked) - 1]]))

    monkeypatch.setattr(fitting, "play", play)
    fit(settings_of(method), {"data": collected}, tmp_path)
    assert len(set(asked)) == 6
    assert load_policy(tmp_path / "policy").target_return == asked[2]
