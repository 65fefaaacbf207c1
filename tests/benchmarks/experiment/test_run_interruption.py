"""Real jobs that are killed or stopped: what there is stays, and the end is the same."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from experiment_cases import assert_same_weights, fit_folder, run_again, run_part, weights

from benchmarks.experiment.jobs.sources import ROOT
from benchmarks.experiment.jobs.store import RESULT_FILE

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from experiment_cases import run_part
from wirelessenvs.command import run
sys.exit(run(run_part, Path(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that nobody interrupted."""
    out = tmp_path_factory.mktemp("runs") / "smoke"
    run_part(out)
    return out


def start(out):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(out), str(Path(__file__).parent)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def wait_for(condition, what, seconds=60.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError(f"waited in vain for {what}")


def training_process(out):
    """Process id of the training job once it has saved a checkpoint."""

    def look():
        saved = list((out / "jobs").glob("fit-*/run/checkpoint*.json"))
        notes = list((out / "jobs").glob("fit-*/attempt-*.json"))
        return json.loads(notes[-1].read_text())["pid"] if saved and notes else None

    return wait_for(look, "a checkpoint")


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in open(f"/proc/{pid}/status").read()


def without_fit(finished, folder):
    """A folder in which only the data is there."""
    out = shutil.copytree(finished, folder)
    for path in (out / "jobs").glob("*-rb-bc-*"):
        shutil.rmtree(path)
    return out


def test_a_killed_job_is_reported_and_goes_on_to_the_same_weights(finished, tmp_path, capsys):
    out = without_fit(finished, tmp_path / "killed")
    process = start(out)
    os.kill(training_process(out), signal.SIGKILL)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "failed (signal 9)" in told
    assert "jobs failed and 2 more need them: fit-rb-bc-expert-4-s0" in told
    names, _ = run_again(out, capsys)
    assert names[0] == "fit-rb-bc-expert-4-s0"
    usage = json.loads((fit_folder(out) / RESULT_FILE).read_text())["usage"]
    assert usage["attempts"] == 2
    assert_same_weights(weights(out), weights(finished))


@pytest.mark.long
def test_jobs_of_a_killed_run_stop_by_themselves_and_it_goes_on_at_once(finished, tmp_path, capsys):
    out = without_fit(finished, tmp_path / "orphans")
    process = start(out)
    pid = training_process(out)
    process.kill()
    process.communicate()
    names, told = run_again(out, capsys)
    assert names[0] == "fit-rb-bc-expert-4-s0"
    assert "being worked on" not in told.err
    assert not alive(pid)
    assert "stopped; the same job goes on" in (fit_folder(out) / "log.txt").read_text()
    assert_same_weights(weights(out), weights(finished))


def test_ctrl_c_stops_between_steps_and_keeps_what_there_is(finished, tmp_path, capsys):
    out = without_fit(finished, tmp_path / "stopped")
    process = start(out)
    training_process(out)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped: repeat the same command to go on." in told
    assert (fit_folder(out) / "log.txt").read_text().strip().endswith("goes on from here.")
    run_again(out, capsys)
    assert_same_weights(weights(out), weights(finished))
