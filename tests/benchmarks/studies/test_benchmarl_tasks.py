"""The study beside BenchMARL: pieces that go on, a table of those there are, actions in units."""

import pytest

from benchmarks.studies.benchmarl_tasks import main
from networld_agent.documents import write_document


def piece(folder, method="mappo", seed=1, score=80.0):
    row = {
        "task": "rb", "method": method, "seed": seed, "frames": 50_000, "reward": -2.0,
        "score": score, "cpu_seconds": 33.0,
    }  # fmt: skip
    write_document(folder / f"rb-{method}-{seed}.json", row)


def test_the_table_holds_what_there_is(tmp_path, capsys):
    folder = tmp_path / "pieces"
    piece(folder, score=80.0)
    piece(folder, seed=2, score=90.0)
    piece(folder, method="benchmarl-qmix")
    assert main(["--report", "--pieces", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:] == [
        "| rb | mappo | 50,000 | -2.000 | 85.0 | 80.0, 90.0 | 33 |",
        "| rb | benchmarl-qmix | 50,000 | -2.000 | 80.0 | 80.0 | 33 |",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--tasks", "lte"], "--tasks must be one of 'rb'"),
        (["--methods", "maddpg"], "--methods must be one of 'mappo'"),
        (["--frames", "5"], "--frames must be at least 1000, got 5"),
        (["--methods", "mappo"], "--out is needed"),
        (["--methods", "mappo", "--out", "x", "--seeds", "-1"], "--seeds must be at least 0"),
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


@pytest.mark.interop
@pytest.mark.parametrize("method", ["mappo", "benchmarl-qmix", "benchmarl-maddpg"])
def test_a_finished_run_is_not_repeated(method, tmp_path, capsys):
    if method.startswith("benchmarl"):
        pytest.importorskip("benchmarl", exc_type=ImportError)
    command = ["--methods", method, "--frames", "1000", "--episodes", "1"]
    command += ["--out", str(tmp_path / "runs"), "--pieces", str(tmp_path / "pieces")]
    assert main(command) == 0
    path = tmp_path / "pieces" / f"rb-{method}-1.json"
    written, first = path.stat().st_mtime_ns, capsys.readouterr().out
    assert main(command) == 0
    assert path.stat().st_mtime_ns == written
    assert capsys.readouterr().out.splitlines() == first.splitlines()[-3:]
