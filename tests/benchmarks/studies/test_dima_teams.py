"""The study of the divided bodies: pieces that go on, a table and a figure of those there are."""

import json

import pytest

from benchmarks.studies import dima_teams, online_pieces
from benchmarks.studies.dima_teams import main
from networld_agent.documents import write_document


def piece(folder, team="halfcheetah-2x3", method="mappo", seed=1, last=10.0):
    folder.mkdir(exist_ok=True)
    row = {
        "team": team, "method": method, "seed": seed, "steps": 200, "return": last, "random": -3.0,
        "curve": [{"step": 100, "value": 20.0}, {"step": 200, "value": last}],
        "model_updates_per_step": 0.2, "policy_updates_per_step": 0.004, "cpu_seconds": 61.0,
    }  # fmt: skip
    write_document(folder / f"{team}-{method}-{seed}.json", row)


def test_the_table_holds_what_there_is(tmp_path, capsys):
    folder, png = tmp_path / "pieces", tmp_path / "curves.png"
    piece(folder, last=10.0)
    piece(folder, seed=2, last=30.0)
    piece(folder, method="dima-joint")
    piece(folder, team="ant-4x2", method="happo")
    assert main(["--report", "--pieces", str(folder), "--png", str(png)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 3
    assert lines[2].startswith("| ant-4x2 | HAPPO | 200 | 1 | 10 | 20 | -3 |")
    assert "| MAPPO | 200 | 2 | 20 ± 14 | 25 ± 7 | -3 | 0.2, 0.004 | 61 | 3,196 |" in lines[3]
    assert png.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--teams", "ant-8x1", "--out", "x"], "--teams must be one of 'ant-2x4'"),
        (["--methods", "marie", "--out", "x"], "--methods must be one of 'mappo'"),
        (["--seeds", "-1", "--out", "x"], "--seeds must be at least 0"),
        (["--set", "colour=red", "--out", "x"], "unknown option 'colour'"),
        (["--steps", "5", "--out", "x"], "snapshots must be at most steps (5)"),
        ([], "--out is needed to train"),
        (["--report"], "holds no finished run"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--pieces", str(tmp_path / "pieces")]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not (tmp_path / "pieces").exists()


def test_a_file_that_is_no_piece_is_named(tmp_path, capsys):
    (tmp_path / "other.json").write_text("[]")
    assert main(["--report", "--pieces", str(tmp_path)]) == 2
    assert f"{tmp_path / 'other.json'} holds no run of this study." in capsys.readouterr().err


def test_it_goes_on_in_the_middle_of_a_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mujoco")
    pytest.importorskip("vector_quantize_pytorch")
    out, pieces = tmp_path / "runs", tmp_path / "pieces"
    arguments = [
        "--teams", "walker2d-3x2", "--steps", "400", "--episodes", "2",
        "--out", str(out), "--pieces", str(pieces),
    ]  # fmt: skip
    for option in (
        "model=tiny", "num_envs=2", "train_every=80", "prefill=160", "model_updates=2",
        "policy_updates=1", "starts=6", "horizon=2", "hidden_size=8", "save_every=1",
    ):  # fmt: skip
        arguments += ["--set", option]
    real, calls = online_pieces.train_dima, []

    def stopped(setting, config, folder):
        calls.append(folder.name)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(online_pieces, "train_dima", stopped)
        assert main(arguments) != 0
    assert [path.stem for path in sorted(pieces.iterdir())] == [
        "walker2d-3x2-happo-1", "walker2d-3x2-mappo-1"
    ]  # fmt: skip
    before = (pieces / "walker2d-3x2-mappo-1.json").read_text()

    def counted(setting, config, folder):
        calls.append(config.model.denoiser.conditioning)
        return real(setting, config, folder)

    monkeypatch.setattr(online_pieces, "train_dima", counted)
    monkeypatch.setattr(online_pieces, "train_mappo", None)
    assert main(arguments) == 0
    assert calls == ["walker2d-3x2-dima-sequential-1", "sequential", "joint"]
    assert (pieces / "walker2d-3x2-mappo-1.json").read_text() == before
    row = json.loads((pieces / "walker2d-3x2-dima-joint-1.json").read_text())
    assert [point["step"] for point in row["curve"]] == sorted({p["step"] for p in row["curve"]})
    assert (row["steps"], row["model_updates_per_step"]) == (400, 4 * 2 / 400)
    assert row["cpu_seconds"] > 0
    assert "DIMA, joint" in capsys.readouterr().out
    dima_teams._known(pieces)


@pytest.mark.parametrize("method", ["mappo", "happo"])
def test_the_options_chosen_on_a_body_hold_for_all_its_teams(method):
    ants = [dima_teams._config(method, team, 1000, 1, {}) for team in ("ant-2x4", "ant-4x2")]
    assert {(config.rollout, config.clip) for config in ants} == {(200, 0.1)}
    cheetah = dima_teams._config(method, "halfcheetah-2x3", 1000, 1, {})
    assert (cheetah.rollout, cheetah.clip) == (100, 0.2)
    assert {config.entropy for config in (*ants, cheetah)} == {0.0}
