"""DIMA online and on stored data, from the command line: exact resume, scores, bad input."""

import dataclasses
import functools
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.baselines.dima import fit, online, train
from benchmarks.baselines.dima.config import PRESETS
from benchmarks.baselines.dima.offline import Dima, DimaPolicy, OfflineConfig
from benchmarks.baselines.dima.policy_config import OnlineConfig
from benchmarks.baselines.dima.world_model import WorldModel
from benchmarks.baselines.mappo import evaluate
from benchmarks.baselines.online.evaluation import Setting
from benchmarks.baselines.shared.interface import OfflineData
from benchmarks.studies import dima_beside_mappo as compare
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset
from networld_agent.training.checkpoints import load_checkpoint, save_checkpoint

pytest.importorskip("vector_quantize_pytorch")

SIZE = [
    "--env", "rb-v0", "--env-set", "num_nodes=3", "--env-set", "max_steps=30", "--preset", "tiny",
    "--steps", "160", "--set", "num_envs=2", "--set", "train_every=20", "--set", "prefill=40",
    "--set", "model_updates=2", "--set", "policy_updates=2", "--set", "starts=12",
    "--set", "horizon=3", "--set", "hidden_size=8", "--set", "save_every=2",
    "--set", "snapshots=2", "--episodes", "2", "--eval-steps", "10",
]  # fmt: skip


class Killed(BaseException):
    pass


def weights(run):
    return sorted(path.name for path in (run / "policy").iterdir())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    assert train.main([*SIZE, "--out", str(out)]) == 0
    return out


def test_a_run_is_scored_and_says_what_it_spent(whole):
    document = json.loads((whole / "evaluation.json").read_text())
    assert np.isfinite(document["score"])
    assert len(document["rewards"]) == 2
    lines = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [40, 60, 80, 100, 120, 140, 160]
    assert lines[-1]["model_updates_per_step"] == pytest.approx(7 * 2 / 160)
    assert lines[-1]["policy_updates_per_step"] == pytest.approx(7 * 2 / 160)


def test_the_world_model_of_a_run_is_kept(whole):
    model = WorldModel.load(whole / "model")
    assert (model.spec.task, model.spec.num_agents) == ("rb-v0", 3)
    assert (whole / "model").stat().st_mtime <= (whole / "policy").stat().st_mtime


def test_the_stored_policy_plays_again(whole, capsys):
    arguments = ["--run", str(whole), *SIZE[:6], "--episodes", "2", "--eval-steps", "10"]
    assert evaluate.main(arguments) == 0
    score = json.loads((whole / "evaluation.json").read_text())["score"]
    assert "dima-online earns" in capsys.readouterr().out
    assert np.isfinite(score)


def test_the_function_finds_the_run_of_the_command(whole):
    setting = Setting("rb-v0", overrides={"num_nodes": 3, "max_steps": 30})
    config = OnlineConfig(
        model=PRESETS["tiny"], steps=160, num_envs=2, train_every=20, prefill=40, model_updates=2,
        policy_updates=2, starts=12, horizon=3, hidden_size=8, snapshots=2,
    )  # fmt: skip
    assert train.train_dima(setting, config, whole).parameters > 0
    other = dataclasses.replace(config, model=config.model.replace(reward_width=64))
    with pytest.raises(ValueError, match=r"config\.model\.reward\.width is 32 there, 64 here"):
        train.train_dima(setting, other, whole)


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_killed_at_any_round_the_weights_are_the_same(rounds, whole, tmp_path, monkeypatch):
    real, calls = online.DimaLearner.round, [0]

    def dying(self):
        values = real(self)
        calls[0] += 1
        if calls[0] > rounds:
            raise Killed
        return values

    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(online.DimaLearner, "round", dying)
        with pytest.raises(Killed):
            train.main([*SIZE, "--out", str(out)])
    assert not (out / "policy").exists()
    assert train.main([*SIZE, "--out", str(out)]) == 0
    assert weights(out) == weights(whole)
    assert (out / "metrics.jsonl").read_text() == (whole / "metrics.jsonl").read_text()


