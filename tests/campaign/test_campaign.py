"""A share of the campaign, in full by `python -m tests.campaign`; and that it sees faults."""

import json
import os
import signal
import time

import pytest

from . import __main__ as command
from . import campaign, outcomes, worker
from .campaign import PARTS, run_part
from .outcomes import FAULTS, Outcome

#: Cases of each part: minutes.
SHARE = {"damage": 200, "arguments": 1_400, "kills": 15}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("campaign")


@pytest.mark.long
@pytest.mark.parametrize("part", PARTS)
def test_no_case_ends_in_a_fault(part, out, capsys):
    faults = run_part(part, out, SHARE[part], seed=1)
    assert faults == 0, capsys.readouterr().out


def test_a_share_small_enough_for_every_day(tmp_path, capsys):
    """The whole path from the command to its table; what it finds, if anything, is real."""
    arguments = ["arguments", "--count", "35", "--out", str(tmp_path)]
    assert command.main(arguments) == 0
    assert capsys.readouterr().out.startswith("arguments: 35 cases, seed 0\n")
    (table,) = tmp_path.glob("*/arguments-0.json")
    assert sum(json.loads(table.read_text())["counts"].values()) == 35
    assert command.main([*arguments, "--only", "3"]) == 0
    assert '"kind": "' in capsys.readouterr().out


def ending(index):
    """Cases that end in every way that there is."""
    if index == 1:
        time.sleep(60)
    elif index == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    elif index == 3:
        return outcomes.judged(KeyError("x"), "a bare key", {"x"})
    elif index == 4:
        bytearray(2**40)
    return Outcome("clear", "nothing")


def kinds(record):
    return {index: outcome.kind for index, outcome in worker.recorded(record).items()}


def test_hangs_and_deaths_are_noted_and_the_rest_is_run(tmp_path):
    record = tmp_path / "record.jsonl"
    worker.run_cases(ending, range(6), record, limit_s=0.5)
    expected = ["clear", "hang", "crash", "traceback", "crash", "clear"]
    assert kinds(record) == dict(enumerate(expected))


def test_a_record_is_gone_on_with(tmp_path):
    record, ran = tmp_path / "record.jsonl", tmp_path / "ran"

    def case(index):
        with ran.open("a") as file:
            file.write(f"{index} ")
        return Outcome("harmless", "")

    worker.run_cases(case, range(3), record, 5)
    with record.open("a") as file:
        file.write('{"index": 3, "ki')  # torn by a kill
    worker.run_cases(case, range(5), record, 5)
    assert ran.read_text().split() == ["0", "1", "2", "3", "4"]
    assert sorted(kinds(record)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("a.json: key 'x' must be 3."), "clear"),
        (ValueError("operands could not be broadcast"), "unclear"),
        (ValueError("a.json: two\nlines"), "unclear"),
        (UnicodeDecodeError("utf-8", b"a.json", 0, 1, "bad"), "traceback"),
        (OverflowError("a.json"), "traceback"),
        (MemoryError(), "traceback"),
        (outcomes.RefusedError("0.1 M parameters\nerror: a.json: is damaged.\n"), "clear"),
        (outcomes.RefusedError("error: a.json: is damaged.\nerror: b\n"), "unclear"),
        (outcomes.RefusedError("Traceback (most recent call last):\nerror: a.json\n"), "traceback"),
        (outcomes.HangError("a.json"), "hang"),
    ],
)
def test_errors_are_judged_by_type_and_message(error, kind):
    assert outcomes.judged(error, "", {"a.json"}).kind == kind


def test_tables_group_faults_and_say_how_to_replay_them():
    found = {
        7: Outcome("hang", "a fifo", "open"), 9: Outcome("hang", "a fifo", "open"),
        8: Outcome("clear", ""),
    }  # fmt: skip
    table = campaign.table_of("damage", found, seed=3)
    assert table["counts"] == {"hang": 2, "clear": 1}
    (fault,) = table["faults"]
    assert (fault["count"], fault["kind"]) == (2, "hang")
    assert fault["replay"] == "python -m tests.campaign damage --seed 3 --only 7"
    assert json.loads(json.dumps(table)) == table
    assert all(kind in campaign.text_of(table) for kind in FAULTS)
