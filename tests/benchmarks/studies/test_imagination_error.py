"""Errors of imagined states: known models, the ensemble, and pieces that go on."""

import json

import numpy as np
import pytest
import torch
from linear_env import DRIFT, EFFECTS, SPEC, LinearEnv

from benchmarks.baselines.dima.state_normaliser import StateNormaliser
from benchmarks.studies.dima_diagnosis import imagination_error
from benchmarks.studies.dima_diagnosis.imagination_error import cumulative_error, main
from benchmarks.studies.dima_diagnosis.recording import record
from benchmarks.studies.dima_diagnosis.step_ensemble import StepEnsemble


def true_steps(offset=0.0):
    """A linear team's own dynamics, each step off by a constant."""
    now = {}

    def begin(context):
        now["state"] = context.states[:, -1]

    def step(actions):
        moved = torch.einsum("bna,nas->bs", actions, torch.from_numpy(EFFECTS))
        now["state"] = DRIFT * now["state"] + moved
        return now["state"] + offset

    return begin, step


def test_the_error_adds_up_over_the_steps_in_deviations():
    held_out = record(LinearEnv(3, noise=0.0), 40, 5)
    scale = StateNormaliser(3, 1e3)
    scale.update(held_out.states)
    exact = cumulative_error(*true_steps(), scale, held_out, 4)
    assert len(exact) == 15
    assert max(exact) < 1e-4
    one = float((0.5 / scale.deviation).mean())
    off = cumulative_error(*true_steps(0.5), scale, held_out, 4)
    np.testing.assert_allclose(off, one * np.arange(1, 16), rtol=1e-4)
    with pytest.raises(ValueError, match="at least 17 steps, got 10"):
        cumulative_error(*true_steps(), scale, record(LinearEnv(1), 10, 5), 4)


def test_the_ensemble_learns_a_linear_team():
    torch.manual_seed(0)
    data, held_out = record(LinearEnv(20, noise=0.0), 90, 1), record(LinearEnv(4, noise=0.0), 60, 9)
    model = StepEnsemble(SPEC, 10.0)
    model.fit(data, 400, 64, seed=0)
    found = cumulative_error(model.begin, model.step, model.states, held_out, 3)
    present = []
    still = cumulative_error(
        lambda context: present.append(context.states[:, -1]), lambda _: present[-1],
        model.states, held_out, 3,
    )  # fmt: skip
    assert found[0] < 0.1 * still[0]
    assert found[-1] < 0.25 * still[-1]


def test_pieces_go_on_and_every_order_has_its_row(tmp_path, monkeypatch, capsys):
    folder, png = tmp_path / "pieces", tmp_path / "errors.png"
    arguments = [
        "--env", "rb-v0", "--preset", "tiny", "--episodes", "2", "--steps", "20", "--updates", "2",
        "--starts", "2", "--pieces", str(folder), "--png", str(png),
    ]  # fmt: skip
    assert main(arguments) == 0
    said = capsys.readouterr().out.splitlines()
    names = [line.split("|")[1].strip() for line in said[2:]]
    assert names == [
        "sequential, random", "sequential, ascending", "sequential, descending", "joint",
        "ensemble", "persistence",
    ]  # fmt: skip
    row = json.loads((folder / "rb-v0-sequential-1.json").read_text())
    assert row["config"]["denoiser"]["conditioning"] == "sequential"
    assert row["errors"]["ascending"] != row["errors"]["descending"]
    assert png.read_bytes().startswith(b"\x89PNG")

    monkeypatch.setattr(imagination_error, "_measured", None)
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines() == said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--env", "chess"], "--env must be one of"),
        (["--updates", "0"], "--updates must be at least 1"),
        (["--env", "rb-v0", "--preset", "huge"], "preset must be one of"),
        (["--env", "rb-v0", "--set", "depth=2"], "unknown option 'depth'"),
        (["--env", "rb-v0", "--seeds", "-1"], "--seeds must be at least 0"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence, tmp_path, capsys):
    assert main([*arguments, "--pieces", str(tmp_path / "pieces")]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
