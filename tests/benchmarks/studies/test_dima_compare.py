"""The comparison with MAPPO never shows a row of other settings than its command's."""

import json

import pytest

from benchmarks.studies import dima_beside_mappo as compare

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
        monkeypatch.setattr(compare, name, untouched)
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
    ("more", "sentence"),
    [
        (["--steps", "120"], "config.steps is 80 there, 120 here"),
        (["--set", "starts=5"], "config.starts is 4 there, 5 here"),
    ],
)
def test_runs_of_other_settings_are_refused(more, sentence, rows, tmp_path, capsys):
    rows()
    capsys.readouterr()
    assert compare.main([*SIZE, *more, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert rows(), "and the earlier ones are still there"


def test_a_run_that_an_earlier_process_began_has_no_time(rows, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(compare, "evaluate_run", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rows()
    folder = tmp_path / "out" / "rb-v0-mappo-0"
    assert (folder / "policy").exists()
    (folder / "training.json").unlink()
    mappo, dima = rows()
    assert mappo["cpu_seconds"] is None
    assert dima["cpu_seconds"] > 0


@pytest.mark.parametrize("env", ["rb-v0", "cbf-v0", "slicing-v0"])
def test_imagination_is_as_long_as_the_discount_looks_ahead(env):
    config = compare._config("dima", env, 20_000, 0, {})
    assert config.gamma == compare._config("mappo", env, 20_000, 0, {}).gamma
    assert (config.horizon == 1) == (config.gamma == 0)
    assert compare._config("dima", env, 20_000, 0, {"horizon": 3}).horizon == 3
