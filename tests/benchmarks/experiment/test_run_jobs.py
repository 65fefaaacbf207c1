"""Keys, results on disk, and the scheduler, apart from any training."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.baselines.registry import BASELINES, CENTRAL
from benchmarks.experiment.jobs import sources
from benchmarks.experiment.jobs.job import Job, with_inputs
from benchmarks.experiment.jobs.outputs import list_outputs, output_fault
from benchmarks.experiment.jobs.overview import Durations, overview_lines
from benchmarks.experiment.jobs.pools import LocalPool, preloaded
from benchmarks.experiment.jobs.scheduler import (
    Scheduler,
    drop_damaged,
    finished_jobs,
    sentence_of,
)
from benchmarks.experiment.jobs.sources import ROOT, fingerprint, source_files
from benchmarks.experiment.jobs.store import (
    RESULT_FILE,
    ResultError,
    Store,
    open_log,
    write_document,
)
from benchmarks.imports import PACKAGES, module_files
from wirelessenvs.locks import locked
from wirelessenvs.tasks import TASKS


def job(name="collect-rb-expert", kind="collect", inputs=None, **settings):
    return Job(kind, name, settings, inputs or {})


def finish(store, done, **result):
    folder = store.prepare(done)
    document = json.loads((folder / "job.json").read_text())
    del document["sha256"]
    usage = {"wall_seconds": 2.0, "cpu_seconds": 1.0, "peak_memory_mb": 1.0, "attempts": 1}
    document |= {"result": result, "usage": usage, "machine": ["here"]}
    write_document(folder / RESULT_FILE, document)


# ------------------------------------------------------------------------------ keys
def test_equal_settings_give_equal_keys():
    assert job(seed=1, steps=2).key == job(steps=2, seed=1).key


def test_a_key_changes_with_each_setting():
    assert len({job(steps=n).key for n in (1, 2, 3)}) == 3
    assert job(steps=1).key != job(kind="pretrain", steps=1).key


def test_a_key_changes_with_the_keys_of_the_inputs():
    one = job(kind="fit", inputs={"data": job(steps=1)}, method="bc")
    two = job(kind="fit", inputs={"data": job(steps=2)}, method="bc")
    assert one.key != two.key


@pytest.fixture
def checkout(tmp_path):
    """A copy of the source code that may be edited."""
    for name in ("wirelessenvs", "networld_agent", "benchmarks"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "results")
        )
    yield tmp_path
    sources.forget()


def after(checkout, path, text):
    """Fingerprints of some kinds of jobs after a change of a file."""
    target = checkout / path
    target.write_text(target.read_text() + text)
    return prints(checkout)


def prints(checkout):
    sources.forget()
    kinds = [
        ("collect", None), ("pretrain", None), ("adapt", None), ("fit", "bc"), ("fit", "cql"),
        ("evaluate", None), ("evaluate", "networld"), ("evaluate", "bc"), ("evaluate", "cql"),
        ("curve", "networld"), ("fit", "dima"), ("evaluate", "dima"), ("fit", "dd"),
        ("evaluate", "dd"),
    ]  # fmt: skip
    return {kind: fingerprint(*kind, root=checkout) for kind in kinds}


def changed(before, now):
    return {kind for kind in before if before[kind] != now[kind]}


def test_words_redo_nothing(checkout):
    before = prints(checkout)
    path = checkout / "networld_agent/training/trainer.py"
    path.write_text(
        "# A comment.\n" + path.read_text().replace('"""The training loop."""', '"""X"""')
    )
    (checkout / "README.md").write_text("new words")
    assert not changed(before, prints(checkout))


def test_a_change_of_the_trainer_redoes_what_it_trains(checkout):
    before = prints(checkout)
    now = after(checkout, "networld_agent/training/trainer.py", "\nX = 1\n")
    assert changed(before, now) == {("pretrain", None), ("adapt", None)}


def test_a_change_of_the_planner_does_not_train_anew_what_is_only_played(checkout):
    before = prints(checkout)
    now = after(checkout, "networld_agent/planning/planner.py", "\nX = 1\n")
    # Adaptation tunes the guidance scale by playing.
    assert changed(before, now) == {
        ("adapt", None), ("evaluate", "networld"), ("curve", "networld"),
    }  # fmt: skip


def test_a_change_of_the_tuning_leaves_baselines(checkout):
    before = prints(checkout)
    now = after(checkout, "networld_agent/evaluation/tuning.py", "\nX = 1\n")
    assert changed(before, now) == {("adapt", None)}


def test_a_change_of_one_baseline_leaves_the_others(checkout):
    before = prints(checkout)
    now = after(checkout, "benchmarks/baselines/cql/method.py", "\nX = 1\n")
    assert changed(before, now) == {("fit", "cql"), ("evaluate", "cql")}


@pytest.mark.parametrize("part", ["dima/denoiser.py", "dima/memory.py", "mappo/ppo.py"])
def test_a_change_of_dima_redoes_dima_alone(checkout, part):
    before = prints(checkout)
    now = after(checkout, f"benchmarks/baselines/{part}", "\nX = 1\n")
    assert changed(before, now) == {("fit", "dima"), ("evaluate", "dima")}


@pytest.mark.parametrize(
    ("part", "others"),
    [
        ("model/temporal_unet.py", {("pretrain", None)}),
        ("model/norm_mish_kernels.py", {("pretrain", None)}),
        ("planning/samplers.py", set()),
    ],
)
def test_a_change_of_the_network_or_its_sampler_redoes_the_diffuser_too(checkout, part, others):
    before = prints(checkout)
    now = after(checkout, f"networld_agent/{part}", "\nX = 1\n")
    played = {("fit", "dd"), ("evaluate", "dd")}
    ours = {("adapt", None), ("evaluate", "networld"), ("curve", "networld")}
    assert changed(before, now) == played | ours | others


def test_a_change_of_symlog_redoes_all_that_learns(checkout):
    before = prints(checkout)
    now = after(checkout, "networld_agent/model/symlog.py", "\nX = 1\n")
    assert set(before) - changed(before, now) == {("collect", None), ("evaluate", None)}


@pytest.mark.parametrize("kind", ["fit", "evaluate"])
@pytest.mark.parametrize("method", [*BASELINES, *CENTRAL])
def test_what_a_baseline_is_made_of_counts(kind, method):
    """Every class and function that Python finds in its modules comes from a file that counts."""
    counted = {module_name(file) for file in source_files(kind, method)}
    counted |= {module_name(file) for file in sources._SHOWN_ONLY}
    for name in (name for name in counted if name.startswith("benchmarks.baselines.")):
        values = vars(importlib.import_module(name)).values()
        used = {str(getattr(value, "__module__", "")) for value in values}
        assert {module for module in used if module.startswith(PACKAGES)} <= counted


@pytest.mark.parametrize("kind", ["pretrain", "adapt", "evaluate"])
def test_what_networld_trains_and_plans_with_counts(kind):
    counted = set(source_files(kind, "networld"))
    assert "networld_agent/model/temporal_unet.py" in counted
    assert ("networld_agent/training/trainer.py" in counted) == (kind != "evaluate")
    assert ("networld_agent/planning/planner.py" in counted) == (kind != "pretrain")
    assert ("networld_agent/evaluation/tuning.py" in counted) == (kind == "adapt")


def module_name(file):
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def test_a_method_whose_code_is_not_known_is_refused():
    with pytest.raises(ValueError, match="no code is known of the method 'ppo'"):
        source_files("fit", "ppo")


def test_a_job_is_forked_with_all_that_it_runs():
    names = preloaded()
    for module in (
        "benchmarks.baselines.cql.box", "benchmarks.baselines.dd.network",
        "benchmarks.baselines.dima.offline", "networld_agent.planning.planner",
        "wirelessenvs.slicing.simulator", "wirelessenvs.cbf.simulator",
    ):  # fmt: skip
        assert module in names


def test_a_change_of_dima_online_redoes_nothing(checkout):
    before = prints(checkout)
    assert not changed(before, after(checkout, "benchmarks/baselines/dima/online.py", "\nX = 1\n"))


def test_a_change_of_a_simulator_redoes_all_but_pretraining_by_itself(checkout):
    before = prints(checkout)
    now = after(checkout, "wirelessenvs/rb/simulator.py", "\nX = 1\n")
    # Pre-training reads data, whose own key has changed.
    assert set(before) - changed(before, now) == {("pretrain", None)}


def test_drawing_code_counts_for_nothing():
    names = set(source_files("collect"))
    assert "wirelessenvs/rb/simulator.py" in names
    assert "wirelessenvs/slicing/models/paper.npz" in names
    assert not names & {"wirelessenvs/rendering.py", "wirelessenvs/rb/rendering.py"}


def test_a_baseline_counts_what_it_imports():
    names = {path.name for path in source_files("fit", "bc").values()}
    assert {"bc.py", "training_loop.py", "action_codec.py"} <= names
    assert "box.py" not in names


def test_what_is_only_shown_is_there():
    assert all((ROOT / name).is_file() for name in sources._SHOWN_ONLY)


def test_a_change_of_one_task_leaves_the_jobs_of_the_others(checkout):
    def of_tasks():
        sources.forget()
        return {env: fingerprint("fit", "bc", env, checkout) for env in TASKS}

    before = of_tasks()
    path = checkout / "wirelessenvs/rb/simulator.py"
    path.write_text(path.read_text() + "\nX = 1\n")
    assert changed(before, of_tasks()) == {"rb-v0"}


def test_imports_are_followed_wherever_they_stand(tmp_path):
    files = {
        "one": "def work():\n    from theirs import two\ndef idle():\n    import theirs.four\n",
        "two": "from . import three\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import theirs.four\n",
        "three": "",
        "four": "",
    }
    (tmp_path / "theirs").mkdir()
    for name, text in files.items():
        (tmp_path / "theirs" / f"{name}.py").write_text(text)
    places = {"theirs": tmp_path}
    found = module_files(["theirs.one:work"], places=places)
    assert list(found) == ["theirs/one.py", "theirs/three.py", "theirs/two.py"]
    assert "theirs/four.py" in module_files(["theirs.one"], places=places)


# --------------------------------------------------------------------------- results
def test_a_result_is_read_back(tmp_path):
    store, done = Store(tmp_path), job(steps=1)
    assert store.result(done) is None
    finish(store, done, rewards=[1.0, 2.5], bytes_per_step=float("nan"))
    assert store.result(done)["result"] == {"rewards": [1.0, 2.5], "bytes_per_step": None}


@pytest.mark.parametrize("fault", ["cut", "changed", "empty", "other"])
def test_a_damaged_result_is_named_and_counts_as_not_done(tmp_path, capsys, fault):
    store, done, fine = Store(tmp_path), job(steps=1), job(steps=2)
    finish(store, done, reward=1.0)
    finish(store, fine, reward=1.0)
    path = store.folder(done) / RESULT_FILE
    text = path.read_text()
    other = (store.folder(fine) / RESULT_FILE).read_text()
    texts = {
        "cut": text[: len(text) // 2], "changed": text.replace("1.0", "9.0"), "empty": "",
        "other": other,
    }  # fmt: skip
    path.write_text(texts[fault])
    with pytest.raises(ResultError, match=RESULT_FILE):
        store.result(done)
    assert list(finished_jobs(store, [done, fine])) == [fine.folder]
    assert str(path) in capsys.readouterr().err


def leave(store, done, **files):
    """Finishes a job that leaves files for others."""
    folder = store.prepare(done)
    for name, text in files.items():
        (folder / "data").mkdir(exist_ok=True)
        (folder / "data" / name).write_text(text)
    finish(store, done)
    path = folder / RESULT_FILE
    document = json.loads(path.read_text())
    del document["sha256"]
    write_document(path, {**document, "outputs": list_outputs(folder)})
    return folder


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("missing", "one: the file is missing."),
        ("cut", "one: has 1 bytes instead of 3."),
        ("changed", "one: does not fit its checksum"),
    ],
)
def test_a_job_whose_files_have_changed_is_named_and_done_anew(tmp_path, capsys, fault, sentence):
    store, data, fine = Store(tmp_path), job(steps=1), job(steps=2)
    folder = leave(store, data, one="abc", two="def")
    leave(store, fine, one="abc")
    reader = job("fit-rb-bc", "fit", {"data": data, "more": fine}, method="bc")
    jobs = with_inputs([reader])
    path = folder / "data" / "one"
    if fault == "missing":
        path.unlink()
    else:
        path.write_text({"cut": "a", "changed": "abd"}[fault])
    done = finished_jobs(store, jobs)
    drop_damaged(store, jobs, done)
    assert list(done) == [fine.folder]
    error = capsys.readouterr().err
    assert sentence in error
    assert f"{data.name} is done anew." in error
    assert not (folder / "data").exists()
    # What nobody is going to read is not looked at.
    finish(store, reader)
    done = finished_jobs(store, jobs) | {data.folder: 1.0}
    drop_damaged(store, jobs, done)
    assert data.folder in done


def test_what_only_the_job_itself_reads_is_no_output(tmp_path):
    for name in ("data/a", "run/policy/p.json", "run/checkpoint.json", "run/metrics.jsonl", "log"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    listed = list_outputs(tmp_path)
    assert list(listed) == ["data/a", "run/policy/p.json"]
    assert output_fault(tmp_path, listed) is None


def test_a_pipe_in_place_of_a_log_gives_way(tmp_path):
    """Opening it would wait for ever for somebody at its other end."""
    os.mkfifo(tmp_path / "log.txt")
    signal.alarm(60)  # ends the test's process rather than to hang for ever
    try:
        assert sentence_of(tmp_path / "log.txt") is None
        with open_log(tmp_path) as log:
            log.write(b"error: one sentence\n")
    finally:
        signal.alarm(0)
    with open_log(tmp_path) as log:
        log.write(b"error: another\n")
    assert sentence_of(tmp_path / "log.txt") == "another"
    assert (tmp_path / "log.txt").read_text().count("\n") == 2


def test_a_lock_is_held_once(tmp_path):
    with locked(tmp_path / ".lock") as first, locked(tmp_path / ".lock") as second:
        assert (first, second) == (True, False)
    with locked(tmp_path / ".lock") as again:
        assert again


# ------------------------------------------------------------------------- scheduler
class Hands:
    """A pool whose jobs end when the scheduler looks: it finishes or fails them by hand."""

    def __init__(self, store, failing=()):
        self.store, self.failing = store, failing
        self.started, self.most, self._running = [], 0, []
        self.by_folder = {}

    def start(self, folder):
        self.started.append(self.by_folder[folder].name)
        self._running.append(folder)
        self.most = max(self.most, len(self._running))

    def finished(self):
        ended, self._running = self._running, []
        found = []
        for folder in ended:
            done = self.by_folder[folder]
            if done.name in self.failing:
                (self.store.folder(done) / "log.txt").write_text("first line\nlast words\n")
                found.append((folder, 2))
            else:
                finish(self.store, done)
                found.append((folder, 0))
        return found

    def stop(self, kill=False):
        pass


def chain():
    """Two tasks: data, a model of it, two scores of the model."""
    found = []
    for task in ("rb", "cbf"):
        data = job(f"collect-{task}", task=task)
        model = job(f"fit-{task}", "fit", {"data": data}, task=task, method="bc")
        found += [
            job(f"evaluate-{task}-{i}", "evaluate", {"policy": model}, i=i, method="bc")
            for i in range(2)
        ]
    return with_inputs(found)


def run_by_hand(tmp_path, jobs, workers=2, failing=(), done=None, stop=lambda: 0):
    store = Store(tmp_path)
    pool = Hands(store, failing)
    pool.by_folder = {j.folder: j for j in jobs}
    return pool, Scheduler(store, pool, workers).run(jobs, done or {}, stop)


def test_everything_runs_once_and_after_what_it_needs(tmp_path):
    jobs = chain()
    pool, outcome = run_by_hand(tmp_path, jobs)
    assert sorted(pool.started) == sorted(j.name for j in jobs)
    for j in jobs:
        for needed in j.inputs.values():
            assert pool.started.index(needed.name) < pool.started.index(j.name)
    assert len(outcome.finished) == len(jobs)
    assert pool.most == 2


def test_a_failed_job_is_reported_with_its_last_words_and_the_others_go_on(tmp_path, capsys):
    jobs = chain()
    pool, outcome = run_by_hand(tmp_path, jobs, failing=("fit-rb",))
    assert [j.name for j in outcome.failed] == ["fit-rb"]
    assert {j.name for j in outcome.skipped} == {"evaluate-rb-0", "evaluate-rb-1"}
    assert {"evaluate-cbf-0", "evaluate-cbf-1"} <= set(pool.started)
    error = capsys.readouterr().err
    assert "fit-rb: failed (exit status 2)" in error
    assert "last words" in error


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ("training\nerror: the data is damaged.\n", "the data is damaged."),
        ("error: of an earlier attempt.\nstopped\n", None),
        ("", None),
        (None, None),
    ],
)
def test_the_sentence_of_an_error_is_the_end_of_the_log(tmp_path, log, sentence):
    if log is not None:
        (tmp_path / "log.txt").write_text(log)
    assert sentence_of(tmp_path / "log.txt") == sentence


def test_what_is_done_is_not_started(tmp_path):
    jobs = chain()
    store = Store(tmp_path)
    for j in jobs[:2]:
        finish(store, j)
    pool, _ = run_by_hand(tmp_path, jobs, done=finished_jobs(store, jobs))
    assert sorted(pool.started) == sorted(j.name for j in jobs[2:])


def test_nothing_starts_after_a_request_to_stop(tmp_path):
    pool, outcome = run_by_hand(tmp_path, chain(), stop=lambda: 1)
    assert pool.started == []
    assert outcome.stopped


def test_a_job_without_a_result_has_failed(tmp_path):
    class Silent(Hands):
        def finished(self):
            ended, self._running = self._running, []
            return [(folder, 0) for folder in ended]

    jobs = [job("collect-rb")]
    pool = Silent(Store(tmp_path))
    pool.by_folder = {jobs[0].folder: jobs[0]}
    outcome = Scheduler(Store(tmp_path), pool, 1).run(jobs, {}, lambda: 0)
    assert outcome.failed == jobs


# -------------------------------------------------------------------------- overview
def test_time_left_is_guessed_from_the_most_alike():
    durations = Durations()
    durations.note(job("fit-rb-cql", "fit", method="cql"), 100.0)
    durations.note(job("fit-rb-bc", "fit", method="bc"), 10.0)
    durations.note(job("fit-cbf-bc", "fit", method="bc"), 30.0)
    assert durations.guess(job("fit-rb-bc-2", "fit", method="bc", seed=1)) == 10.0
    assert durations.guess(job("fit-slicing-bc", "fit", method="bc")) == 20.0
    assert durations.guess(job("collect-rb")) is None
    waiting = [job("fit-rb-bc", "fit", method="bc"), job("fit-rb-cql", "fit", method="cql")]
    assert durations.left(waiting, 2) == 55.0


def test_the_overview_counts_by_kind():
    jobs = chain()
    lines = overview_lines(jobs, {jobs[0].folder: 5.0}, 90.0, 2)
    assert "| collect | 1 | 1 | 5 |" in lines
    assert "| evaluate | 0 | 4 | 0 |" in lines
    assert lines[-1].strip() == "7 to do, 2 at a time: about 1 min 30 s."


def test_a_job_of_a_folder_that_is_none_is_told_in_one_sentence(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    (tmp_path / "nothing").mkdir()
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.experiment.jobs.execute", "nothing"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert told.returncode == 2
    assert told.stderr == "error: nothing/job.json: the file is missing: nothing is no job.\n"


def test_code_that_has_changed_since_the_run_began_is_not_run(tmp_path):
    store, planned = Store(tmp_path), job(env="rb-v0")
    folder = store.prepare(planned)
    document = json.loads((folder / "job.json").read_text())
    del document["sha256"]
    write_document(folder / "job.json", {**document, "source": "another"})
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.experiment.jobs.execute", folder.name], cwd=store.jobs,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert told.returncode == 2
    assert "the code has changed since the run began: start the run again." in told.stderr
    assert not (folder / "data").exists()


def test_a_pool_leaves_the_environment_of_its_process_alone(tmp_path, monkeypatch):
    """What is set for jobs, as that nothing is imported from where they run, is not for us."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    before = dict(os.environ)
    pool = LocalPool(tmp_path)
    pool.start("no such job")
    assert dict(os.environ) == before
    while not (ended := pool.finished()):
        time.sleep(0.05)
    assert ended[0][0] == "no such job"
