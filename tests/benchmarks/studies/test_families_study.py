"""The study over families: pieces that go on, scores counted from the rule, the few-shot table."""

import json

import numpy as np
import pytest

from benchmarks.studies import families
from benchmarks.studies.families import METHODS, Split, main
from wirelessenvs import deployments

WORDS = ["--family", "rb", "--preset", "smoke", "--methods", "networld", "bc"]


def test_the_whole_study_and_its_pieces(tmp_path, monkeypatch, capsys):
    words = [*WORDS, "--splits", "test", "beyond-size", "--out", str(tmp_path / "runs")]
    words += ["--pieces", str(tmp_path / "pieces"), "--few-shot", "--png", str(tmp_path / "a.png")]
    assert main(words) == 0
    printed = capsys.readouterr().out
    for row in ("| NetWorld |", "| MA-BC |", "| mean-field |", "| 100 steps |", "| 10 |"):
        assert row in printed
    assert "| MA-CQL |" not in printed
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    piece = json.loads((tmp_path / "pieces" / "rb-smoke-beyond-size-bc-s0.json").read_text())
    assert len(piece["rewards"]) == 2
    assert piece["method"] == "bc"
    # What is there is neither trained nor played again, and reads the same.
    monkeypatch.setattr(families.Study, "_played", lambda *_: 1 / 0)
    monkeypatch.setattr(families.Study, "trained", lambda *_: 1 / 0)
    assert main(words) == 0
    assert capsys.readouterr().out == printed


def test_scores_are_ratios_of_means_from_the_best_local_rule_to_the_expert():
    random, rule, expert = (np.array(v, float) for v in ([-9, -7, -8], [-4, -4, -4], [-2, 0, -1]))
    method = np.array([[-3, -2, -1], [-3, -2, -1]], float)
    sites = deployments("rb", "test")[:3]
    split = Split("test", sites, random, rule, "demand", expert, {"networld": method})
    (_, _, row) = families._table([split], from_rule=True)
    assert row.startswith("| NetWorld | 66.7 [")
    (_, _, row) = families._table([split], from_rule=False)
    assert row.startswith("| NetWorld | 85.7 [")


def test_every_row_trains_something_that_exists():
    for name, method in METHODS.items():
        if method.kind == "networld":
            families.get_preset("smoke", method.options)
        else:
            families.make_baseline(method.kind).config_type.from_json(method.options)
        assert method.kind in families.Budget().updates, name


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--family", "lte"], "--family must be one of 'rb', 'cbf', 'slicing', got 'lte'"),
        (["--family", "rb", "--preset", "gpu"], "--preset must be one of 'smoke', 'cpu'"),
        ([*WORDS, "--splits", "train"], "--splits must be one of 'test', 'beyond-size'"),
        ([*WORDS[:-2], "ppo"], "--methods must be one of 'networld'"),
        ([*WORDS, "--seeds", "-1"], "--seeds must be between 0 and 262143"),
        ([*WORDS, "--seeds", "1", "1"], "--seeds names one twice, got 1 1"),
        ([*WORDS, "--splits", "test", "test"], "--splits names one twice"),
        ([*WORDS[:-2], "bc", "--few-shot"], "--few-shot adapts the method networld"),
        ([*WORDS, "--few-shot", "--splits", "beyond-size"], "is counted from the split test"),
    ],
)
def test_bad_input_is_one_sentence_before_any_work(words, sentence, tmp_path, capsys):
    places = ["--out", str(tmp_path / "runs"), "--pieces", str(tmp_path / "pieces")]
    assert main([*words, *places]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_file_in_place_of_the_pieces_is_refused_before_any_work(tmp_path, capsys):
    (tmp_path / "pieces").write_text("mine")
    words = [*WORDS, "--out", str(tmp_path / "runs"), "--pieces", str(tmp_path / "pieces")]
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert "pieces must be a folder, and is a file" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["pieces"]