def test_killed_between_the_memory_and_its_checkpoint_nothing_is_seen_twice(
    whole, tmp_path, monkeypatch
):
    from benchmarks.baselines.shared import training_loop

    def dying(*_):
        raise Killed

    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(training_loop, "save_checkpoint", dying)
        with pytest.raises(Killed):
            train.main([*SIZE, "--out", str(out)])
    assert list((out / "replay").iterdir())
    assert train.main([*SIZE, "--out", str(out)]) == 0
    assert weights(out) == weights(whole)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--preset", "huge"], "model must be one of"),
        (["--set", "train_every=21"], "train_every must be a multiple of num_envs (2), got 21"),
        (["--set", "denoiser_colour=red"], "unknown option 'denoiser_colour'; known: batch_size, "),
        (["--set", "favour=1.5"], "favour"),
        (["--set", "horizon=0"], "horizon must be at least 1"),
        (["--env", "tennis"], "--env must be one of"),
    ],
)
def test_wrong_arguments_are_one_sentence_and_nothing_is_trained(more, sentence, tmp_path, capsys):
    pairs = list(zip(SIZE[::2], SIZE[1::2], strict=True))
    name = more[1].partition("=")[0]  # a name may be given once
    rest = [word for pair in pairs if pair[1].partition("=")[0] != name for word in pair]
    assert train.main([*rest, *more, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_updates_per_step_count_the_prefill():
    config = OnlineConfig(prefill=1000, train_every=500, model_updates=100)
    assert config.model.denoiser.context == 3
    assert OnlineConfig.from_json(config.to_json()) == config


def test_options_of_the_world_model_stand_beside_those_of_the_method():
    pairs = ["model=wireless", "reward_width=64", "state_levels=(4,4)", "horizon=2", "limit=5"]
    config = OfflineConfig.from_overrides(pairs)
    wanted = PRESETS["wireless"].replace(reward_width=64, state_levels=(4, 4), limit=5)
    assert (config.model, config.horizon) == (wanted, 2)
    assert config.model.reward.layers == PRESETS["wireless"].reward.layers
    assert OfflineConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert config.identity()["model"]["reward"]["width"] == 64
    # Each kind of training has its own preset.
    assert OfflineConfig.from_overrides([]).model == PRESETS["wireless"]
    assert OnlineConfig.from_overrides(["state_read=True"]).model.state.read
    with pytest.raises(TypeError, match="model must be a DimaConfig, got 'tiny'"):
        OfflineConfig(model="tiny")
    with pytest.raises(ValueError, match="model must be one of 'paper'"):
        OfflineConfig.from_overrides(["model=3"])


# ------------------------------------------------------------------------- stored data
TINY = OfflineConfig(
    steps=16, model=PRESETS["tiny"], starts=10, horizon=3, hidden_size=8, model_share=0.7,
    save_every=4, log_every=5,
)  # fmt: skip


@functools.cache
def recorded(kind):
    tasks = {
        "discrete": {"env": "rb-v0", "overrides": {"num_nodes": 3}},
        "box": {"env": "cbf-v0", "overrides": {"num_cells": 7, "action": "beam"}},
    }
    settings = CollectionSettings(policy="random", episodes=3, steps=30, **tasks[kind])
    folder = collect(settings, Path(_shelf().name) / kind)
    return OfflineData(TrajectoryDataset.open(folder))


@functools.cache
def _shelf():
    return tempfile.TemporaryDirectory()


@pytest.fixture(params=["discrete", "box"])
def stored(request):
    return recorded(request.param)


def test_a_policy_of_stored_data_sees_only_its_own_observation(stored, tmp_path):
    policy = Dima().fit(stored, TINY, tmp_path / "run", progress=False)
    again = DimaPolicy.load(tmp_path / "run" / "policy")
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(4, stored.num_agents, stored.observation_size)).astype(np.float32)
    other = seen.copy()
    other[:, 1:] += 1
    np.testing.assert_array_equal(policy.act_on(seen), again.act_on(seen))
    np.testing.assert_array_equal(policy.act_on(seen)[:, 0], policy.act_on(other)[:, 0])
    assert policy.spec.extra == {"state": "joint observation"}
    assert policy.bytes_per_step == 0.0


@pytest.mark.parametrize("moment", [6, 14])
def test_interrupted_on_stored_data_the_weights_are_the_same(moment, tmp_path, monkeypatch):
    """While the model is trained, and while the policy is."""
    from benchmarks.baselines.dima import offline

    stored = recorded("discrete")
    whole = Dima().fit(stored, TINY, tmp_path / "whole", progress=False)
    real = offline.DimaLearner.update

    def dying(self, batch, step):
        if step == moment:
            raise Killed
        return real(self, batch, step)

    with monkeypatch.context() as patched:
        patched.setattr(offline.DimaLearner, "update", dying)
        with pytest.raises(Killed):
            Dima().fit(stored, TINY, tmp_path / "cut", progress=False)
    Dima().fit(stored, TINY, tmp_path / "cut", progress=False)
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    changed = dataclasses.replace(TINY, seed=1)
    other = Dima().fit(stored, changed, tmp_path / "other", progress=False)
    pairs = zip(whole.network.parameters(), other.network.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


def test_the_command_fits_and_the_policy_plays(stored, tmp_path, capsys):
    data = str(stored.dataset.path)
    arguments = [
        "--data", data, "--out", str(tmp_path / "run"), "--steps", "10", "--trajectories", "2",
        "--first-steps", "20", "--set", "model=tiny", "--set", "hidden_size=8",
        "--set", "starts=5", "--set", "horizon=2", "--set", "model_share=0.5",
    ]  # fmt: skip
    assert fit.main(arguments) == 0
    assert "5 updates of the model, 5 of the policy" in capsys.readouterr().out
    env = "rb-v0" if "discrete" in data else "cbf-v0"
    size = (
        ["--env-set", "num_nodes=3"]
        if env == "rb-v0"
        else ["--env-set", "num_cells=7", "--env-set", "action=beam"]
    )
    play = ["--run", str(tmp_path / "run"), "--env", env, *size]
    assert evaluate.main([*play, "--episodes", "1", "--eval-steps", "5"]) == 0
    assert "dima earns" in capsys.readouterr().out
    assert fit.main([*arguments, "--set", "alpha=2"]) == 2
    assert "unknown option 'alpha'" in capsys.readouterr().err


def test_the_comparison_goes_on_where_it_was_stopped(tmp_path, capsys, monkeypatch):
    out, result = tmp_path / "runs", tmp_path / "result.json"
    arguments = [
        "--envs", "rb-v0", "--seeds", "1", "--steps", "80", "--out", str(out),
        "--json", str(result), "--episodes", "2", "--eval-steps", "5", "--set", "model=tiny",
        "--set", "reward_width=32", "--set", "reward_batch_size=16",
        "--set", "prefill=40", "--set", "train_every=40",
        "--set", "model_updates=1", "--set", "policy_updates=1", "--set", "starts=4",
        "--set", "horizon=2", "--set", "hidden_size=8",
    ]  # fmt: skip
    assert compare.main(arguments) == 0
    first = json.loads(result.read_text())
    assert [row["method"] for row in first["rows"]] == ["mappo", "dima"]
    assert [row["model_updates_per_step"] for row in first["rows"]] == [0, 2 / 80]
    assert [row["steps"] for row in first["rows"]] == [200, 80]
    assert {row["config"]["gamma"] for row in first["rows"]} == {0.9}
    assert all(len(row["interval"]) == 2 for row in first["rows"])

    def untouched(*_, **__):
        raise AssertionError("a finished run is trained again")

    monkeypatch.setattr(compare, "train_piece", untouched)
    assert compare.main(arguments) == 0
    assert json.loads(result.read_text()) == first
    assert "rb-v0 dima" in capsys.readouterr().out
    assert compare.main([*arguments, "--envs", "tennis"]) == 2
    assert "--envs must be one of" in capsys.readouterr().err


def test_a_finished_run_whose_world_model_is_damaged_is_not_complete(whole, tmp_path, capsys):
    out = shutil.copytree(whole, tmp_path / "run")
    (path,) = (out / "model").glob("*.safetensors")
    path.unlink()
    assert train.main([*SIZE, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert f"{path}: the file is missing. Delete {out} to train that run anew." in error


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lengths", torch.tensor([10**9, 0])),
        ("episodes", torch.tensor([0])),
        ("actions", torch.zeros(0, 3, dtype=torch.int64)),
        ("replay_sha256", torch.zeros(4)),
        ("replay_sha256", None),
    ],
)
def test_a_forged_memory_of_a_stopped_run_is_one_sentence(whole, tmp_path, capsys, name, value):
    out = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(out / "policy")
    tensors, state = load_checkpoint(out)
    if value is None:
        del tensors[f"memory.{name}"]
    else:
        tensors[f"memory.{name}"] = value
    save_checkpoint(out, tensors, state)
    assert train.main([*SIZE, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert "checkpoint does not say" in error or "checksums of" in error
    assert error.count("\n") == 1
