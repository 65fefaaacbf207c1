"""`fit` and `play` from the command line."""

import json
import os
import shutil
import signal

import pytest
from baseline_cases import files_of, tiny_data

from benchmarks.baselines import fit, load_policy, play
from benchmarks.validation.beside_d3rlpy import compared
from networld_agent.documents import checksum
from networld_agent.errors import ModelError


def command(out, *more, method="bc"):
    data = tiny_data("discrete").dataset.path
    return [
        "--method", method, "--data", str(data), "--out", str(out), "--steps", "10",
        "--set", "hidden_size=16", *more,
    ]  # fmt: skip


def test_a_policy_is_trained_and_played_beside_the_tasks_own(tmp_path, capsys):
    arguments = command(tmp_path / "run", "--trajectories", "2", "--first-steps", "30")
    assert fit.main(arguments) == 0
    assert "bc on 2 trajectories of 30 steps, 10 updates" in capsys.readouterr().out
    assert load_policy(tmp_path / "run" / "policy").name == "bc"
    played = ["--policy", str(tmp_path / "run"), "--env", "rb-v0", "--set", "num_nodes=5"]
    assert play.main([*played, "--episodes", "2", "--steps", "10", "--validation"]) == 0
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in table[1:]] == [
        "| bc", "| random", "| medium (mean-field)", "| expert",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--method", "sac"], "--method must be one of 'bc', 'cql'"),
        (["--trajectories", "7"], "has 6 trajectories, not 7"),
        (["--set", "alpha=1"], "unknown option 'alpha'"),
        (["--steps", "0"], "steps must be at least 1, got 0"),
        (["--data", "nowhere"], "nowhere"),
        (["--set", "device=tpu"], "--device 'tpu' cannot be used"),
    ],
)
def test_wrong_arguments_are_one_sentence_and_nothing_is_trained(more, sentence, tmp_path, capsys):
    assert fit.main(command(tmp_path / "run", *more)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1
    assert not any("safetensors" in name for name in files_of(tmp_path))


def test_a_policy_of_another_space_is_refused(tmp_path, capsys):
    assert fit.main(command(tmp_path / "run")) == 0
    run = ["--policy", str(tmp_path / "run"), "--episodes", "1", "--steps", "3"]
    assert play.main([*run, "--env", "cbf-v0"]) == 2
    assert "reads 4 entries per observation, but these environments give 62" in (
        capsys.readouterr().err
    )
    assert play.main([*run, "--env", "rb-v0", "--set", "num_slots=8"]) == 2
    assert "acts in another action space (discrete, (11,))" in capsys.readouterr().err
    assert play.main(["--policy", str(tmp_path), "--env", "rb-v0"]) == 2
    assert "is no baseline policy" in capsys.readouterr().err


def test_the_verdict_of_a_comparison_is_the_one_that_is_documented():
    assert compared([95.1] * 3, [100.0] * 3)["as_good"]
    assert not compared([94.9] * 3, [100.0] * 3)["as_good"]
    assert compared([-104.9] * 3, [-100.0] * 3)["as_good"]
    assert not compared([-105.1] * 3, [-100.0] * 3)["as_good"]
    # Student's t of three seeds: 4.303 x 10 / sqrt(3) = 24.8.
    assert compared([80.0] * 3, [90.0, 100.0, 110.0])["as_good"]
    assert not compared([75.0] * 3, [90.0, 100.0, 110.0])["as_good"]
    assert "as_good" not in compared([1.0], None)


# ---------------------------------------------------------------------------------- files
@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "run"
    assert fit.main(command(out, "--set", "snapshots=2")) == 0
    return out


def forge(path, change):
    """Changes a description with a checksum that fits."""
    document = json.loads(path.read_text())
    del document["sha256"]
    change(document)
    path.write_text(json.dumps({**document, "sha256": checksum(document)}))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_damaged_data_is_not_trained_on(tmp_path, capsys):
    data = shutil.copytree(tiny_data("discrete").dataset.path, tmp_path / "data")
    flip(data / "rewards.npy")
    arguments = [*command(tmp_path / "run"), "--data", str(data)]
    assert fit.main(arguments) == 2
    assert "rewards.npy: the checksum of episode" in capsys.readouterr().err
    assert fit.main([*arguments, "--no-verify"]) == 0
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]
    assert settings["data"]["verified"] is False


@pytest.mark.parametrize("place", ["policy", "snapshots/5", "snapshots/10"])
@pytest.mark.parametrize("damage", ["gone", "flipped"])
def test_a_damaged_run_is_not_complete(trained, tmp_path, capsys, place, damage):
    out = shutil.copytree(trained, tmp_path / "run")
    (path,) = (out / place).glob("*.safetensors")
    if damage == "flipped":
        flip(path)
    elif place == "policy":
        path.unlink()
    else:
        shutil.rmtree(out / place)
    assert fit.main(command(out, "--set", "snapshots=2")) == 2
    said = capsys.readouterr()
    assert "is complete" not in said.out
    assert str(out / place) in said.err
    assert f"Delete {out} to train that run anew." in said.err


FORGED = {
    "weights.sha256": lambda d: d["weights"].pop("sha256"),
    "observation_size": lambda d: d.update(observation_size=-1),
    "config": lambda d: d.update(config=[1]),
    "a network of more than": lambda d: d["config"].update(hidden_size=2**24),
    "sizes must be an integer": lambda d: d["action"].update(sizes=["many"]),
}


@pytest.mark.parametrize("sentence", FORGED)
def test_a_forged_policy_is_one_sentence_that_names_the_file(trained, tmp_path, sentence):
    path = shutil.copytree(trained / "policy", tmp_path / "policy") / "policy.json"
    forge(path, FORGED[sentence])
    with pytest.raises(ModelError) as caught:
        load_policy(path.parent)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


CHECKPOINTS = {
    "'state' is missing": lambda d: d.pop("state"),
    "'state.step' must be an integer": lambda d: d["state"].update(step="first"),
    "'state.sums.loss' must be a finite number": lambda d: d["state"].update(sums={"loss": []}),
}


@pytest.mark.parametrize("sentence", CHECKPOINTS)
def test_a_forged_checkpoint_is_one_sentence(trained, tmp_path, capsys, sentence):
    out = shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(out / "policy")
    forge(out / "checkpoint.json", CHECKPOINTS[sentence])
    assert fit.main(command(out, "--set", "snapshots=2")) == 2
    error = capsys.readouterr().err
    assert f"{out}/checkpoint.json: key {sentence}" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "name", ["config.json", "policy/policy.json", "checkpoint.json", "metrics.jsonl"]
)
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(trained, tmp_path, capsys, name):
    out = shutil.copytree(trained, tmp_path / "run")
    if not name.startswith("policy"):
        shutil.rmtree(out / "policy")
    (out / name).unlink()
    os.mkfifo(out / name)
    signal.alarm(60)  # ends the test's process rather than to hang for ever
    try:
        assert fit.main(command(out, "--set", "snapshots=2")) == 2
    finally:
        signal.alarm(0)
    error = capsys.readouterr().err
    assert str(out / name) in error
    assert error.count("\n") == 1
