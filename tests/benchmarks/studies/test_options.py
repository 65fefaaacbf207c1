"""The table of what each option of the world model is worth."""

import json

import pytest

from benchmarks.studies import model_options as options
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
    assert document["command"].startswith("python -m benchmarks.studies.model_options --data")
    assert "| prediction=velocity |" in capsys.readouterr().out


def test_a_tuple_is_one_value_alone_and_beside_others(data, tmp_path):
    out = tmp_path / "options.json"
    # The smoke preset has (1, 2): the first row is the default, the second has one level less.
    names = ["multipliers=(1,2)", "multipliers=(1,),channels=8"]
    assert options.main(command(data, "--steps", "5", "--options", *names, "--json", str(out))) == 0
    default, same, other = json.loads(out.read_text())["rows"]
    assert same["first_error"] == default["first_error"]
    assert other["first_error"] != default["first_error"]


def test_changes_are_split_at_the_outermost_commas_only():
    assert options.changes("a=(1,(2,3)),b=[4,5],c=x") == {"a": (1, (2, 3)), "b": [4, 5], "c": "x"}
    assert options.changes("latent_size=8, channels=16") == {"latent_size": 8, "channels": 16}
    for name in options.OPTIONS:
        names = [change.split("=")[0] for change in name.split(",")]
        assert list(options.changes(name)) == names, "no row of the table has a tuple"


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
        (["--options", "multipliers=(1,2"], "multipliers"),
        (["--options", "multipliers=1,2"], "--set takes OPTION=VALUE, got '2'"),
        (["--steps", "0"], "--steps"),
    ],
)
def test_a_wrong_option_is_one_sentence_before_any_work(data, capsys, more, sentence):
    assert options.main(command(data, *more)) == 2
    assert sentence in capsys.readouterr().err
