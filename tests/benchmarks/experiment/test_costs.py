"""What the experiment costs on a GPU: counts, measured figures before estimates, the plan."""

import dataclasses
import math
import re
import shlex
import warnings

import pytest
import torch

from benchmarks import run
from benchmarks.experiment.costs import plan, rates
from benchmarks.experiment.costs.jobs import job_seconds
from benchmarks.experiment.costs.operations import Machine, Operations, count_operations
from benchmarks.experiment.costs.plan import PIECE_MINUTES, plan_lines, stages_of
from benchmarks.experiment.costs.rates import Rates, Seconds
from benchmarks.experiment.jobs.graph import build
from benchmarks.experiment.jobs.job import with_inputs
from benchmarks.experiment.presets import PRESETS
from benchmarks.run import main
from benchmarks.speed.pieces.planning import no_fallback
from networld_agent import collect

PAPER = PRESETS["paper"]
COLLECTING = {
    f"{task}, {tier}, 1 processes": {"figures": {"env_steps_per_s": speed}}
    for task, speed in {"rb-v0": 100_000.0, "cbf-v0": 5_000.0, "slicing-v0": 200.0}.items()
    for tier in ("expert", "mixed")
}


def documents(**pieces):
    """Files of pieces: figures by row, by name."""
    rows = {
        name.replace("_", "-"): {row: {"figures": figures} for row, figures in found.items()}
        for name, found in pieces.items()
    }
    rows["collecting"] = COLLECTING
    return {name: {"card": "a card", "rows": found} for name, found in rows.items()}


@pytest.fixture
def counted(monkeypatch):
    """Counting real networks takes half a minute."""
    for name, flops in [("training", 1e9), ("plan", 1e6), ("update", 1e9), ("decision", 1e6)]:
        work = Operations(flops, 100)
        monkeypatch.setattr(rates, f"_{name}_operations", lambda *_, work=work: work)


@pytest.fixture
def paper_jobs():
    return with_inputs(entry.job for entry in build(PAPER, ["rb"], seeds=1))


def job_of(jobs, kind, start=""):
    return next(job for job in jobs if job.kind == kind and job.name.startswith(start))


# ------------------------------------------------------------------------------ counts
def test_products_are_counted_and_views_are_not_calls():
    a, b = torch.ones(3, 4), torch.ones(4, 5)
    assert count_operations(lambda: (a @ b).t()[0]) == Operations(2 * 3 * 4 * 5, 1)


def test_a_machine_is_bound_by_products_or_by_calls():
    machine = Machine(flops_per_s=1e9, call_s=1e-3)
    assert machine.seconds(Operations(2e9, 1)) == 2.0
    assert machine.seconds(Operations(1.0, 5)) == 5e-3


def test_real_networks_can_be_counted():
    small, large = rates._training_operations("smoke"), rates._training_operations("demo")
    assert 0 < small.flops < large.flops
    assert rates._plan_operations("smoke").calls > 50
    assert rates._update_operations("bc", "rb-v0").calls < 60
    deciding = rates._decision_operations("bc", "rb-v0")
    # Two hidden layers of 256 on 4 entries, 11 choices: a multiplication and an addition each.
    assert deciding.flops == 2 * (4 * 256 + 256 * 256 + 256 * 11)


# ------------------------------------------------------------------------------- rates
def test_what_is_measured_goes_before_what_is_estimated(counted):
    measured = Rates(
        documents(
            training_paper={"graph bf16": {"steps_per_s": 200.0}},
            baselines={"bc, rb-v0, cuda": {"updates_per_s": 1_000.0}},
        )
    )
    assert measured.training_step("paper") == Seconds(0.005, True)
    assert measured.update("bc", "rb-v0") == Seconds(0.001, True)
    assert not measured.update("bc", "cbf-v0").measured
    assert not Rates(documents()).training_step("paper").measured


def test_a_skipped_row_is_no_measurement(counted):
    skipped = documents(training_paper={"graph bf16": {"skipped": "no CUDA"}})
    assert not Rates(skipped).training_step("paper").measured


def test_decisions_are_interpolated_between_measured_sizes(counted):
    piece = {
        f"{agents} agents, 3 steps, {how}": {"median_ms": ms}
        for agents, how, ms in [(19, "graph", 1.0), (119, "graph", 3.0), (19, "eager", 9.0)]
    }
    found = Rates(documents(planning_paper=piece))
    assert found.plan("paper", 69) == Seconds(pytest.approx(0.002), True)
    assert found.plan("paper", 5) == Seconds(0.001, True)
    assert found.plan("paper", 238) == Seconds(pytest.approx(0.006), True)


def test_without_collecting_there_is_no_plan():
    with pytest.raises(ValueError, match="--pieces collecting first"):
        Rates({}).environment_step("rb-v0")


# -------------------------------------------------------------------------------- jobs
def test_jobs_cost_what_they_consist_of(counted, paper_jobs):
    figures = Rates(documents(training_paper={"graph bf16": {"steps_per_s": 100.0}}))
    data = job_of(paper_jobs, "collect", "collect-slicing-expert")
    assert job_seconds(data, figures) == Seconds(pytest.approx(300 * 5_000 / 200), True)
    pretraining = job_seconds(job_of(paper_jobs, "pretrain"), figures)
    assert pretraining.value == pytest.approx(100_000 / 100 + 8)
    assert not pretraining.measured
    adapting = job_seconds(job_of(paper_jobs, "adapt"), figures)
    assert 10_000 / 100 + 8 < adapting.value < 10_000 / 100 + 120


