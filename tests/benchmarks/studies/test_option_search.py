"""Options are chosen one after another, on validation worlds, and the command goes on."""

import json

import pytest

from benchmarks.studies.option_search import choices, main, search
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.evaluation import episodes
from networld_agent.evaluation.seeds import VALIDATION_SEEDS


def test_each_option_is_tried_with_the_best_of_those_before():
    def reward(options):
        asked.append(dict(options))
        return -((options["a"] - 2) ** 2) - (options["b"] - options["a"]) ** 2

    asked = []
    best, trials = search({"a": 0, "b": 0, "c": 7}, {"a": [1, 2], "b": [1, 2, 3]}, reward)
    assert best == {"a": 1, "b": 1, "c": 7}
    assert [(t.changed, t.kept) for t in trials] == [
        (None, True), (("a", 1), True), (("a", 2), False), (("b", 1), True), (("b", 2), False),
        (("b", 3), False),
    ]  # fmt: skip
    assert [options["b"] for options in asked[3:]] == [1, 2, 3]
    assert all(options["a"] == 1 for options in asked[3:])


@pytest.mark.parametrize("given", ["gamma", "gamma=", "gamma=0,,1"])
def test_what_names_no_values_is_refused(given):
    with pytest.raises(ValueError, match="--try takes NAME=VALUE,VALUE"):
        choices([given])


def test_an_option_that_stands_twice_is_refused():
    with pytest.raises(ValueError, match="names gamma twice"):
        choices(["gamma=0", "gamma=1"])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    settings = CollectionSettings(
        env="rb-v0", overrides={"num_nodes": 4}, policy="expert", episodes=3, steps=20
    )
    return collect(settings, tmp_path_factory.mktemp("search") / "x")


def arguments(data, out, *more):
    return [
        "--method", "iql", "--data", str(data), "--out", str(out), "--set", "steps=5",
        "--set", "batch_size=8", "--set", "hidden_size=8", "--episodes", "2", "--eval-steps", "3",
        "--seeds", "2", *more,
    ]  # fmt: skip


def test_the_command_plays_validation_worlds_alone_and_goes_on(data, tmp_path, capsys, monkeypatch):
    played = []
    real = episodes.play

    def noted(worlds, player, seeds, *rest):
        played.append(tuple(seeds))
        return real(worlds, player, seeds, *rest)

    monkeypatch.setattr("benchmarks.studies.option_search.play", noted)
    tried = ["--try", "gamma=0,0.5", "--json", str(tmp_path / "a.json")]
    assert main(arguments(data, tmp_path / "runs", *tried)) == 0
    assert len(played) == 6
    assert {seed in VALIDATION_SEEDS for seeds in played for seed in seeds} == {True}
    found = json.loads((tmp_path / "a.json").read_text())
    assert [trial["option"] for trial in found["trials"]] == [
        "as given",
        "gamma = 0",
        "gamma = 0.5",
    ]
    best = max(found["trials"], key=lambda trial: trial["reward"])["option"]
    assert best == (
        "gamma = {}".format(found["best"]["gamma"]) if "gamma" in found["best"] else "as given"
    )
    assert "| option | reward | kept |" in capsys.readouterr().out
    # Another option to try: what is known is not trained again.
    tried = ["--try", "gamma=0,0.5", "--try", "expectile=0.9", "--json", str(tmp_path / "b.json")]
    assert main(arguments(data, tmp_path / "runs", *tried)) == 0
    assert len(played) == 8
    again = json.loads((tmp_path / "b.json").read_text())
    assert again["trials"][:3] == found["trials"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--try", "gama=0"], "unknown option 'gama'"),
        (["--try", "gamma=7"], "gamma must be"),
        (["--seeds", "0"], "--seeds must be"),
        (["--set", "seed=3"], "seed is no option to set or try"),
    ],
)
def test_wrong_options_end_in_a_sentence_before_anything_is_trained(
    more, sentence, data, tmp_path, capsys
):
    assert main(arguments(data, tmp_path / "runs", *more)) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
