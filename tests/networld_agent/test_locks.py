"""One process per folder, whatever trains in it."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
from dataset_cases import small_dataset

from benchmarks.baselines import OfflineData, make_baseline
from benchmarks.baselines.mappo.config import MappoConfig
from benchmarks.baselines.mappo.train import train_mappo
from benchmarks.baselines.online.evaluation import Setting
from networld_agent.config import get_preset
from networld_agent.data import TrajectoryDataset
from networld_agent.documents import write_document
from networld_agent.training import pretrain
from networld_agent.training.run_folder import run_folder
from wirelessenvs.locks import locked, sole_user, try_lock


def holding(code):
    """A process that runs some lines, says so, and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


HOLDER = """
    import sys, time
    from pathlib import Path
    from wirelessenvs.locks import sole_user
    with sole_user(Path({folder!r})):
        print("held", flush=True)
        time.sleep(60)
"""


def test_a_folder_has_one_user_who_is_named_and_death_frees_it(tmp_path):
    folder = tmp_path / "run"
    process = holding(HOLDER.format(folder=str(folder)))
    try:
        with (
            pytest.raises(ValueError, match=rf"another process( \({process.pid}\))? works in"),
            sole_user(folder),
        ):
            pass
    finally:
        process.kill()
        process.wait()
    with sole_user(folder):
        pass


def test_a_lock_is_free_again_after_its_body(tmp_path):
    path = tmp_path / "deep" / "lock"
    for _ in range(2):
        with locked(path) as free:
            assert free
            with locked(path) as again:
                assert not again
    handle = os.open(tmp_path, os.O_RDONLY)
    assert try_lock(handle)
    os.close(handle)


def test_a_run_deletes_what_a_killed_writer_left_and_refuses_a_second(tmp_path):
    folder = tmp_path / "run"
    with run_folder(folder, {"steps": 1}):
        pass
    for left in (folder / ".partial-abc", folder / "snapshots/5/.partial-def"):
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_bytes(b"half")
    with run_folder(folder, {"steps": 1}):
        assert not list(folder.rglob(".partial-*"))
        with (
            pytest.raises(ValueError, match=r"another process .*works in .*: wait for it"),
            run_folder(folder, {"steps": 1}),
        ):
            pass
    with (
        pytest.raises(ValueError, match="holds a run with other settings: steps is 1 there"),
        run_folder(folder, {"steps": 2}),
    ):
        pass


def _pretrains(folder):
    pretrain([small_dataset("rb-v0")], folder, get_preset("smoke", {"steps": 1}))


def _fits(folder):
    method = make_baseline("bc")
    data = OfflineData(TrajectoryDataset.open(small_dataset("rb-v0")))
    method.fit(data, method.config_type(steps=1), folder, progress=False)


def _trains_online(folder):
    setting = Setting("rb-v0", overrides={"num_nodes": 3, "max_steps": 10})
    train_mappo(setting, MappoConfig(steps=16, num_envs=2, rollout=8), folder)


@pytest.mark.parametrize("train", [_pretrains, _fits, _trains_online])
def test_every_way_to_train_refuses_a_folder_in_use(train, tmp_path):
    with sole_user(tmp_path / "run"), pytest.raises(ValueError, match="another process"):
        train(tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())


def test_nothing_is_deleted_in_a_folder_that_is_no_run(tmp_path):
    foreign = tmp_path / "home" / "thesis" / ".partial-chapter"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("of somebody else")
    with (
        pytest.raises(ValueError, match="exists already and is no training run"),
        run_folder(tmp_path / "home", {"steps": 1}),
    ):
        pass
    assert foreign.exists()


def test_a_run_killed_before_its_configuration_was_there_begins(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".partial-abc").write_bytes(b"half")
    with run_folder(tmp_path / "run", {"steps": 1}):
        assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["config.json"]


def test_without_file_locks_everything_can_be_imported():
    code = """
        import sys
        sys.modules["fcntl"] = sys.modules["resource"] = None
        import benchmarks.run, benchmarks.report, benchmarks.baselines.fit
        import networld_agent.collect, networld_agent.diagnose, networld_agent.evaluate
        from wirelessenvs.locks import try_lock
        try:
            try_lock(0)
        except OSError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert "needs the file locks of Linux or macOS" in done.stdout


def test_a_closed_standard_error_is_no_fault(tmp_path):
    words = "-m networld_agent.collect --env rb-v0 --episodes 2 --steps 5 --jobs 1"
    command = f'"{sys.executable}" {words} --out "{tmp_path / "data"}" 2>&-'
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0
    assert "is complete: 2 episodes" in done.stdout


@pytest.mark.parametrize("settings", ["17", "null", '"x"', "[[1]]"])
def test_a_run_s_settings_that_are_none_are_named(settings, tmp_path):
    write_document(tmp_path / "config.json", {"settings": json.loads(settings)})
    with (
        pytest.raises(ValueError, match=r"config\.json: key 'settings' is no object: delete"),
        run_folder(tmp_path, {"a": 1}),
    ):
        pass


@pytest.mark.parametrize("place", ["settings.pretrained", "versions.torch", "git_revision"])
def test_a_changed_word_in_a_run_s_settings_is_found(place, tmp_path):
    """Also where nothing is computed from it: where an input lay, what made the run."""
    settings = {"pretrained": "runs/one", "steps": 3}
    with run_folder(tmp_path, settings):
        pass
    with run_folder(tmp_path, {**settings, "pretrained": "elsewhere/one"}):
        pass
    path = tmp_path / "config.json"
    document = json.loads(path.read_text())
    *outer, name = place.split(".")
    (document[outer[0]] if outer else document)[name] = "other"
    path.write_text(json.dumps(document))
    with (
        pytest.raises(ValueError, match=r"config\.json: does not fit its checksum.*Delete the"),
        run_folder(tmp_path, settings),
    ):
        pass
