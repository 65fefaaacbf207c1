"""Data is compared with its checksums before it is used: once, and again when it has changed."""

import json
import os
import stat
import time

import numpy as np
import pytest
from dataset_cases import change_metadata, copy_of, overwrite, small_dataset
from training_cases import QUICK

from networld_agent import adapt, collect, diagnose, pretrain
from networld_agent.collecting import CollectionSettings
from networld_agent.collecting import collect as collect_data
from networld_agent.data import DatasetError, TrajectoryDataset, verification
from networld_agent.data.__main__ import main as data_command
from networld_agent.data.writer import partial_folder
from networld_agent.verified import VerifiedFiles

#: Position in `observations.npy` of a byte in the middle of the data.
MIDDLE = 4000


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def data(tmp_path):
    """A data set that has stood for a moment: too young a time stamp says little."""
    folder = copy_of(small_dataset("rb-v0"), tmp_path)
    time.sleep(0.15)
    return folder


@pytest.fixture
def reads(monkeypatch):
    """Folders whose files have been read from start to end."""
    found, read = [], verification._read_all

    def noted(folder, metadata):
        found.append(folder)
        read(folder, metadata)

    monkeypatch.setattr(verification, "_read_all", noted)
    return found


def flip(path, place=MIDDLE):
    overwrite(path, place, bytes([path.read_bytes()[place] ^ 1]))


# ------------------------------------------------------------------------- the memory of it
def test_a_data_set_is_read_whole_once(data, reads):
    for _ in range(3):
        TrajectoryDataset.open(data)
    assert len(reads) == 1
    TrajectoryDataset.open(data, verify="full")
    assert len(reads) == 2


def test_another_spelling_of_the_path_is_the_same_data_set(data, reads, monkeypatch):
    TrajectoryDataset.open(data)
    monkeypatch.chdir(data.parent)
    TrajectoryDataset.open(data.name)
    assert len(reads) == 1


def test_what_has_changed_is_read_again_whatever_its_time_says(data):
    path = data / "observations.npy"
    TrajectoryDataset.open(data)
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DatasetError, match=r"observations.npy: the checksum of episode"):
        TrajectoryDataset.open(data)
    flip(path)
    TrajectoryDataset.open(data)


def test_another_checksum_in_the_metadata_is_another_content(data):
    TrajectoryDataset.open(data)
    change_metadata(data, lambda d: d["arrays"]["rewards"].update(sha256="0" * 64))
    with pytest.raises(DatasetError, match=r"rewards.npy: the checksum of the file"):
        TrajectoryDataset.open(data)


def test_other_bounds_in_the_metadata_are_compared_with_the_values(data):
    TrajectoryDataset.open(data)
    change_metadata(data, lambda d: d["action"].update(sizes=[2]) or _without_histogram(d))
    with pytest.raises(DatasetError, match=r"actions.npy: the value at .* outside 0 to 1"):
        TrajectoryDataset.open(data)


def _without_histogram(document):
    document["statistics"].pop("action_histogram")


def test_a_file_that_has_just_been_written_is_not_remembered(data, reads):
    os.utime(data / "rewards.npy")
    for _ in range(2):
        TrajectoryDataset.open(data)
    assert len(reads) == 2


def test_a_file_that_changes_while_it_is_read_is_not_remembered(data):
    sums = {"observations.npy": "of some content"}
    seen = VerifiedFiles(data, sums)
    flip(data / "observations.npy")
    seen.remember()
    assert not VerifiedFiles(data, sums).known


@pytest.mark.parametrize("damage", ["a file", "no note", "another note"])
def test_a_cache_that_cannot_be_used_costs_time_and_nothing_else(data, reads, cache, damage):
    if damage == "a file":
        cache.write_text("in the way")
    TrajectoryDataset.open(data)
    if damage != "a file":
        (note,) = (cache / "networld_agent" / "verified").iterdir()
        assert stat.S_ISREG(note.stat().st_mode)
        note.unlink()
        if damage == "another note":
            note.write_text("0" * 64)
    TrajectoryDataset.open(data)
    assert len(reads) == 2


def test_a_user_without_a_home_gets_no_notes_in_the_present_folder(data, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "~")
    monkeypatch.chdir(tmp_path)
    TrajectoryDataset.open(data)
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


