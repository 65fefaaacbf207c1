"""The command with real jobs: smoke runs, crashes, damage, wrong names."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import safetensors.numpy

from benchmarks.jobs.graph import build
from benchmarks.jobs.job import with_inputs
from benchmarks.jobs.sources import ROOT
from benchmarks.jobs.store import RESULT_FILE, Store, locked
from benchmarks.presets import PRESETS
from benchmarks.report import main as report
from benchmarks.run import main, run_protocol

SMOKE = PRESETS["smoke"]
#: Long enough to be killed in the midst of it: a second or two.
SLOW = dataclasses.replace(
    SMOKE,
    baseline_options={
        "bc": ("steps=6000", "batch_size=16", "hidden_size=16", "save_every=50", "log_every=1000")
    },
)
SLOW_RUN = """
import dataclasses, sys
from pathlib import Path
from benchmarks.presets import PRESETS
from benchmarks.run import run_protocol
from wirelessenvs.command import run

options = ("steps=6000", "batch_size=16", "hidden_size=16", "save_every=50", "log_every=1000")
protocol = dataclasses.replace(PRESETS["smoke"], baseline_options={"bc": options})
sys.exit(run(lambda out: run_protocol(protocol, out, tasks=["rb"], methods=["bc"]),
             Path(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with all jobs of one baseline in one task, for tests that only read it."""
    out = tmp_path_factory.mktemp("runs") / "smoke"
    run_protocol(SLOW, out, tasks=["rb"], methods=["bc"])
    return out


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def jobs_of(protocol=SLOW):
    return with_inputs(entry.job for entry in build(protocol, ["rb"], ["bc"]))


def fit_folder(out):
    return next((out / "jobs").glob("fit-rb-bc-*"))


def weights(out):
    (path,) = (fit_folder(out) / "policy").glob("*.safetensors")
    return safetensors.numpy.load_file(path)


def again(out, capsys):
    """Runs once more; returns the names of the jobs that were done."""
    capsys.readouterr()
    outcome = run_protocol(SLOW, out, tasks=["rb"], methods=["bc"])
    return [job.name for job in outcome.finished], capsys.readouterr()


def same_weights(one, two):
    assert one.keys() == two.keys()
    assert all((one[name] == two[name]).all() for name in one)


# --------------------------------------------------------------------------- results
def test_every_job_has_a_result_with_its_cost(finished):
    store = Store(finished)
    for job in jobs_of():
        usage = store.result(job)["usage"]
        assert usage["attempts"] == 1
        assert 0 < usage["cpu_seconds"] <= 4 * usage["wall_seconds"]
        assert usage["peak_memory_mb"] > 50


def test_scores_hold_what_the_report_needs(finished):
    store = Store(finished)
    played = {
        entry.method: store.result(entry.job)["result"]
        for entry in build(SLOW, ["rb"], ["bc"])
        if entry.job.kind == "evaluate"
    }
    assert played.keys() == {"random", "expert", "bc"}
    for result in played.values():
        assert result["seeds"] == [1_000_000, 1_000_001]
        assert len(result["rewards"]) == len(result["repeated"]) == 2
        assert result["ms_per_decision"] > 0
    assert played["bc"]["bytes_per_step"] == 0
    assert sum(played["expert"]["rewards"]) > sum(played["random"]["rewards"])


def test_a_second_run_does_nothing(finished, capsys):
    names, told = again(finished, capsys)
    assert names == []
    assert "all done." in told.out


def test_a_damaged_result_is_named_and_only_that_job_is_done_anew(copy, capsys):
    job = next(job for job in jobs_of() if job.name == "evaluate-rb-random")
    path = copy / "jobs" / job.folder / RESULT_FILE
    before = json.loads(path.read_text())["result"]["rewards"]
    path.write_text(path.read_text()[:-40])
    names, told = again(copy, capsys)
    assert names == [job.name]
    assert str(path) in told.err
    assert json.loads(path.read_text())["result"]["rewards"] == before


def test_a_missing_result_of_training_costs_no_training(copy, capsys):
    before = weights(copy)
    (fit_folder(copy) / RESULT_FILE).unlink()
    names, _ = again(copy, capsys)
    assert names == [next(job.name for job in jobs_of() if job.kind == "fit")]
    same_weights(weights(copy), before)


def test_other_settings_are_other_jobs_and_the_old_ones_stay(copy):
    longer = dataclasses.replace(SLOW, eval_steps=12, curve_steps=6)
    outcome = run_protocol(longer, copy, tasks=["rb"], methods=["bc"])
    assert {job.kind for job in outcome.finished} == {"evaluate", "curve"}
    assert len(list((copy / "jobs").glob("evaluate-rb-random-*"))) == 2


# ------------------------------------------------------------------------- interruption
def start(out):
    return subprocess.Popen(
        [sys.executable, "-c", SLOW_RUN, str(out)],
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
    for kind in ("fit", "curve", "evaluate"):
        for path in (out / "jobs").glob(f"{kind}-*"):
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
    assert (out / "jobs").glob("evaluate-rb-random-*/result.json")
    names, _ = again(out, capsys)
    assert names[0] == "fit-rb-bc-expert-4-s0"
    usage = json.loads((fit_folder(out) / RESULT_FILE).read_text())["usage"]
    assert usage["attempts"] == 2
    same_weights(weights(out), weights(finished))


def test_jobs_of_a_killed_run_stop_by_themselves(finished, tmp_path, capsys):
    out = without_fit(finished, tmp_path / "orphans")
    process = start(out)
    pid = training_process(out)
    process.kill()
    process.communicate()
    wait_for(lambda: not alive(pid), "the orphan to stop", 20)
    again(out, capsys)
    same_weights(weights(out), weights(finished))


def test_ctrl_c_stops_between_steps_and_keeps_what_there_is(finished, tmp_path, capsys):
    out = without_fit(finished, tmp_path / "stopped")
    process = start(out)
    training_process(out)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped: repeat the same command to go on." in told
    assert (fit_folder(out) / "log.txt").read_text().strip().endswith("goes on from here.")
    again(out, capsys)
    same_weights(weights(out), weights(finished))


# --------------------------------------------------------------------------- the command
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "huge"], "unknown preset 'huge'; there are smoke, demo, cpu, paper."),
        (["--tasks", "tv"], "unknown task 'tv'; there are rb, cbf, slicing."),
        (["--methods", "ppo"], "unknown method 'ppo'; there are networld, networld-scratch, bc,"),
        (["--jobs", "0"], "--jobs must be at least 1, got 0."),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(tmp_path, capsys, arguments, sentence):
    status = main(["--preset", "smoke", "--out", str(tmp_path / "out"), *arguments])
    assert status == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "letter.txt").write_text("dear")
    assert main(["--preset", "smoke", "--out", str(tmp_path)]) == 2
    assert f"{tmp_path} exists already and is no experiment" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_two_runs_do_not_work_in_one_folder(copy, capsys):
    with locked(copy / ".lock"):
        assert main(["--preset", "smoke", "--tasks", "rb", "--out", str(copy)]) == 2
    assert f"another run works in {copy}" in capsys.readouterr().err


def test_the_list_says_what_is_done_and_runs_nothing(tmp_path, capsys):
    out = tmp_path / "none"
    assert main(["--preset", "smoke", "--tasks", "cbf", "--out", str(out), "--list"]) == 0
    told = capsys.readouterr().out
    assert "to do      collect-rb-expert-" in told
    assert "evaluate-cbf-dd-expert-4-s0-" in told
    assert "evaluate-rb-" not in told
    assert not out.exists()


def test_a_report_of_a_part_says_what_is_missing(finished, tmp_path, capsys):
    assert report(["--out", str(finished), "--to", str(tmp_path)]) == 0
    assert "results are missing." in capsys.readouterr().out
    page = (tmp_path / "report.md").read_text()
    assert "Not complete:" in page
    assert "Resource blocks: not known yet, results are missing." in page
    assert "| MA-BC | local | 4 expert | 1 |" in page


@pytest.mark.long
def test_the_whole_smoke_preset_runs_and_reports(tmp_path, capsys):
    out = tmp_path / "smoke"
    assert main(["--preset", "smoke", "--out", str(out)]) == 0
    assert report(["--out", str(out)]) == 0
    assert "missing" not in capsys.readouterr().out
    names = {path.name for path in (out / "report").iterdir()}
    assert {"index.html", "report.md", "scores.csv", "curves.png", "amounts.png"} <= names
