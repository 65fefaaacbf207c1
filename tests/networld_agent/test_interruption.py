"""A collection that is killed, cut short or out of space loses nothing that was finished."""

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest
from dataset_cases import contents, overwrite

from networld_agent import collect as command
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset
from networld_agent.data.writer import DatasetWriter, partial_folder

ROOT = Path(__file__).parents[2]
Usage = namedtuple("Usage", "total used free")

#: Large enough to be hit in the middle, in blocks small enough for some to be finished then.
SIZE = ["--episodes", "40", "--steps", "400", "--set", "num_nodes=4", "--num-envs", "3"]
SETTINGS = CollectionSettings(env="rb-v0", overrides={"num_nodes": 4}, episodes=6, steps=30)


def start(out, *more, **options):
    arguments = ["--env", "rb-v0", *SIZE, "--out", str(out), *more]
    return subprocess.Popen(
        [sys.executable, "-m", "networld_agent.collect", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run as a background job, SIGINT is ignored, and children inherit that.
        **{"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options},
    )


def finished_episodes(out):
    journal = partial_folder(out) / "journal.jsonl"
    return journal.read_bytes().count(b'"episode"') if journal.exists() else 0


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "set"
    settings = CollectionSettings(env="rb-v0", overrides={"num_nodes": 4}, episodes=40, steps=400)
    return contents(collect(settings, out, num_envs=3))


def wait_until_episodes(process, out, count, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and finished_episodes(out) < count:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def kill_again_and_again(out, jobs, rng, kills, whole):
    """Kills after random numbers of episodes and random moments more; then lets it finish.

    Returns:
        How many kills found it at work.
    """
    done = landed = 0
    for _ in range(kills):
        process = start(out, "--jobs", jobs)
        wait_until_episodes(process, out, done + rng.randrange(0, 8))
        time.sleep(rng.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode == 0 or out.exists():
            break
        landed += 1
        if (partial_folder(out) / "metadata.json").exists():
            break
        assert finished_episodes(out) >= done
        done = finished_episodes(out)
    process = start(out, "--jobs", jobs)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert contents(out) == whole
    assert not partial_folder(out).exists()
    return landed


def test_killed_three_times_the_files_are_the_same(tmp_path, uninterrupted):
    assert kill_again_and_again(tmp_path / "set", "1", random.Random(1), 3, uninterrupted) == 3


@pytest.mark.long
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("seed", range(5))
def test_killed_up_to_fifty_times_the_files_are_the_same(tmp_path, uninterrupted, jobs, seed):
    rng = random.Random(seed)
    assert kill_again_and_again(tmp_path / "set", jobs, rng, 5, uninterrupted) >= 3


def test_killed_at_any_write_of_the_finish_the_files_are_the_same(tmp_path, monkeypatch):
    """Every rename, unlink and fsync of the last steps is a moment to die at."""
    whole = contents(collect(SETTINGS, tmp_path / "whole"))

    class Killed(BaseException):
        pass

    deaths = 0
    for moment in range(1, 100):
        out = tmp_path / f"set-{moment}"
        calls = [0]

        def dying(real, calls=calls, moment=moment):
            def call(*arguments, **options):
                calls[0] += 1
                if calls[0] == moment:
                    raise Killed
                return real(*arguments, **options)

            return call

        with monkeypatch.context() as patch:
            for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink"),
                                (Path, "rename"), (os, "pwrite")):  # fmt: skip
                patch.setattr(owner, name, dying(getattr(owner, name)))
            try:
                collect(SETTINGS, out, num_envs=3)
            except Killed:
                deaths += 1
        assert contents(collect(SETTINGS, out, num_envs=2)) == whole
        assert not partial_folder(out).exists()
        if calls[0] < moment:
            break
    assert deaths > 20


def stopped_halfway(out, monkeypatch):
    """An unfinished collection with 4 of 6 episodes in its journal."""
    real, commits = DatasetWriter.commit, []

    def commit(self, episodes):
        if len(commits) == 2:
            raise KeyboardInterrupt
        commits.append(episodes)
        real(self, episodes)

    with monkeypatch.context() as patch:
        patch.setattr(DatasetWriter, "commit", commit)
        with pytest.raises(KeyboardInterrupt):
            collect(SETTINGS, out, num_envs=2)
    assert finished_episodes(out) == 4  # of 6
    return partial_folder(out)


def test_a_torn_journal_line_is_ignored(tmp_path, monkeypatch):
    whole = contents(collect(SETTINGS, tmp_path / "whole"))
    out = tmp_path / "set"
    journal = stopped_halfway(out, monkeypatch) / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])
    collect(SETTINGS, out, num_envs=2)
    assert contents(out) == whole


def test_a_finished_episode_that_the_disk_lost_is_collected_again(tmp_path, monkeypatch):
    whole = contents(collect(SETTINGS, tmp_path / "whole"))
    out = tmp_path / "set"
    folder = stopped_halfway(out, monkeypatch)
    overwrite(folder / "observations.npy", 400, b"\xff" * 16)
    (folder / "rewards.npy").unlink()
    collect(SETTINGS, out, num_envs=2)
    assert contents(out) == whole


def test_finished_episodes_are_not_played_again(tmp_path, monkeypatch):
    out = tmp_path / "set"
    stopped_halfway(out, monkeypatch)
    reported = []
    collect(SETTINGS, out, num_envs=2, report=lambda *done: reported.append(done))
    assert reported[0] == ("collecting", 6 * 30, 6 * 30)


def test_ctrl_c_says_how_to_go_on(tmp_path, uninterrupted):
    out = tmp_path / "set"
    process = start(out, "--jobs", "2")
    wait_until_episodes(process, out, 3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "finished episodes are kept: repeat the same command to go on." in errors
    assert "Traceback" not in errors
    process = start(out)
    process.communicate()
    assert contents(out) == uninterrupted


def test_a_dead_worker_is_one_sentence(tmp_path, uninterrupted):
    out = tmp_path / "set"
    process = start(out, "--jobs", "2")
    wait_until_episodes(process, out, 3)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [
        int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == 2
    assert "a worker process ended unexpectedly" in errors
    process = start(out)
    process.communicate()
    assert contents(out) == uninterrupted


# --------------------------------------------------------------------- no room to write
def test_a_full_disk_is_one_sentence_and_the_rest_follows_later(tmp_path, monkeypatch):
    whole = contents(collect(SETTINGS, tmp_path / "whole"))
    out, real, writes = tmp_path / "set", os.pwrite, [0]

    def full(handle, data, place):
        writes[0] += 1
        if writes[0] > 60:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data, place)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match=r"cannot write .*\.npy: No space left on device\. .*go"):
            collect(SETTINGS, out, num_envs=2)
    assert 0 < finished_episodes(out) < 6
    assert contents(collect(SETTINGS, out)) == whole


def test_a_disk_that_is_too_small_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(0, 0, 1000))
    with pytest.raises(OSError, match=r"needs 0\.00 GB more and the disk has 0\.00 GB left\.$"):
        collect(SETTINGS, tmp_path / "set")


