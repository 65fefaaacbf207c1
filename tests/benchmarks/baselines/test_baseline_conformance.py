"""What every baseline must do: fit, act, save, load, resume, on any number of agents."""

import json
import signal

import numpy as np
import pytest
import torch
from baseline_cases import METHODS, TASKS, files_of, killed_fit, tiny_config, tiny_data

from benchmarks.baselines import load_policy, make_baseline
from networld_agent.errors import ModelError
from networld_agent.evaluation.episodes import play
from networld_agent.worlds.make import make_worlds

KINDS = ("discrete", "box")
pytestmark = pytest.mark.parametrize("name", METHODS)


@pytest.fixture
def fitted(name, kind, tmp_path):
    data = tiny_data(kind)
    config = tiny_config(name, snapshots=3)
    return make_baseline(name).fit(data, config, tmp_path / "run", progress=False)


def observed(data, count=3):
    """`(B, N, d)` observations of the data, and the adjacency `(B, N, N)` there."""
    rows = np.stack([data.dataset.observations[0, :, t] for t in range(count)])
    graph = data.dataset.graph
    if graph is not None:
        return rows, np.stack([graph.adjacency] * count)
    return rows, data.dataset.array("adjacency")[0, :count].astype(bool)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fitted_policy_acts_legally_and_the_same_after_loading(name, kind, fitted, tmp_path):
    observations, adjacency = observed(tiny_data(kind))
    loaded = load_policy(tmp_path / "run" / "policy")
    assert type(loaded) is type(fitted)
    played = []
    for policy in (fitted, loaded):
        policy.begin([5, 6, 7])
        played.append([policy.act_on(observations, adjacency) for _ in range(3)])
    np.testing.assert_array_equal(*played)
    space = make_worlds(TASKS[kind]["env"], 1, 5, None, TASKS[kind]["overrides"]).action_space
    for action in played[0][0].reshape(-1, *space.shape):
        assert space.contains(action.astype(space.dtype))
    assert fitted.parameters == loaded.parameters > 100
    assert fitted.bytes_per_step == 0
    assert fitted.information == "local"


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_plays_more_agents_than_it_was_trained_on(name, kind, fitted):
    size = {"discrete": {"num_nodes": 6}, "box": {"num_cells": 19}}[kind]
    overrides = {**TASKS[kind]["overrides"], **size}
    worlds = make_worlds(TASKS[kind]["env"], 2, 12, None, overrides)
    assert worlds.reset([0, 1]).shape[1] > tiny_data(kind).num_agents
    episodes = play(worlds, fitted, [1_000_000, 1_000_001], steps=6, warm_up=4)
    again = play(worlds, fitted, [1_000_000, 1_000_001], steps=6, warm_up=4)
    assert np.isfinite(episodes.rewards).all()
    np.testing.assert_array_equal(episodes.rewards, again.rewards)


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_ends_with_the_bytes_of_an_uninterrupted_one(name, kind, tmp_path):
    data, config = tiny_data(kind), tiny_config(name, snapshots=2)
    make_baseline(name).fit(data, config, tmp_path / "whole", progress=False)
    # Behind its checkpoint, once before and once after a line of the log.
    for at in (8, 17):
        assert killed_fit(name, data, config, tmp_path / "killed", at) == -signal.SIGKILL
        assert (tmp_path / "killed" / "checkpoint.json").exists()
        assert not (tmp_path / "killed" / "policy").exists()
    make_baseline(name).fit(data, config, tmp_path / "killed", progress=False)
    assert files_of(tmp_path / "whole") == files_of(tmp_path / "killed")


@pytest.mark.parametrize("kind", KINDS)
def test_snapshots_are_evenly_spaced_and_the_last_is_the_policy(name, kind, fitted, tmp_path):
    folders = sorted((tmp_path / "run" / "snapshots").iterdir(), key=lambda p: int(p.name))
    assert [int(folder.name) for folder in folders] == [8, 16, 24]
    first, last = (load_policy(folder).network.state_dict() for folder in (folders[0], folders[-1]))
    final = fitted.network.state_dict()
    assert all(torch.equal(final[key], last[key]) for key in final)
    assert any(not torch.equal(final[key], first[key]) for key in final)


