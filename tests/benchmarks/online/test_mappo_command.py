"""Training from the command line: it resumes exactly, scores, and refuses what is wrong."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.baselines import load_policy
from benchmarks.baselines.mappo import evaluate, train
from benchmarks.baselines.mappo.config import MappoConfig
from benchmarks.baselines.mappo.train import train_mappo
from benchmarks.baselines.online.evaluation import (
    Evaluation,
    Setting,
    score_policy,
)
from benchmarks.studies import online_curves as curves

ROOT = Path(__file__).parents[3]
SIZE = [
    "--env", "rb-v0", "--env-set", "num_nodes=3", "--env-set", "max_steps=30", "--steps", "160",
    "--set", "num_envs=2", "--set", "rollout=8", "--set", "hidden_size=8", "--set", "save_every=1",
    "--set", "snapshots=2", "--episodes", "2", "--eval-steps", "10",
]  # fmt: skip


def weights(run):
    return {path.name for path in (run / "policy").iterdir()}


def lines(run):
    return (run / "metrics.jsonl").read_text()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    assert train.main([*SIZE, "--out", str(out)]) == 0
    return out


def test_a_run_is_scored_beside_random_and_expert(whole):
    document = json.loads((whole / "evaluation.json").read_text())
    references = {name: np.mean(values) for name, values in document["references"].items()}
    gap = references["expert"] - references["random"]
    wanted = 100 * (np.mean(document["rewards"]) - references["random"]) / gap
    assert document["score"] == pytest.approx(wanted)
    assert [point["step"] for point in document["curve"]] == [80, 160]
    assert len(lines(whole).splitlines()) == 10


def test_the_stored_policy_plays_again(whole, capsys):
    arguments = ["--run", str(whole), *SIZE[:6], "--episodes", "2", "--eval-steps", "10"]
    assert evaluate.main(arguments) == 0
    score = json.loads((whole / "evaluation.json").read_text())["score"]
    assert f"score {score:.1f}" in capsys.readouterr().out


def test_the_function_trains_what_the_command_trains(whole, tmp_path):
    setting = Setting("rb-v0", overrides={"num_nodes": 3, "max_steps": 30})
    sizes = {"num_envs": 2, "rollout": 8, "hidden_size": 8, "save_every": 1, "snapshots": 2}
    config = MappoConfig(steps=160, **sizes)
    train_mappo(setting, config, tmp_path / "run")
    assert weights(tmp_path / "run") == weights(whole)
    assert train_mappo(setting, config, whole).name == "mappo", "finished: nothing is trained"
    assert dataclasses.replace(config, independent=True).method == "ippo"


@pytest.mark.parametrize("rounds", [1, 6])
def test_killed_between_checkpoints_the_weights_are_the_same(rounds, whole, tmp_path, monkeypatch):
    """Dies in the middle of a round: after its steps, before its checkpoint."""
    from benchmarks.baselines.mappo.learner import MappoLearner

    class Killed(BaseException):
        pass

    real, calls = MappoLearner.round, [0]

    def dying(self):
        values = real(self)
        calls[0] += 1
        if calls[0] > rounds:
            raise Killed
        return values

    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(MappoLearner, "round", dying)
        with pytest.raises(Killed):
            train.main([*SIZE, "--out", str(out)])
    assert not (out / "policy").exists()
    assert train.main([*SIZE, "--out", str(out)]) == 0
    assert weights(out) == weights(whole)
    assert lines(out) == lines(whole)


def test_killed_from_outside_the_weights_are_the_same(whole, tmp_path):
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.baselines.mappo.train", *SIZE, "--out", str(out)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ},
    )  # fmt: skip
    # No deadline: a busy host only makes it slower, and a process that fails ends the loop.
    while process.poll() is None and not (out / "checkpoint.json").exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert train.main([*SIZE, "--out", str(out)]) == 0
    assert weights(out) == weights(whole)
    assert lines(out) == lines(whole)


def test_another_seed_is_another_run(whole, tmp_path, capsys):
    out = tmp_path / "run"
    assert train.main([*SIZE, "--seed", "1", "--out", str(out)]) == 0
    assert weights(out) != weights(whole)
    assert train.main([*SIZE, "--seed", "2", "--out", str(out)]) == 2
    assert "config.seed is 1 there, 2 here" in capsys.readouterr().err


def test_a_parallel_environment_is_scored_by_its_returns(tmp_path, capsys):
    """Reward 2.5 per step for action 4 of both: a greedy policy must not be below chance."""
    arguments = [
        "--env", "team_cases:Countdown", "--env-set", "length=5", "--steps", "3000",
        "--set", "num_envs=8", "--set", "rollout=15", "--set", "hidden_size=16",
        "--set", "learning_rate=0.003", "--set", "snapshots=1", "--independent",
        "--episodes", "6", "--out", str(tmp_path / "run"),
    ]  # fmt: skip
    assert train.main(arguments) == 0
    assert "ippo returns" in capsys.readouterr().out
    document = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert document["return"] > 25 > np.mean(document["references"]["random"])
    assert document["return"] <= 5 * 6.0


def test_a_policy_of_another_environment_is_refused(whole):
    policy = load_policy(whole)
    small = Evaluation(episodes=1, steps=2)
    with pytest.raises(ValueError, match="reads 4 entries per observation"):
        score_policy(policy, Setting("cbf-v0", "cells-7"), small)
    with pytest.raises(ValueError, match="was not trained for team_cases:Countdown"):
        score_policy(policy, Setting("team_cases:Countdown"), small)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--env", "tennis"], "--env must be one of"),
        (["--set", "gamma=2"], "gamma"),
        (["--set", "alpha=2"], "unknown option 'alpha'"),
        (["--set", "mean_field=True"], "mean_field must be False"),
        (["--set", "clip=0"], "clip"),
        (["--env-set", "num_nodes=1"], "num_nodes"),
        (["--episodes", "0"], "--episodes must be at least 1"),
        (["--steps", "0"], "steps must be at least 1"),
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


def test_a_learner_that_diverges_says_where(tmp_path, capsys):
    arguments = [*SIZE, "--set", "learning_rate=1e30", "--out", str(tmp_path / "run")]
    assert train.main(arguments) == 2
    assert "training diverged at step" in capsys.readouterr().err


# --------------------------------------------------------------------------- curves
def test_curves_are_those_of_the_snapshots(whole, tmp_path, capsys):
    to, png = tmp_path / "curves.json", tmp_path / "curves.png"
    arguments = ["--run", str(whole), *SIZE[:6], "--episodes", "2", "--eval-steps", "10"]
    assert curves.main([*arguments, "--json", str(to), "--png", str(png)]) == 0
    (row,) = json.loads(to.read_text())["rows"]
    known = json.loads((whole / "evaluation.json").read_text())
    assert row["curve"] == known["curve"]
    assert (row["method"], row["steps"]) == ("mappo", 160)
    document = json.loads(to.read_text())
    assert document["random"] == pytest.approx(np.mean(known["references"]["random"]))
    assert png.read_bytes().startswith(b"\x89PNG")
    assert f"{row['curve'][-1]['value']:.4g}" in capsys.readouterr().out


@pytest.mark.parametrize("there", [False, True])
def test_curves_of_a_run_without_snapshots_are_refused(tmp_path, capsys, there):
    folder = tmp_path / "run"
    if there:
        folder.mkdir()
    to = tmp_path / "curves.json"
    assert curves.main(["--run", str(folder), *SIZE[:4], "--json", str(to)]) == 2
    assert f"{folder} holds no snapshots" in capsys.readouterr().err
    assert not to.exists()


def test_curves_of_a_run_that_was_killed_do_without_the_torn_line(whole, tmp_path):
    run, to = tmp_path / "run", tmp_path / "curves.json"
    shutil.copytree(whole, run)
    with (run / "metrics.jsonl").open("a") as log:
        log.write('{"step": 176, "rew')
    arguments = ["--run", str(run), *SIZE[:6], "--episodes", "1", "--eval-steps", "5"]
    assert curves.main([*arguments, "--json", str(to)]) == 0
    assert json.loads(to.read_text())["rows"][0]["steps"] == 160


def test_curves_of_a_run_without_a_log_name_the_file(whole, tmp_path, capsys):
    run, to = tmp_path / "run", tmp_path / "curves.json"
    shutil.copytree(whole, run)
    (run / "metrics.jsonl").unlink()
    arguments = ["--run", str(run), *SIZE[:6], "--episodes", "1", "--eval-steps", "5"]
    assert curves.main([*arguments, "--json", str(to)]) == 2
    assert f"{run / 'metrics.jsonl'} is missing" in capsys.readouterr().err
    assert not to.exists()
