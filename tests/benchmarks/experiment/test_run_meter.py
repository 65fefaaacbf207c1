"""What a job has cost over its attempts, whatever has become of its notes."""

import pytest

from benchmarks.experiment.jobs.meter import Meter
from networld_agent.documents import write_document

EARLIER = {"pid": 29854, "wall_seconds": 155.5, "cpu_seconds": 142.25, "peak_memory_mb": 39000.5}


@pytest.fixture
def note(tmp_path):
    """The note of an earlier attempt."""
    path = tmp_path / "attempt-000.json"
    write_document(path, EARLIER)
    return path


def test_the_cost_is_that_of_all_attempts(note):
    with Meter(note.parent) as meter:
        pass
    total = meter.total()
    assert total["attempts"] == 2
    assert total["unknown_attempts"] == 0
    assert 155.5 <= total["wall_seconds"] < 160
    assert total["cpu_seconds"] >= 142.25
    assert total["peak_memory_mb"] == 39000.5
    with Meter(note.parent) as third:
        pass
    assert third.total()["attempts"] == 3
    assert third.total()["wall_seconds"] >= total["wall_seconds"]


def test_no_flipped_bit_of_a_note_loses_the_work_or_changes_its_cost(note, capsys):
    """One note for each bit."""
    good = note.read_bytes()
    for bit in range(8 * len(good)):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        (note.parent / f"attempt-{bit + 1:04d}.json").write_bytes(damaged)
    with Meter(note.parent) as meter:
        pass
    total, told = meter.total(), capsys.readouterr().err.splitlines()
    assert total["attempts"] == 8 * len(good) + 2
    assert total["unknown_attempts"] == len(told) == 8 * len(good)
    assert all(line.startswith(f"warning: {note.parent}/attempt-") for line in told)
    assert all(line.endswith(". What that attempt has cost is not counted.") for line in told)
    assert 155.5 <= total["wall_seconds"] < 200
    assert total["peak_memory_mb"] == 39000.5


@pytest.mark.parametrize(
    "document", [{}, {**EARLIER, "wall_seconds": "x"}, {**EARLIER, "cpu_seconds": -1.0},
                 {**EARLIER, "peak_memory_mb": None}],
)  # fmt: skip
def test_a_note_without_its_figures_is_named(document, note, capsys):
    write_document(note, document)
    with Meter(note.parent) as meter:
        pass
    assert meter.total()["unknown_attempts"] == 1
    assert f"warning: {note}: is no note of an attempt." in capsys.readouterr().err


def test_at_the_end_of_the_work_nothing_is_read(note):
    with Meter(note.parent) as meter:
        note.write_bytes(b"\x00")
    assert meter.total()["peak_memory_mb"] == 39000.5


def test_a_disk_that_takes_no_note_does_not_end_the_work(note):
    with Meter(note.parent) as meter:
        (note.parent / "attempt-001.json").unlink()
        # In the way of the next note.
        (note.parent / "attempt-001.json" / "x").mkdir(parents=True)
    assert meter.total()["attempts"] == 2