def test_the_log_has_a_line_per_interval_with_finite_values(name, tmp_path):
    make_baseline(name).fit(tiny_data("discrete"), tiny_config(name), tmp_path / "run", False)
    lines = [
        json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in lines] == [5, 10, 15, 20, 24]
    assert all(len(line) > 1 and np.isfinite(list(line.values())).all() for line in lines)


def test_other_settings_are_refused_and_the_same_ones_change_nothing(name, tmp_path):
    data, config, folder = tiny_data("discrete"), tiny_config(name, steps=6), tmp_path / "run"
    make_baseline(name).fit(data, config, folder, False)
    before = files_of(folder)
    make_baseline(name).fit(data, config, folder, False)
    with pytest.raises(ValueError, match=r"other settings: config\.seed is 0 there, 3 here"):
        make_baseline(name).fit(data, tiny_config(name, steps=6, seed=3), folder, False)
    with pytest.raises(ValueError, match="other settings: data"):
        make_baseline(name).fit(tiny_data("box"), config, folder, False)
    assert files_of(folder) == before


def test_seeds_differ_and_equal_seeds_agree(name, tmp_path):
    data, policies = tiny_data("discrete"), []
    for run, seed in enumerate((0, 0, 1)):
        config = tiny_config(name, steps=6, seed=seed)
        policies.append(make_baseline(name).fit(data, config, tmp_path / str(run), False))
    one, same, other = (policy.network.state_dict() for policy in policies)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_with_the_mean_field_an_agent_hears_its_neighbours_and_pays(name, tmp_path):
    data = tiny_data("box")
    config = tiny_config(name, steps=6, mean_field=True)
    policy = make_baseline(name).fit(data, config, tmp_path / "run", False)
    assert policy.information == "neighbors"
    assert policy.bytes_per_step == 4 * data.observation_size
    observations, adjacency = observed(data)
    with pytest.raises(ValueError, match="needs the adjacency"):
        policy.act_on(observations)
    alone = np.zeros_like(adjacency)
    inputs = [policy.scaling.joint_inputs(observations, graph) for graph in (adjacency, alone)]
    assert torch.equal(
        inputs[0][..., : data.observation_size], inputs[1][..., : data.observation_size]
    )
    heard = adjacency.any(-1)
    assert heard.any()
    differs = (inputs[0] != inputs[1]).any(-1).numpy()
    np.testing.assert_array_equal(differs, heard)


def test_a_damaged_policy_is_named(name, tmp_path):
    policy = make_baseline(name).fit(
        tiny_data("discrete"), tiny_config(name, steps=2), tmp_path / "run", False
    )
    folder = policy.save(tmp_path / "policy")
    with pytest.raises(ValueError, match=r"observations must be \(B, N, 4\)"):
        policy.act_on(np.zeros((1, 2, 7), np.float32))
    weights = next(folder.glob("*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelError, match=rf"{weights.name}: does not fit its checksum"):
        load_policy(folder)
    (folder / "policy.json").write_text("{")
    with pytest.raises(ModelError, match=r"policy\.json: is not valid JSON"):
        load_policy(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_ends_between_updates_and_the_run_goes_on(name, number, tmp_path):
    data, config = tiny_data("discrete"), tiny_config(name)
    assert killed_fit(name, data, config, tmp_path / "run", 7, number) == 130
    checkpoint = json.loads((tmp_path / "run" / "checkpoint.json").read_text())
    assert checkpoint["state"]["step"] == 8
    make_baseline(name).fit(data, config, tmp_path / "run", False)
    make_baseline(name).fit(data, config, tmp_path / "whole", False)
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")
