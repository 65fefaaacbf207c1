"""Progress: one moving line on a terminal, now and then a whole line elsewhere."""

import importlib.util
import io

import pytest

from wirelessenvs.command import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_elsewhere_whole_lines_come_now_and_then(clock):
    stream = io.StringIO()
    line = Progress("steps", stream, every_s=10)
    for second in range(26):
        clock[0] = 100.0 + second
        line("collecting", 20 + 2 * second, 100)
    assert stream.getvalue() == (
        "collecting: 40 % of 100 steps, 2 steps/s, 30 s left\n"
        "collecting: 60 % of 100 steps, 2 steps/s, 20 s left\n"
    )


def test_on_a_terminal_one_line_moves_and_is_cleared(clock):
    stream = Terminal()
    line = Progress("steps", stream)
    for tenth in range(11):
        clock[0] = 100.0 + tenth / 10
        line("collecting", 1000 * tenth, 10_000_000)
    line.close()
    shown = stream.getvalue()
    assert "\n" not in shown
    assert shown.startswith("\rcollecting: 0 % of 10000000 steps, 10,000 steps/s, 16 min 40 s left")
    assert shown.endswith("\r\x1b[K")


def test_long_times_are_hours_and_minutes(clock):
    stream = Terminal()
    line = Progress("steps", stream)
    line("collecting", 0, 10_000)
    clock[0] += 1
    line("collecting", 1, 10_000)
    assert "2 h 46 min left" in stream.getvalue()


def test_a_counter_starts_its_clock_at_once_and_says_nothing_elsewhere(clock):
    for stream in (Terminal(), io.StringIO()):
        report = Progress("runs", stream).counter("training", 4)
        clock[0] += 100
        report(1)
        shown = "\rtraining: 25 % of 4 runs, 5 min 0 s left\x1b[K" if stream.isatty() else ""
        assert stream.getvalue() == shown


_SOURCE = """
from wirelessenvs.compiled import njit

@njit()
def inner(x):
    return x + 1

@njit()
def outer(x):
    return 2 * inner(x)
"""


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_first_compilation_is_told_on_a_terminal_alone(stream, tmp_path, monkeypatch):
    path = tmp_path / "fresh.py"
    path.write_text(_SOURCE)
    printed = stream()
    monkeypatch.setattr("sys.stderr", printed)

    def result():
        spec = importlib.util.spec_from_file_location("fresh", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.outer(3)

    assert result() == 8
    lines = printed.getvalue().split("\r")
    if stream is io.StringIO:
        assert lines == [""]
        return
    told = [line.removesuffix("\x1b[K").rpartition(" ")[2] for line in lines]
    # The outer function goes on when the inner one is done; nothing is left on the line.
    assert told == ["", "outer", "inner", "outer", ""]
    assert result() == 8
    assert printed.getvalue().split("\r") == lines  # loaded
