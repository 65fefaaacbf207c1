"""A full disk under training and reports: a sentence with the file, and nothing half-written."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from dataset_cases import small_dataset

from benchmarks.records import write_figures
from networld_agent import pretrain
from networld_agent.data import TrajectoryDataset
from networld_agent.data.inspection import plot
from networld_agent.documents import write_document, write_json, write_whole
from networld_agent.training.checkpoints import save_checkpoint
from networld_agent.training.log import RunLog
from wirelessenvs.faults import WriteError

ROOT = Path(__file__).parents[2]
LONG = {"numbers": list(range(5000))}
WRITERS = {
    "whole": lambda path: write_whole(path, bytes(5000)),
    "json": lambda path: write_json(path, LONG),
    "document": lambda path: write_document(path, LONG),
    "figures": lambda path: write_figures(path, ["command"], ["machine"], LONG),
    "picture": lambda path: plot(TrajectoryDataset.open(small_dataset()), path),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_whoever_writes_a_file_names_it(kind, tmp_path, files_of_at_most):
    path = tmp_path / "file.png"
    small_dataset()  # is made once, whoever needs it first
    with files_of_at_most(1000), pytest.raises(WriteError) as caught:
        WRITERS[kind](path)
    assert str(caught.value).startswith(f"cannot write {path}: File too large. Make room")
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(tmp_path, files_of_at_most):
    save_checkpoint(tmp_path, {"x": torch.zeros(10)}, {"step": 1})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with files_of_at_most(1000), pytest.raises(WriteError, match=r"checkpoint-\w+\.safetensors"):
        save_checkpoint(tmp_path, {"x": torch.zeros(1000)}, {"step": 2})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_log_of_a_run_names_itself_and_keeps_its_lines(tmp_path, files_of_at_most):
    log = RunLog(tmp_path)
    log(1, {"loss": 0.5})
    with files_of_at_most(40), pytest.raises(WriteError) as caught:
        log(2, {"loss": 0.25})
    assert str(caught.value).startswith(f"cannot write {tmp_path / 'metrics.jsonl'}: ")
    again = RunLog(tmp_path, first_step=1)
    again(2, {"loss": 0.25})
    again.close()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_tensorboard_names_its_folder(tmp_path, files_of_at_most):
    pytest.importorskip("tensorboard")
    log = RunLog(tmp_path, tensorboard=True)
    # Its files are written by a thread of its own.
    with files_of_at_most(20_000), pytest.raises(WriteError, match=str(tmp_path / "tensorboard")):
        log_much(log)


def log_much(log):
    for step in range(1, 2000):
        log(step, dict.fromkeys("abcdefgh", step / 7))
        time.sleep(0.002)


def test_training_on_a_full_disk_is_one_sentence_and_goes_on_with_room(tmp_path):
    command = ["--data", str(small_dataset()), "--preset", "smoke", "--steps", "2",
               "--set", "batch_size=8", "--out", str(tmp_path / "run")]  # fmt: skip
    code = (
        "import resource, sys; from networld_agent.pretrain import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000,) * 2)\n"
        f"sys.exit(main({command!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: cannot write {tmp_path / 'run'}/checkpoint-")
    assert last.endswith(": File too large. Make room and repeat the same command.")
    assert "Traceback" not in done.stderr
    assert not [path for path in (tmp_path / "run").rglob("*") if "partial" in path.name]
    assert pretrain.main(command) == 0
