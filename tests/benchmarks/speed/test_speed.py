"""The command that measures a device, at tiny sizes on a CPU: files, resumption, faults, tables."""

import json
import time

import pytest
import torch
from recorded_graphs import RecordedGraphs

from benchmarks.imports import module_files
from benchmarks.speed import __main__ as command
from benchmarks.speed import runner, worker
from benchmarks.speed.kernels import busy_figures
from benchmarks.speed.models import fresh_model
from benchmarks.speed.piece import NAMES, Row, Setting, choose_pieces
from benchmarks.speed.pieces import ceilings, training
from benchmarks.speed.plain_model import PlainWorldModel
from benchmarks.speed.record import Record, read_documents
from benchmarks.speed.tables import document_lines
from networld_agent import keyed_random

#: The card of these tests.
MACHINE = {
    "card": "none",
    "torch": "0",
    "machine": ["one core"],
    "git_revision": None,
}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """A process per piece takes seconds to start; `test_pieces_run_in_processes` has them."""

    def measure(piece, out, since, command):
        record = Record.open(out, piece, MACHINE, command)
        worker.measure(record, worker.to_do(record, piece.rows(), since))

    monkeypatch.setattr(command, "describe_machine", lambda device: MACHINE)
    monkeypatch.setattr(runner, "start_worker", measure)


def run(out, *words):
    return command.main(["--out", str(out), "--quick", "--device", "cpu", *words])


def document(out, name="ceilings"):
    return json.loads((out / f"{name}.json").read_text())


def fake(monkeypatch, works, seconds=0.1):
    """Ceilings whose rows are these calls by name."""
    rows = [Row(name, seconds, work) for name, work in works.items()]
    monkeypatch.setattr(ceilings, "rows", lambda setting: rows)


# ------------------------------------------------------------------------------- files
def test_a_file_says_what_was_measured_where_and_how(tmp_path):
    assert run(tmp_path / "out", "--pieces", "ceilings") == 0
    found = document(tmp_path / "out")
    assert found["card"] == "none"
    assert found["command"].endswith("--quick --device cpu --pieces ceilings")
    assert found["rows"].keys() == {"copy", "bf16", "tf32", "fp32"}
    assert all(row["figures"] and row["seconds"] > 0 for row in found["rows"].values())
    assert found["rows"]["copy"]["figures"]["gb_per_s"] > 0


def test_what_is_measured_is_not_measured_again(tmp_path, capsys):
    run(tmp_path, "--pieces", "ceilings")
    before = (tmp_path / "ceilings.json").read_bytes()
    assert run(tmp_path, "--pieces", "ceilings") == 0
    assert "ceilings: done already" in capsys.readouterr().err
    assert (tmp_path / "ceilings.json").read_bytes() == before


def test_another_card_source_or_setting_is_measured_anew(tmp_path):
    (piece,) = choose_pieces(["ceilings"], None, "cpu", True)
    (full,) = choose_pieces(["ceilings"], None, "cpu", False)
    record = Record.open(tmp_path, piece, MACHINE, "")
    record.put("copy", {"figures": {"gb_per_s": 1.0}})
    assert Record.open(tmp_path, piece, MACHINE, "").has("copy")
    assert not Record.open(tmp_path, piece, {**MACHINE, "card": "other"}, "").has("copy")
    assert not Record.open(tmp_path, full, MACHINE, "").has("copy")
    changed = document(tmp_path) | {"source": "0"}
    (tmp_path / "ceilings.json").write_text(json.dumps(changed))
    assert not Record.open(tmp_path, piece, MACHINE, "").has("copy")


def test_a_damaged_file_is_measured_anew(tmp_path):
    tmp_path.joinpath("ceilings.json").write_text('{"rows": ')
    assert run(tmp_path, "--pieces", "ceilings") == 0
    assert len(document(tmp_path)["rows"]) == 4


def test_sources_are_what_a_piece_imports_and_no_more():
    def names(module):
        files = module_files([f"benchmarks.speed.pieces.{module}"])
        return {path.name for path in files.values()}

    assert "planner.py" in names("planning")
    assert "planner.py" not in names("ceilings")
    assert "tables.py" not in names("planning")


# ------------------------------------------------------------------- stops and failures
def test_a_killed_run_goes_on_with_the_row_that_it_was_in(tmp_path, monkeypatch):
    calls = []

    def killed():
        calls.append("two")
        if len(calls) == 2:
            raise KeyboardInterrupt
        return {"gb_per_s": 1.0}

    fake(monkeypatch, {"one": lambda: calls.append("one") or {"tflops": 1.0}, "two": killed})
    assert run(tmp_path, "--pieces", "ceilings") == 130
    rows = document(tmp_path)["rows"]
    assert rows["one"]["figures"] == {"tflops": 1.0}
    assert "the process ended" in rows["two"]["error"]
    monkeypatch.setattr(command, "document_lines", lambda documents: [])
    assert run(tmp_path, "--pieces", "ceilings") == 0
    assert calls == ["one", "two", "two"]
    assert document(tmp_path)["rows"]["two"]["figures"] == {"gb_per_s": 1.0}


