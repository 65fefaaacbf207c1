"""The comparison on mixed data: its rows, its command, and that it goes on where it stopped."""

import json
import shutil

import pytest
from baseline_cases import files_of, tiny_data

from benchmarks.baselines import mixed


def result(rewards, **more):
    return {"rewards": rewards, "repeated": [0.5] * len(rewards), **more}


def test_rows_pair_methods_by_world_and_average_seeds():
    played = {
        "bc": [result([-5.0, -3.0]), result([-3.0, -1.0])],
        "dd": [result([-2.0, 0.0], tuning={"0.7": -2.0, "1": -1.0})] * 2,
    }
    bc, dd = mixed.rows_of(played, [-10.0, -8.0], [0.0, 2.0])
    assert bc["scores"] == [50, 70]
    assert bc["score"] == 60
    assert "lift" not in bc
    # The same gap of 2 in both worlds: nothing is left to chance.
    assert dd["lift"] == 2
    assert dd["lift_interval"] == [2, 2]
    assert dd["asked"] == ["1", "1"]


def command(out, *more):
    data = tiny_data("discrete").dataset.path
    budget = ["--preset", "smoke", "--trajectories", "2", "--seeds", "2", "--episodes", "2"]
    play = ["--steps", "3", "--tune-episodes", "1", "--tune-steps", "2"]
    return ["--data", str(data), "--out", str(out), *budget, *play, *more]


def test_the_command_trains_plays_and_does_nothing_twice(tmp_path, capsys, monkeypatch):
    path = tmp_path / "mixed.json"
    arguments = command(tmp_path / "out", "--methods", "bc", "dt", "--json", str(path))
    assert mixed.main(arguments) == 0
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| rb |")]
    assert [line.split(" | ")[1] for line in table] == ["`bc`", "`dt`"]
    (task,) = json.loads(path.read_text())["tasks"]
    assert [len(row["scores"]) for row in task["rows"]] == [2, 2]
    assert all(task["rows"][1]["asked"]), "what DT asks for is chosen on validation worlds"

    def refused(*given):
        raise AssertionError(f"done anew: {given}")

    monkeypatch.setattr(mixed, "fit", refused)
    monkeypatch.setattr(mixed, "evaluate", refused)
    assert mixed.main(arguments) == 0
    assert json.loads(path.read_text())["tasks"] == [task]


def test_other_test_worlds_are_played_but_nothing_is_trained_again(tmp_path):
    path, out = tmp_path / "mixed.json", tmp_path / "out"
    arguments = command(out, "--methods", "bc", "--json", str(path))
    assert mixed.main(arguments) == 0
    weights = files_of(out / "rb-bc-s0" / "run")
    assert mixed.main([*arguments, "--episodes", "3"]) == 0
    (task,) = json.loads(path.read_text())["tasks"]
    assert len(task["anchors"]["expert"]) == 3
    assert [len(one["rewards"]) for one in task["played"]["bc"]] == [3, 3]
    assert files_of(out / "rb-bc-s0" / "run") == weights


@pytest.mark.parametrize("gone", [False, True], ids=["both there", "first gone"])
def test_other_data_in_the_same_folder_is_refused(gone, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    for data in (first, second):
        shutil.copytree(tiny_data("discrete").dataset.path, data)
    arguments = command(tmp_path / "out", "--methods", "bc")
    assert mixed.main([*arguments, "--data", str(first)]) == 0
    before = files_of(tmp_path / "out")
    if gone:
        shutil.rmtree(first)
    capsys.readouterr()
    assert mixed.main([*arguments, "--data", str(second)]) == 2
    error = capsys.readouterr().err
    assert f"holds runs on {first}: choose another --out" in error
    assert error.count("\n") == 1
    assert files_of(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--episodes", "0"], "--episodes must be at least 1, got 0"),
        (["--preset", "huge"], "--preset must be one of"),
        (["--trajectories", "99"], "has 6 trajectories, not 99"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_wrong_arguments_are_one_sentence(more, sentence, tmp_path, capsys):
    assert mixed.main(command(tmp_path / "out", "--methods", "bc", *more)) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