# ------------------------------------------------------------------------------ who asks it
COMMANDS = {
    "pretrain": lambda d, out: pretrain.main([*QUICK, "--data", d, "--steps", "2", "--out", out]),
    "adapt": lambda d, out: adapt.main(
        ["--data", d, "--model", f"{out}-base", "--preset", "smoke", "--out", out]
    ),
    "diagnose": lambda d, out: diagnose.main(["--data", d, "--model", f"{out}-base", "--out", out]),
    "subset": lambda d, out: data_command(["subset", d, "--first", "1", "--out", out]),
    "export": lambda d, out: data_command(["export", d, "--minari-id", "a/b-v0", "--root", out]),
    "inspect": lambda d, out: data_command(["inspect", d]),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_flipped_bit_in_the_middle_is_refused(data, tmp_path, capsys, command):
    if command in ("adapt", "diagnose"):
        whole = str(small_dataset("rb-v0"))
        assert COMMANDS["pretrain"](whole, str(tmp_path / "out-base")) == 0
        capsys.readouterr()
    flip(data / "observations.npy")
    assert COMMANDS[command](str(data), str(tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert "observations.npy: the checksum of episode" in error
    assert command != "pretrain" or f"error: {data}: " in error
    assert error.count("\n") == 1


def test_a_run_that_was_told_not_to_look_says_so(data, tmp_path):
    flip(data / "observations.npy")
    out = tmp_path / "run"
    arguments = [*QUICK, "--data", str(data), "--steps", "2", "--out", str(out)]
    assert pretrain.main([*arguments, "--no-verify"]) == 0
    (entry,) = json.loads((out / "config.json").read_text())["settings"]["data"]
    assert entry["verified"] is False


def test_verified_data_needs_no_word_in_the_record(data, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = [*QUICK, "--data", str(data), "--steps", "2", "--out", str(out)]
    assert pretrain.main(arguments) == 0
    (entry,) = json.loads((out / "config.json").read_text())["settings"]["data"]
    assert "verified" not in entry
    assert pretrain.main([*arguments, "--no-verify"]) == 2
    assert "verified is None there, False here" in capsys.readouterr().err


# ----------------------------------------------------------------------- complete already
SETTINGS = CollectionSettings(env="rb-v0", episodes=3, steps=20, overrides={"num_nodes": 4})
COLLECT = ["--env=rb-v0", "--episodes=3", "--steps=20", "--set=num_nodes=4", "--jobs=1", "--out"]


@pytest.mark.parametrize("damage", ["gone", "flipped"])
def test_a_damaged_data_set_is_not_complete_already(tmp_path, capsys, damage):
    folder = collect_data(SETTINGS, tmp_path / "data")
    assert collect.main([*COLLECT, str(folder)]) == 0
    assert "is complete already" in capsys.readouterr().out
    path = folder / "rewards.npy"
    path.unlink() if damage == "gone" else flip(path, 500)
    assert collect.main([*COLLECT, str(folder)]) == 2
    said = capsys.readouterr()
    assert "complete" not in said.out
    assert "rewards.npy" in said.err
    assert f"Delete {folder}" in said.err.replace("Delete that folder", f"Delete {folder}")


def test_a_data_set_that_was_damaged_before_it_got_its_name_does_not_get_it(tmp_path):
    folder = collect_data(SETTINGS, tmp_path / "data")
    folder.rename(partial_folder(folder))
    flip(partial_folder(folder) / "rewards.npy", 500)
    with pytest.raises(ValueError, match=r"rewards.npy: the checksum .* Delete it"):
        collect_data(SETTINGS, folder)
    flip(partial_folder(folder) / "rewards.npy", 500)
    TrajectoryDataset.open(collect_data(SETTINGS, folder))


@pytest.mark.parametrize("damage", ["gone", "flipped", "snapshot"])
def test_a_damaged_run_is_not_complete_already(data, tmp_path, capsys, damage):
    out = tmp_path / "run"
    arguments = [*QUICK, "--data", str(data), "--steps=2", "--set=snapshots=2", "--out", str(out)]
    assert pretrain.main(arguments) == 0
    assert pretrain.main(arguments) == 0
    assert "is complete already" in capsys.readouterr().out
    place = out / "snapshots" / "1" if damage == "snapshot" else out
    (path,) = place.glob("model-*.safetensors")
    path.unlink() if damage == "gone" else flip(path, 2000)
    assert pretrain.main(arguments) == 2
    said = capsys.readouterr()
    assert "complete" not in said.out
    assert str(path) in said.err
    assert f"Delete {out} to train that run anew." in said.err


# ------------------------------------------------------------------------- special files
def _pipe(path):
    os.mkfifo(path)


def _endless(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [_pipe, _endless, os.mkdir])
@pytest.mark.parametrize("name", ["metadata.json", "rewards.npy"])
def test_special_files_are_refused_before_they_are_opened(data, name, make):
    (data / name).unlink()
    make(data / name)
    for verify in ("quick", "once", "full"):
        with pytest.raises(DatasetError, match=f"{name}: cannot be read: it is no regular file"):
            TrajectoryDataset.open(data, verify)


# --------------------------------------------------------------- what no writer makes
FORGED = {
    "statistics.observations.min[1]": lambda d: d["statistics"]["observations"]["min"].__setitem__(
        1, 10**400
    ),
    "statistics.metrics": lambda d: d["statistics"].pop("metrics"),
    "statistics.returns.mean": lambda d: d["statistics"]["returns"].update(mean="much"),
    "environment.preset": lambda d: d.update(environment={}),
    "environment.config": lambda d: d["environment"].pop("config"),
}


@pytest.mark.parametrize("key", FORGED)
def test_forged_metadata_is_one_sentence_that_names_the_key(data, key):
    change_metadata(data, FORGED[key])
    with pytest.raises(DatasetError) as caught:
        TrajectoryDataset.open(data)
    assert f"metadata.json: key {key!r}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"speed": 1}, "'environment.config' cannot be used: .*speed"),
        ({"num_nodes": "many"}, "'environment.config' cannot be used: num_nodes"),
        ({"num_nodes": 5}, "'environment.config' has 5 agents, the data 4."),
    ],
)
def test_an_environment_that_the_data_cannot_come_from_is_refused(data, change, sentence):
    change_metadata(data, lambda d: d["environment"]["config"].update(change))
    dataset = TrajectoryDataset.open(data)
    with pytest.raises(DatasetError, match=sentence):
        dataset.make_simulator()


def test_a_remembered_data_set_is_as_it_was_recorded(data):
    first, second = TrajectoryDataset.open(data), TrajectoryDataset.open(data)
    assert np.array_equal(first.observations, second.observations)
    assert first.verified
    assert second.verified
    assert not TrajectoryDataset.open(data, "quick").verified