def test_a_failing_row_says_why_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    def fails():
        raise RuntimeError("the card is on fire.\nSecond line.")

    fake(monkeypatch, {"bf16": fails, "fp32": lambda: {"size": 1, "tflops": 1.0}})
    assert run(tmp_path, "--pieces", "ceilings", "parity") == 2
    told = capsys.readouterr()
    assert "1 measurements failed" in told.err
    assert "ceilings, bf16: RuntimeError: the card is on fire." in told.err
    assert "* ceilings, bf16: failed: RuntimeError: the card is on fire." in told.out
    rows = document(tmp_path)["rows"]
    assert rows["bf16"]["error"] == "RuntimeError: the card is on fire."
    assert rows["fp32"]["figures"]["tflops"] == 1.0
    assert document(tmp_path, "parity")["rows"]
    # What failed is tried again, and nothing else.
    fake(monkeypatch, {"bf16": lambda: {"size": 1, "tflops": 2.0}, "fp32": fails})
    assert run(tmp_path, "--pieces", "ceilings") == 0


def test_a_process_that_dies_before_its_first_row_is_a_failure(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "start_worker", lambda *_: None)
    assert run(tmp_path, "--pieces", "ceilings") == 2
    assert "its process did not start" in capsys.readouterr().err


def test_a_piece_that_would_not_end_in_time_is_not_begun(tmp_path, monkeypatch, capsys):
    fake(monkeypatch, {"copy": pytest.fail}, seconds=100.0)
    assert run(tmp_path, "--pieces", "ceilings", "--minutes", "1") == 130
    told = capsys.readouterr().err
    assert "ceilings: not begun: it takes 110 s" in told
    assert "left: ceilings" in told


def test_a_row_that_hangs_is_ended_by_its_process(tmp_path, monkeypatch):
    armed = []
    monkeypatch.setattr(
        worker.faulthandler, "dump_traceback_later", lambda limit, **how: armed.append((limit, how))
    )
    fake(monkeypatch, {"copy": lambda: {"gb_per_s": 1.0, "megabytes": 1}}, seconds=20.0)
    run(tmp_path, "--pieces", "ceilings")
    ((limit, how),) = armed
    assert limit == 120
    assert how["exit"]


def test_pieces_run_in_processes(tmp_path, monkeypatch):
    monkeypatch.undo()
    assert run(tmp_path, "--pieces", "ceilings") == 0
    found = document(tmp_path)
    assert len(found["rows"]) == 4
    assert found["card"] != "none"
    assert found["source"]


# -------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--pieces", "flops"], "--pieces must be one of"),
        (["--preset", "huge"], "--preset must be one of"),
        (["--minutes", "0"], "--minutes must be"),
        (["--threads", "-1"], "--threads must be"),
    ],
)
def test_bad_options_are_one_sentence(tmp_path, capsys, words, sentence):
    assert run(tmp_path / "out", *words) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_cuda_without_a_card_is_one_sentence(tmp_path, capsys, monkeypatch):
    def no_card(*_, **__):
        raise RuntimeError("no CUDA")

    monkeypatch.setattr("torch.zeros", no_card)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert command.main(["--out", str(tmp_path / "out"), "--device", "cuda"]) == 2
    assert capsys.readouterr().err == (
        "error: --device 'cuda' cannot be used on this machine: torch finds no GPU.\n"
    )
    assert not (tmp_path / "out").exists()


def test_comparisons_for_a_cpu_are_not_for_a_card():
    assert "dima" not in {piece.name for piece in choose_pieces(None, None, "cuda", False)}
    with pytest.raises(ValueError, match="--pieces dima is for --device cpu"):
        choose_pieces(["dima"], None, "cuda", False)


def test_a_file_is_no_folder(tmp_path, capsys):
    (tmp_path / "out").write_text("")
    assert run(tmp_path / "out") == 2
    assert "is a file: choose a folder" in capsys.readouterr().err


def test_an_empty_folder_has_no_table(tmp_path, capsys):
    assert command.main(["--out", str(tmp_path), "--table"]) == 2
    assert "holds no measurements" in capsys.readouterr().err


