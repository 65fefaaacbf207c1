"""Scores after few updates, pre-trained and from scratch."""

import json
import shutil

import numpy as np
import pytest

from benchmarks.studies import pretraining_gain as adaptation
from networld_agent import pretrain
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.evaluation.scores import normalised


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, sets = tmp_path_factory.mktemp("data"), {}
    for env, preset in (("rb-v0", "rb-8"), ("slicing-v0", "small")):
        settings = CollectionSettings(env=env, preset=preset, episodes=4, steps=40)
        sets[env] = collect(settings, folder / env)
    return sets


@pytest.fixture(scope="module")
def pretrained(data, tmp_path_factory):
    runs = []
    for seed in (0, 1):
        runs.append(tmp_path_factory.mktemp("runs") / f"pretrained-{seed}")
        arguments = ["--data", str(data["slicing-v0"]), "--preset=smoke", "--steps=10"]
        assert pretrain.main([*arguments, f"--seed={seed}", "--out", str(runs[-1])]) == 0
    return runs


def command(pretrained, data, out, *more):
    return [
        "--pretrained", *map(str, pretrained), "--data", str(data["rb-v0"]), "--trajectories", "3",
        "--preset", "smoke", "--episodes", "3", "--eval-steps", "6", "--out", str(out), *more,
    ]  # fmt: skip


def test_a_row_per_number_of_updates(pretrained, data, tmp_path, capsys, monkeypatch):
    out, to = tmp_path / "runs", tmp_path / "adaptation.json"
    arguments = command(pretrained, data, out, "--updates", "8", "2", "8", "--json", str(to))
    assert adaptation.main(arguments) == 0
    document = json.loads(to.read_text())
    assert [row["updates"] for row in document["rows"]] == [2, 8]
    assert document["command"].startswith(
        "python -m benchmarks.studies.pretraining_gain --pretrained"
    )
    low, high = np.mean(document["random"]), np.mean(document["expert"])
    for row in document["rows"]:
        ours, theirs = np.array(row["rewards"])
        assert ours.shape == theirs.shape == (2, 3), "training seeds, worlds"
        assert not np.array_equal(ours[0], ours[1])
        assert not np.array_equal(ours, theirs)
        assert row["pretrained"]["value"] == pytest.approx(normalised(ours.mean(), low, high))
        assert row["scratch"]["value"] == pytest.approx(normalised(theirs.mean(), low, high))
        assert row["gain"]["value"] == pytest.approx(ours.mean() - theirs.mean())
        assert row["gain"]["low"] <= row["gain"]["value"] <= row["gain"]["high"]
    assert "| 2 |" in capsys.readouterr().out
    # Sides differ in nothing but the weights that they begin with.
    first, other = (
        json.loads(next(out.glob(f"{side}-8-s1-*/config.json")).read_text())["settings"]
        for side in ("pre-trained", "from-scratch")
    )
    assert (first["data"], first["training"]) == (other["data"], other["training"])
    assert (first["training"]["steps"], first["training"]["seed"]) == (8, 1)
    assert (first["from_scratch"], first["pretrained"]) == (False, str(pretrained[1]))
    assert other["from_scratch"]
    assert "pretrained" not in other

    # A repeated command trains nothing, and tells the same.
    monkeypatch.setattr(adaptation, "adapt", lambda *_, **__: pytest.fail("trained again"))
    to.unlink()
    assert adaptation.main(arguments) == 0
    assert json.loads(to.read_text()) == document


def test_time_of_a_run_that_an_earlier_process_began_is_not_told(pretrained, data, tmp_path):
    out, to = tmp_path / "runs", tmp_path / "adaptation.json"
    arguments = command(pretrained[:1], data, out, "--updates", "2", "--json", str(to))
    assert adaptation.main(arguments) == 0
    (row,) = json.loads(to.read_text())["rows"]
    assert row["cpu_seconds"] > 0
    # As a stop between training and its note leaves it.
    for note in out.glob("*/training.json"):
        note.unlink()
    assert adaptation.main(arguments) == 0
    assert json.loads(to.read_text())["rows"] == [{**row, "cpu_seconds": None}]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--updates", "0"], "--updates must be at least 1"),
        (["--episodes", "0"], "--episodes must be at least 1"),
        (["--trajectories", "5"], "has 4 trajectories, not 5"),
        (["--preset", "huge"], "huge"),
    ],
)
def test_a_wrong_option_is_one_sentence(pretrained, data, tmp_path, capsys, more, sentence):
    assert adaptation.main(command(pretrained, data, tmp_path / "runs", *more)) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("error: ") == error.count("\n") == 1
    assert not (tmp_path / "runs").exists(), "said before any training"


def test_models_that_say_nothing_of_pretraining_are_refused(pretrained, data, tmp_path, capsys):
    out, knows = tmp_path / "runs", tmp_path / "knows"
    arguments = ["--data", str(data["rb-v0"]), "--preset=smoke", "--steps=2", "--out", str(knows)]
    assert pretrain.main(arguments) == 0
    for models, sentence in (
        ([pretrained[0], knows], f"{knows} knows rb-v0 already"),
        ([pretrained[0], pretrained[0]], "names a model twice"),
        ([pretrained[0], tmp_path / "none"], str(tmp_path / "none")),
    ):
        assert adaptation.main(command(models, data, out)) == 2
        assert sentence in capsys.readouterr().err
        assert not out.exists()


def test_other_data_under_the_same_name_is_trained_on_anew(pretrained, data, tmp_path):
    to, sets = tmp_path / "adaptation.json", {"rb-v0": tmp_path / "rb"}
    rewards = []
    for seed in (0, 1):
        shutil.rmtree(sets["rb-v0"], ignore_errors=True)
        settings = CollectionSettings(env="rb-v0", preset="rb-8", episodes=4, steps=40, seed=seed)
        collect(settings, sets["rb-v0"])
        more = ["--updates", "8", "--json", str(to)]
        assert adaptation.main(command(pretrained[:1], sets, tmp_path / "runs", *more)) == 0
        rewards.append(json.loads(to.read_text())["rows"][0]["rewards"])
    assert rewards[0] != rewards[1]
