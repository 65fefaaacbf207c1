"""The commands that diagnose and compare world models."""

import json

import pytest
from dima_cases import tiny

from benchmarks.baselines.mappo import train as train_mappo
from benchmarks.studies.dima_diagnosis import command as diagnose
from benchmarks.studies.dima_diagnosis import slopes
from benchmarks.studies.dima_diagnosis.model_checks import AgentEffects, Prediction
from benchmarks.studies.dima_diagnosis.page import Diagnosis, diagnosis_page, verdicts
from benchmarks.studies.dima_diagnosis.policy_checks import Agreement, Play, RewardEffects

SMALL = ["--env", "rb-v0", "--preset", "tiny", "--episodes", "3", "--steps", "30"]


def diagnosis(slope=1.0, conditioning="sequential", play=None):
    found = [
        AgentEffects(agent, order, 0, slope, 0.9, 0.1)
        for order in ("ascending", "descending")
        for agent in range(2)
    ]
    errors = Prediction([0.1, 0.9], [0.5, 0.8], [0.3, 0.4], [0.2, 0.3])
    agreement = Agreement(slope, 0.9, 0.1)
    rewards = RewardEffects(agreement, 0.01, agreement, [agreement] * 2)
    return Diagnosis("rb-<v0>", conditioning, found, 0.05, errors, rewards, play)


def test_verdicts_follow_the_figures():
    said = [good for good, _ in verdicts(diagnosis())]
    assert said == [True, False, True, True, True, True, True]
    assert not verdicts(diagnosis(slope=0.5))[3][0]
    assert "0.50 to 0.50" in verdicts(diagnosis(slope=0.5))[3][1]
    assert not verdicts(diagnosis(slope=0.3))[5][0]
    assert len(verdicts(diagnosis(conditioning="joint"))) == 6


@pytest.mark.parametrize(("promised", "same", "wanted"), [(4.1, 0.9, True), (6.5, 0.1, False)])
def test_verdicts_on_play_follow_the_figures(promised, same, wanted):
    play = Play([4.0, promised], [4.0, 4.2], [same, 0.4], [0.3, 0.3], 1.0)
    said = verdicts(diagnosis(conditioning="joint", play=play))[6:]
    assert [good for good, _ in said] == [wanted, wanted]
    assert f"{promised:.3g} in step 2; in the environment 4 and 4.2" in said[0][1]


def test_page_holds_all_and_loads_nothing():
    page = diagnosis_page(diagnosis(), ["a <command>"])
    assert "rb-&lt;v0&gt;" in page
    assert "a &lt;command&gt;" in page
    assert page.count("<tr>") == 1 + 4
    assert "http" not in page


def test_diagnose_trains_once_stores_and_reports(tmp_path, capsys):
    where = ["--model", str(tmp_path / "world"), "--out", str(tmp_path / "page.html")]
    figures = ["--json", str(tmp_path / "found.json"), "--forks", "2", "--draws", "1"]
    assert diagnose.main([*SMALL, *where, *figures, "--updates", "3"]) == 0
    weights = next((tmp_path / "world").glob("*.safetensors")).name
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found["effects"]) == 2 * 8
    assert len(found["prediction"]["state"]) == 15
    assert "diagnose" in found["about"][0]
    assert "data:image/png" in (tmp_path / "page.html").read_text()
    assert diagnose.main([*SMALL, *where, *figures, "--updates", "9"]) == 0
    assert next((tmp_path / "world").glob("*.safetensors")).name == weights
    assert json.loads((tmp_path / "found.json").read_text())["effects"] == found["effects"]
    run = ["--out", str(tmp_path / "run"), "--steps", "40", "--set", "num_envs=2"]
    run += ["--set", "rollout=20", "--episodes", "1", "--eval-steps", "5"]
    assert train_mappo.main(["--env", "rb-v0", *run]) == 0
    played = [*SMALL, *where, *figures, "--policy", str(tmp_path / "run")]
    assert diagnose.main(played) == 0
    told = json.loads((tmp_path / "found.json").read_text())
    assert len(told["play"]["imagined"]) == 15
    assert told["rewards"]["bias"] != found["rewards"]["bias"]
    assert diagnose.main([*SMALL, *where, "--policy", str(tmp_path / "none")]) == 2
    assert "the file is missing" in capsys.readouterr().err
    other = ["--env", "cbf-v0", *SMALL[2:], *where]
    assert diagnose.main(other) == 2
    assert "is a model of rb-v0" in capsys.readouterr().err


def test_slopes_by_variant_go_on_in_one_file(tmp_path, capsys):
    file = tmp_path / "slopes.json"
    options = [*SMALL, "--steps", "85", "--updates", "2", "--draws", "1", "--json", str(file)]
    assert slopes.main([*options, "--variants", "sequential-0"]) == 0
    first = json.loads(file.read_text())["variants"]
    assert slopes.main([*options, "--variants", "joint-0.3", "--updates", "1"]) == 0
    found = json.loads(file.read_text())
    assert found["variants"]["sequential-0"] == first["sequential-0"]
    rows = found["variants"].values()
    told = [(row["conditioning"], row["offset_noise"], row["updates"]) for row in rows]
    assert told == [("sequential", 0, 2), ("joint", 0.3, 1)]
    assert all(len(variant["effects"]) == 2 * 8 for variant in rows)
    assert found["denoiser"]["channels"] == tiny().denoiser.channels
    assert slopes.main([*options, "--seed", "1"]) == 2
    assert "holds slopes of other settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        (diagnose, ["--env", "chess"], "--env must be one of"),
        (diagnose, ["--env", "rb-v0"], "the file is missing"),
        (diagnose, [*SMALL, "--updates", "0"], "--updates must be at least 1"),
        (diagnose, [*SMALL, "--updates", "1", "--set", "depth=2"], "unknown option 'depth'"),
        (diagnose, [*SMALL, "--updates", "1", "--steps", "10"], "at least 17 steps, got 10"),
        (slopes, ["--preset", "huge"], "preset must be one of"),
        (slopes, ["--variants", "none"], "--variants must be one of"),
        (slopes, ["--updates", "none"], None),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, capsys, command, arguments, sentence):
    if command is diagnose:
        arguments = [*arguments, "--model", str(tmp_path / "m"), "--out", str(tmp_path / "p.html")]
    if sentence is None:
        with pytest.raises(SystemExit, match="2"):
            command.main(arguments)
        return
    assert command.main(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
