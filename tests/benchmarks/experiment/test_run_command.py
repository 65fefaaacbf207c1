"""The command with real jobs: smoke runs, damage, wrong names."""

import dataclasses
import json
import shutil

import pytest
from experiment_cases import PART, assert_same_weights, fit_folder, run_again, run_part, weights

from benchmarks import run
from benchmarks.experiment.jobs.graph import build
from benchmarks.experiment.jobs.job import with_inputs
from benchmarks.experiment.jobs.store import RESULT_FILE, Store
from benchmarks.report import main as report
from benchmarks.run import FailedJobsError, main, run_protocol
from wirelessenvs.locks import locked


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with all jobs of one baseline in one task, for tests that only read it."""
    out = tmp_path_factory.mktemp("runs") / "smoke"
    run_part(out)
    return out


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def jobs_of():
    return with_inputs(entry.job for entry in build(PART, ["rb"], ["bc"]))


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
        for entry in build(PART, ["rb"], ["bc"])
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
    names, told = run_again(finished, capsys)
    assert names == []
    assert "all done." in told.out


def test_a_damaged_result_is_named_and_only_that_job_is_done_anew(copy, capsys):
    job = next(job for job in jobs_of() if job.name == "evaluate-rb-random")
    path = copy / "jobs" / job.folder / RESULT_FILE
    before = json.loads(path.read_text())["result"]["rewards"]
    path.write_text(path.read_text()[:-40])
    names, told = run_again(copy, capsys)
    assert names == [job.name]
    assert str(path) in told.err
    assert json.loads(path.read_text())["result"]["rewards"] == before


def test_a_missing_result_of_training_costs_no_training(copy, capsys):
    before = weights(copy)
    (fit_folder(copy) / RESULT_FILE).unlink()
    names, _ = run_again(copy, capsys)
    assert names == [next(job.name for job in jobs_of() if job.kind == "fit")]
    assert_same_weights(weights(copy), before)


@pytest.mark.parametrize("kind", ["collect", "fit"])
@pytest.mark.parametrize("fault", ["missing", "changed"])
def test_a_damaged_input_is_named_and_only_its_job_is_done_anew(copy, capsys, kind, fault):
    before = weights(copy)
    made = next(job for job in jobs_of() if job.kind == kind)
    reader = next(job for job in jobs_of() if made in job.inputs.values())
    folder = copy / "jobs" / made.folder
    name = {"collect": "data/rewards.npy", "fit": "policy/policy.json"}[kind]
    path = folder / name
    if fault == "missing":
        shutil.rmtree(path.parent)
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    (copy / "jobs" / reader.folder / RESULT_FILE).unlink()
    names, told = run_again(copy, capsys)
    assert names == [made.name, reader.name]
    # A missing folder misses its first file.
    assert str(path if fault == "changed" else path.parent) in told.err
    assert f"{made.name} is done anew." in told.err
    assert_same_weights(weights(copy), before)


def test_what_nobody_will_read_any_more_is_whole_too(copy, capsys):
    before = weights(copy)
    (job,) = (job for job in jobs_of() if job.kind == "fit")
    (path,) = (fit_folder(copy) / "policy").glob("policy-*.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    run_part(copy, list_only=True)
    told = capsys.readouterr()
    assert f"damaged    {job.folder}" in told.out
    assert str(path) in told.err
    names, told = run_again(copy, capsys)
    assert names == [job.name]
    assert f"{path}: does not fit its checksum" in told.err
    assert_same_weights(weights(copy), before)


def test_a_finished_run_that_is_damaged_before_its_result_begins_anew(copy, capsys):
    before = weights(copy)
    (fit_folder(copy) / RESULT_FILE).unlink()
    (path,) = (fit_folder(copy) / "run" / "policy").glob("policy-*.safetensors")
    path.unlink()
    names, _ = run_again(copy, capsys)
    assert names == [next(job.name for job in jobs_of() if job.kind == "fit")]
    log = (fit_folder(copy) / "log.txt").read_text()
    assert f"{path.name}: the file is missing. The job begins anew." in log
    assert_same_weights(weights(copy), before)


@pytest.mark.parametrize("name", ["checkpoint.json", "checkpoint-*.safetensors", "config.json"])
def test_a_half_finished_job_that_is_damaged_begins_anew(copy, capsys, name):
    before = weights(copy)
    (fit_folder(copy) / RESULT_FILE).unlink()
    (path,) = (fit_folder(copy) / "run").glob(name)
    path.write_bytes(path.read_bytes()[:-9])
    names, _ = run_again(copy, capsys)
    assert names == [next(job.name for job in jobs_of() if job.kind == "fit")]
    log = (fit_folder(copy) / "log.txt").read_text()
    assert path.name in log
    assert "The job begins anew." in log
    assert_same_weights(weights(copy), before)


def test_a_half_finished_collection_that_is_damaged_begins_anew(copy, capsys):
    (made,) = (job for job in jobs_of() if job.kind == "collect")
    folder = copy / "jobs" / made.folder
    (folder / RESULT_FILE).unlink()
    (folder / "data").rename(folder / ".data.partial")
    (folder / ".data.partial" / "metadata.json").unlink()
    (folder / ".data.partial" / "description.json").write_text("{")
    names, _ = run_again(copy, capsys)
    assert names == [made.name]
    assert "The job begins anew." in (folder / "log.txt").read_text()


def test_other_settings_are_other_jobs_and_the_old_ones_stay(copy):
    outcome = run_part(copy, dataclasses.replace(PART, eval_steps=12, curve_steps=6))
    assert {job.kind for job in outcome.finished} == {"evaluate", "curve"}
    assert len(list((copy / "jobs").glob("evaluate-rb-random-*"))) == 2


def test_a_failed_job_says_the_sentence_of_its_error(copy, capsys):
    wrong = dataclasses.replace(PART, network_options=("precision=bf16",))
    with pytest.raises(FailedJobsError, match=r"^1 of \d+ jobs failed .*: pretrain-rb-networld-s0"):
        run_protocol(wrong, copy, tasks=["rb"], methods=["networld"], amounts=["2"])
    sentence = "precision bf16 needs a CUDA device; use fp32 on a CPU."
    (log,) = (copy / "jobs").glob("pretrain-rb-*/log.txt")
    assert log.read_text().splitlines()[-1] == f"error: {sentence}"
    assert capsys.readouterr().err.splitlines()[-1] == f"pretrain-rb-networld-s0: {sentence}"


# --------------------------------------------------------------------------- the command
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--preset", "huge"],
            "unknown preset 'huge'; there are smoke, demo, cpu, paper, decisive, decisive-smoke.",
        ),
        (["--tasks", "tv"], "unknown task 'tv'; there are rb, cbf, slicing."),
        (["--methods", "ppo"], "unknown method 'ppo'; there are networld, networld-scratch, bc,"),
        (["--tiers", "bad"], "unknown tier 'bad'; there are expert."),
        (["--amounts", "7"], "unknown amount '7'; there are "),
        (["--jobs", "0"], "--jobs must be at least 1, got 0."),
        (["--minutes", "0"], "--minutes must be greater than 0 and at most"),
        (
            ["--methods", "bc", "iql", "--amounts", "20 steps"],
            "nothing is trained on that: there is bc on expert 4, iql on expert 4.",
        ),
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


def test_a_run_that_was_killed_before_its_first_job_goes_on(tmp_path, capsys):
    (tmp_path / ".lock").touch()
    assert main(["--preset", "smoke", "--out", str(tmp_path), "--list"]) == 0
    assert "0 of " in capsys.readouterr().out


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


def test_more_seeds_than_the_preset_has_can_be_trained(tmp_path, capsys):
    part = ["--preset", "smoke", "--tasks", "rb", "--methods", "bc", "--list"]
    assert main([*part, "--out", str(tmp_path / "out"), "--seeds", "3"]) == 0
    listed = capsys.readouterr().out
    assert all(f"fit-rb-bc-expert-4-s{seed}-" in listed for seed in range(3))
    assert "fit-rb-bc-expert-4-s3-" not in listed


def test_a_run_stops_when_its_time_is_over_and_goes_on_later(tmp_path, capsys):
    part = ["--preset", "smoke", "--tasks", "rb", "--methods", "medium", "--jobs", "1"]
    out = ["--out", str(tmp_path / "out")]
    assert main([*part, *out, "--minutes", "0.001"]) == 130
    assert "stopped: repeat the same command to go on." in capsys.readouterr().err
    assert main([*part, *out]) == 0


def test_no_more_jobs_run_side_by_side_than_memory_is_there_for(monkeypatch):
    monkeypatch.setattr(run, "available_cores", lambda: 64)
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 4_000_000_000 // 4096}
    monkeypatch.setattr(run.os, "sysconf", pages.__getitem__)
    assert run._default_workers() == 3


def test_a_report_of_a_part_says_what_is_missing(finished, tmp_path, capsys):
    assert report(["--out", str(finished), "--to", str(tmp_path)]) == 0
    assert "results are missing." in capsys.readouterr().out
    page = (tmp_path / "report.md").read_text()
    assert "Not complete:" in page
    assert "Resource blocks: not known yet, results are missing." in page
    assert "| MA-BC | local | 4 expert | 1 |" in page


def test_the_whole_smoke_preset_runs_and_reports(tmp_path, capsys):
    out = tmp_path / "smoke"
    assert main(["--preset", "smoke", "--out", str(out)]) == 0
    assert report(["--out", str(out)]) == 0
    assert "missing" not in capsys.readouterr().out
    names = {path.name for path in (out / "report").iterdir()}
    assert {"index.html", "report.md", "scores.csv", "curves.png", "amounts.png"} <= names