def test_a_damaged_file_is_told_and_the_others_are_shown(tmp_path, capsys):
    record = Record.open(tmp_path, choose_pieces(["ceilings"], None, "cpu", True)[0], MACHINE, "")
    record.put("fp32", {"figures": {"size": 1, "tflops": 1.0}})
    (tmp_path / "parity.json").write_text('{"rows": ')
    (tmp_path / "by-hand.json").write_text('{"rows": {}}')
    assert command.main(["--out", str(tmp_path), "--table"]) == 0
    told = capsys.readouterr()
    assert "| fp32 | 1 | 1 |" in told.out
    assert told.err == (
        f"{tmp_path / 'parity.json'} cannot be read: its measurements are left out.\n"
    )


@pytest.mark.parametrize("figure", ["92.0", "NaN", "1e999"])
def test_a_changed_figure_is_told(figure, tmp_path, capsys):
    piece = choose_pieces(["ceilings"], None, "cpu", True)[0]
    record = Record.open(tmp_path, piece, MACHINE, "")
    record.put("fp32", {"figures": {"size": 1, "tflops": 12.0}})
    record.path.write_text(record.path.read_text().replace("12.0", figure))
    with pytest.raises(ValueError, match="holds no measurements"):
        read_documents(tmp_path)
    assert capsys.readouterr().err == (
        f"{record.path} does not fit its checksum: its measurements are left out.\n"
    )
    assert not Record.open(tmp_path, piece, MACHINE, "").has("fp32")


# --------------------------------------------------------------------- every piece, small
@pytest.mark.parametrize("name", [name for name in NAMES if name != "ceilings"])
def test_every_row_can_be_measured(name, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.speed.pieces.baselines._LEAST", 1)
    pieces = choose_pieces([name], None, "cpu", True)
    for piece in pieces:
        record = Record.open(tmp_path, piece, MACHINE, "")
        start = time.monotonic()
        assert worker.measure(record, piece.rows()), record.rows
        assert time.monotonic() - start < 60
    lines = document_lines(read_documents(tmp_path))
    assert any(line.startswith("|---") for line in lines)
    assert not any("failed" in line for line in lines)


# -------------------------------------------------------------------------- training
def test_the_plain_network_computes_the_same_loss_and_gradients():
    ours = fresh_model("smoke")
    plain = PlainWorldModel(ours)
    batch = training.sampler_of("smoke", quick=True)(0)
    losses = [model.loss(batch)["loss"] for model in (ours, plain)]
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=0)
    head = [model.classifier.head.weight.grad for model in (ours, plain)]
    torch.testing.assert_close(head[1], head[0], rtol=1e-4, atol=1e-6)
    encoder = [model.encoders["task0"] for model in (ours, plain)]
    for one, other in zip(*(module.parameters() for module in encoder), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-6)


def test_a_recorded_step_is_timed_as_any_other(monkeypatch):
    # A recording sees operations of torch alone, not the CPU's own kernels.
    for name in ("_halves", "_hashed"):
        monkeypatch.setattr(keyed_random, name, getattr(keyed_random, f"{name}_by_torch"))
    monkeypatch.setattr("torch.compiler.is_compiling", lambda: True)
    variant = training.Variant("graph fp32", "fp32", graph=True)
    graphs = RecordedGraphs()
    figures = training.measure(Setting("cpu", "smoke", quick=True), variant, graphs)
    assert graphs.recordings == 1
    assert figures["steps_per_s"] > 0
    assert figures["tflops"] == pytest.approx(
        figures["operations_per_step"] * figures["steps_per_s"] / 1e12
    )


def test_a_step_that_is_not_recorded_is_no_measurement():
    class Refuses(RecordedGraphs):
        def capture(self, work):
            raise RuntimeError("operation not permitted when stream is capturing")

    variant = training.Variant("graph fp32", "fp32", graph=True)
    with pytest.raises(RuntimeError, match="was not recorded"):
        training.measure(Setting("cpu", "smoke", quick=True), variant, Refuses())


def test_busy_time_counts_overlaps_once_and_spans_of_python_not_at_all():
    events = [
        {"cat": "kernel", "name": "mm", "ts": 0.0, "dur": 10.0},
        {"cat": "kernel", "name": "mm", "ts": 5.0, "dur": 10.0},
        {"cat": "gpu_memcpy", "name": "copy", "ts": 30.0, "dur": 5.0},
        {"cat": "gpu_user_annotation", "name": "step", "ts": 0.0, "dur": 100.0},
        {"name": "process_name", "ph": "M"},
    ]
    found = busy_figures(events, 2)
    assert found["busy_ms"] == pytest.approx(0.01)
    assert found["kernels_per_step"] == 1.5
    assert [kernel["name"] for kernel in found["kernels"]] == ["mm", "copy"]
    assert found["kernels"][0] == {"name": "mm", "calls_per_step": 1.0, "ms_per_step": 0.01}
    assert busy_figures([], 2)["busy_ms"] is None