def test_a_limit_on_file_sizes_is_one_sentence(tmp_path):
    limit = (50_000, 50_000)
    process = start(
        tmp_path / "set", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    )
    _, errors = process.communicate()
    assert process.returncode == 2
    assert "observations.npy: File too large." in errors
    assert "Traceback" not in errors


def test_a_read_only_folder_is_one_sentence(tmp_path, monkeypatch):
    # The tests may run as root, whom permissions do not stop.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OSError, match=r"cannot write .*set: the folder .* is read-only\.$"):
        collect(SETTINGS, tmp_path / "set")


# ------------------------------------------------------------------ what is there already
def test_the_same_command_again_does_nothing(tmp_path, capsys):
    arguments = ["--env", "rb-v0", "--episodes", "2", "--steps", "5", "--out", str(tmp_path / "x")]
    assert command.main(arguments) == 0
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "x").iterdir()}
    assert command.main(arguments) == 0
    assert "is complete already" in capsys.readouterr().out
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "x").iterdir()}


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"epsilon": 0.1}, "epsilon is 0.05 there, 0.1 here"),
        ({"episodes": 7}, "seeds has 6 entries there, 7 here"),
        ({"seed": 4}, "seeds[0] is 0 there, 4 here"),
        ({"overrides": {"num_nodes": 5}}, "environment.config.num_nodes is 4 there, 5 here"),
    ],
)
def test_other_settings_are_named(tmp_path, monkeypatch, changes, difference):
    arguments = {"env": "rb-v0", "overrides": {"num_nodes": 4}, "episodes": 6, "steps": 30}
    other = CollectionSettings(**{**arguments, **changes})
    collect(SETTINGS, tmp_path / "done")
    with pytest.raises(ValueError, match="holds a data set with other settings") as fault:
        collect(other, tmp_path / "done")
    assert difference in str(fault.value)
    stopped_halfway(tmp_path / "half", monkeypatch)
    with pytest.raises(ValueError, match="holds an unfinished data set with other") as fault:
        collect(other, tmp_path / "half")
    assert difference in str(fault.value)
    collect(SETTINGS, tmp_path / "half")
    assert contents(tmp_path / "half") == contents(tmp_path / "done")


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="exists and is no readable data set"):
        collect(SETTINGS, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_two_writers_of_one_data_set_exclude_each_other(tmp_path, monkeypatch):
    out = tmp_path / "set"
    stopped_halfway(out, monkeypatch)
    description = TrajectoryDataset.open(collect(SETTINGS, tmp_path / "other")).description
    with (
        DatasetWriter(out, description),
        pytest.raises(ValueError, match=r"another process is writing .*: wait for it\.$"),
    ):
        DatasetWriter(out, description)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--env", "nope"], "environment id must be one of 'cbf-v0'"),
        (["--env", "rb-v0", "--policy", "nope"], "--policy must be one of 'expert', 'genie'"),
        (["--env", "rb-v0", "--preset", "nope"], "preset must be one of"),
        (
            ["--env", "rb-v0", "--set", "nope=1"],
            "unexpected keyword argument 'nope'",
        ),
        (["--env", "rb-v0", "--set", "max_steps=7"], "give --steps 7"),
        (["--env", "rb-v0", "--epsilon", "2"], "--epsilon must be between 0 and 1"),
        (["--env", "rb-v0", "--episodes", "0"], "--episodes must be between 1"),
        (["--env", "rb-v0", "--steps", "0"], "--steps must be between 1"),
        (["--env", "rb-v0", "--num-envs", "0"], "--num-envs must be at least 1"),
        (["--env", "rb-v0", "--jobs", "0"], "--jobs must be between 1"),
        (["--env", "rb-v0", "--seed", "-1"], "--seed must be between 0"),
        (["--env", "rb-v0", "--seed", "1500000"], "reserved for evaluation."),
        (["--env", "cbf-v0", "--policy", "sweep"], "needs observation='sweep'"),
        (["--env", "no.such:factory", "--policy", "random"], "cannot be loaded"),
    ],
)
def test_faults_end_in_one_sentence_and_status_two(tmp_path, arguments, sentence, capsys):
    assert command.main([*arguments, "--out", str(tmp_path / "x")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert sentence in error
    assert list(tmp_path.iterdir()) == []
