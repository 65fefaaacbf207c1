"""The table of what each option of the world model is worth."""

import json

import pytest

from benchmarks import options
from networld_agent.collecting import CollectionSettings, collect


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    settings = CollectionSettings(env="rb-v0", preset="rb-8", episodes=8, steps=40)
    return collect(settings, tmp_path_factory.mktemp("data") / "rb")


def command(data, *more):
    return ["--data", str(data), "--preset", "smoke", "--episodes", "2", "--eval-steps", "5", *more]


def test_a_row_per_option_beside_the_default(data, tmp_path, capsys):
    out = tmp_path / "options.json"
    names = ["--options", "prediction=velocity", "latent_size=4,channels=8"]
    assert options.main(command(data, "--steps", "5", *names, "--json", str(out))) == 0
    document = json.loads(out.read_text())
    rows = document["rows"]
    assert [row["option"] for row in rows] == ["default", *names[1:]]
    assert rows[2]["rank"] <= 4
    assert len({row["first_error"] for row in rows}) == 3
    assert document["command"].startswith("python -m benchmarks.options --data")
    assert "| prediction=velocity |" in capsys.readouterr().out


def test_more_training_predicts_better(data, tmp_path):
    errors = []
    for steps in (1, 150):
        out = tmp_path / f"{steps}.json"
        assert options.main(command(data, "--steps", str(steps), "--options", "seed=0",
                                    "--json", str(out))) == 0  # fmt: skip
        row, again = json.loads(out.read_text())["rows"]
        assert row["first_error"] == again["first_error"], "equal options give equal rows"
        errors.append(row["first_error"])
    assert errors[1] < errors[0]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--options", "wings=2"], "unknown option 'wings'"),
        (["--options", "prediction=magic"], "prediction"),
        (["--steps", "0"], "--steps"),
    ],
)
def test_a_wrong_option_is_one_sentence_before_any_work(data, capsys, more, sentence):
    assert options.main(command(data, *more)) == 2
    assert sentence in capsys.readouterr().err
