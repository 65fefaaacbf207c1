"""The comparison with MAPPO never shows a row of other settings than its command's."""

import json

import pytest

from benchmarks.studies import dima_beside_mappo as compare
from benchmarks.studies import online_pieces

pytest.importorskip("vector_quantize_pytorch")

SIZE = [
    "--envs", "rb-v0", "--steps", "80", "--seeds", "1", "--episodes", "2", "--eval-steps", "5",
    "--set", "model=tiny", "--set", "reward_width=32", "--set", "reward_batch_size=16",
    "--set", "train_every=40", "--set", "prefill=40",
    "--set", "model_updates=1", "--set", "policy_updates=1", "--set", "starts=4",
    "--set", "horizon=2", "--set", "hidden_size=8",
]  # fmt: skip


@pytest.fixture
def rows(tmp_path):
    def found(*more):
        path = tmp_path / "found.json"
        where = ["--out", str(tmp_path / "out"), "--json", str(path)]
        assert compare.main([*SIZE, *more, *where]) == 0
        return json.loads(path.read_text())["rows"]

    return found


def spent(rows):
    return [row["cpu_seconds"] for row in rows]


def test_other_episodes_are_played_with_the_policies_that_are_there(rows, monkeypatch):
    first = rows()

    def untouched(*_, **__):
        raise AssertionError("a finished run is trained again")

    for name in ("train_mappo", "train_dima"):
        monkeypatch.setattr(online_pieces, name, untouched)
    more = rows("--episodes", "3")
    assert [row["evaluation"]["episodes"] for row in more] == [3, 3]
    # Shown nowhere else: the mean of three worlds is not that of two.
    assert all(a["reward"] != b["reward"] for a, b in zip(first, more, strict=True))
    assert spent(more) == spent(first), "what training took is not forgotten"
    assert None not in spent(first)
    assert rows() == first


def test_references_are_those_of_the_same_episodes(rows, tmp_path):
    for count in (2, 3):
        rows("--episodes", str(count))
        document = json.loads((tmp_path / "out" / "rb-v0-dima-0" / "evaluation.json").read_text())
        assert {len(values) for values in document["references"].values()} == {count}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([*SIZE, "--steps", "120"], "config.steps is 80 there, 120 here"),
        # A name is given once.
        (
            ["starts=5" if word == "starts=4" else word for word in SIZE],
            "config.starts is 4 there, 5 here",
        ),
    ],
)
def test_runs_of_other_settings_are_refused(words, sentence, rows, tmp_path, capsys):
    rows()
    capsys.readouterr()
    assert compare.main([*words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert rows(), "and the earlier ones are still there"


@pytest.mark.parametrize("killed", [False, True])
def test_time_is_that_of_all_processes_of_a_run(killed, rows, tmp_path, monkeypatch):
    """One stops in the middle of training; killed outright, it could not say what it has used."""
    real = online_pieces.train_mappo

    def stopped(*given):
        real(*given)
        raise KeyboardInterrupt

    file = tmp_path / "out" / "rb-v0-mappo-0.cpu.json"
    with monkeypatch.context() as patched:
        patched.setattr(online_pieces, "train_mappo", stopped)
        with pytest.raises(AssertionError):
            rows()
    first = json.loads(file.read_text())
    assert first["seconds"] > 0
    assert first["whole"]
    file.write_text(json.dumps({"seconds": 100.0, "whole": not killed}))
    mappo, dima = rows()
    assert dima["cpu_seconds"] > 0
    if killed:
        assert mappo["cpu_seconds"] is None
    else:
        assert 100 <= mappo["cpu_seconds"] < 101


@pytest.mark.parametrize("env", ["rb-v0", "cbf-v0", "slicing-v0"])
def test_imagination_is_as_long_as_the_discount_looks_ahead(env):
    config = compare._config("dima", env, 20_000, 0, {})
    assert config.gamma == compare._config("mappo", env, 20_000, 0, {}).gamma
    assert (config.horizon == 1) == (config.gamma == 0)
    assert compare._config("dima", env, 20_000, 0, {"horizon": 3}).horizon == 3