def test_an_expert_costs_its_steps_alone(counted, paper_jobs):
    expert = job_of(paper_jobs, "evaluate", "evaluate-rb-expert")
    # 20 episodes of 1,000 steps, and five before them.
    assert job_seconds(expert, Rates(documents())) == Seconds(pytest.approx(20 * 1_005 / 1e5), True)


def test_larger_networks_cost_more(counted, paper_jobs):
    small = job_of(paper_jobs, "evaluate", "evaluate-rb-bc-expert-300-s0")
    large = next(job for job in paper_jobs if job.name == f"{small.name}-16-nodes")
    costs = [job_seconds(job, Rates(documents())).value for job in (small, large)]
    assert costs[1] > costs[0]


# -------------------------------------------------------------------------------- plan
def test_stages_begin_with_cheap_data_and_end_with_everything():
    stages = stages_of(PAPER)
    assert stages[0].parts[0] == {
        "tasks": ["rb", "cbf"], "seeds": 1, "methods": ["networld"],
        "tiers": ["expert"], "amounts": ["10"],
    }  # fmt: skip
    assert stages[-1].parts == ({},)


def test_every_job_is_in_one_stage(counted, tmp_path):
    lines = plan_lines(PAPER, documents(), tmp_path)
    staged = [int(n) for n in re.findall(r"^\| \d+\. [^|]+ \| (\d+) ", "\n".join(lines), re.M)]
    jobs = with_inputs(entry.job for entry in build(PAPER))
    assert sum(staged) == sum(job.kind != "collect" for job in jobs)
    assert min(staged) > 0


def test_pieces_hold_the_hours_of_their_stage(counted, tmp_path):
    lines = plan_lines(PAPER, documents(), tmp_path)
    for line in lines:
        if found := re.match(r"\| \d+\. .* \| ([\d.]+) \| (\d+) \|$", line):
            hours, pieces = float(found[1]), int(found[2])
            assert pieces >= math.floor((hours - 0.05) * 60 / PIECE_MINUTES)


def test_commands_of_the_plan_are_commands(counted, tmp_path, capsys):
    lines = plan_lines(PAPER, documents(), tmp_path / "out")
    commands = [shlex.split(line) for line in lines if line.startswith("python -m benchmarks.run")]
    assert len(commands) >= len(stages_of(PAPER))
    for words in commands:
        assert words[-4:] == ["--jobs", "1", "--minutes", "9"]
        assert main([*words[3:], "--list"]) == 0
    assert "of 2126 jobs are done" in capsys.readouterr().out


def test_estimates_are_marked(counted, tmp_path):
    lines = plan_lines(PAPER, documents(), tmp_path)
    assert any(line.startswith("| collect | slicing-v0, expert") and "measured" in line
               for line in lines)  # fmt: skip
    assert any(line.startswith("| pretrain") and "estimated" in line for line in lines)


def test_long_evaluations_are_named(counted, tmp_path, monkeypatch):
    assert not any("without --minutes" in line for line in plan_lines(PAPER, documents(), tmp_path))
    monkeypatch.setattr(plan, "PIECE_MINUTES", 2.0)
    (line,) = [
        line for line in plan_lines(PAPER, documents(), tmp_path) if "without --minutes" in line
    ]
    assert "slicing" in line


def test_data_that_was_collected_beforehand_is_taken(tmp_path):
    out = tmp_path / "out"
    protocol = dataclasses.replace(PRESETS["smoke"], baseline_options={})
    jobs = with_inputs(entry.job for entry in build(protocol, ["rb"], ["bc"]))
    job = job_of(jobs, "collect")
    command = shlex.split(plan._collect_command(job, out))
    assert collect.main(command[3:]) == 0
    data = out / "jobs" / job.folder / "data" / "rewards.npy"
    before = data.stat().st_mtime_ns
    done = run.run_protocol(protocol, out, tasks=["rb"], methods=["random"])
    assert not done.failed
    from benchmarks.experiment.jobs.execute import main as execute
    from benchmarks.experiment.jobs.store import Store

    store = Store(out)
    store.prepare(job)
    assert execute([str(store.folder(job))]) == 0
    assert store.result(job)["result"]["mean_reward"] < 0
    assert data.stat().st_mtime_ns == before


# --------------------------------------------------------------------------- bad input
def test_the_plan_is_for_the_preset_of_a_gpu(capsys):
    assert main(["--preset", "demo", "--plan"]) == 2
    assert capsys.readouterr().err == (
        "error: --plan is for --preset paper: the others are for CPUs.\n"
    )


def test_a_folder_without_measurements_is_one_sentence(tmp_path, capsys):
    assert main(["--preset", "paper", "--plan", str(tmp_path)]) == 2
    assert "holds no measurements" in capsys.readouterr().err


def test_the_command_prints_the_plan(counted, capsys):
    assert main(["--preset", "paper", "--plan"]) == 0
    assert "| all | | 2126 |" in capsys.readouterr().out


def test_a_decision_that_is_not_captured_is_an_error():
    with pytest.raises(RuntimeWarning), no_fallback():
        warnings.warn("could not be captured as a CUDA graph", RuntimeWarning, stacklevel=1)
