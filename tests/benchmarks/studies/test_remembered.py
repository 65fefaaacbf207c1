"""Results kept in files: found again for the same settings, made anew for any other."""

import json
import math

import pytest

from benchmarks.records import remembered
from networld_agent.documents import checksum

IDENTITY = {"settings": {"steps": 20, "ranges": (0.0, 1.0)}, "seed": 3}


class Maker:
    """Makes a result that says how often one was made."""

    def __init__(self, **more):
        self.calls, self.more = 0, more

    def __call__(self):
        self.calls += 1
        return {"made": self.calls, **self.more}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a" / "found.json"


def test_the_first_result_is_made_and_stands_in_the_file_with_its_settings(path):
    found = remembered(path, IDENTITY, Maker())
    settings = {"steps": 20, "ranges": [0.0, 1.0]}
    assert found == {"settings": settings, "seed": 3, "made": 1}
    assert json.loads(path.read_text()) == {**found, "sha256": checksum(found)}


def test_the_same_settings_are_not_worked_on_again(path):
    maker = Maker()
    first = remembered(path, IDENTITY, maker)
    assert remembered(path, IDENTITY, maker) == first
    assert maker.calls == 1


@pytest.mark.parametrize(
    "other",
    [
        {**IDENTITY, "seed": 4},
        {**IDENTITY, "settings": {"steps": 20, "ranges": (0.0, 2.0)}},
        {**IDENTITY, "settings": {**IDENTITY["settings"], "noise": None}},
        {**IDENTITY, "noise": None},
    ],
    ids=["value", "nested", "nested entry", "entry"],
)
def test_other_settings_are_another_result_that_takes_the_place(other, path):
    maker = Maker()
    remembered(path, IDENTITY, maker)
    assert remembered(path, other, maker)["made"] == 2
    assert remembered(path, other, maker)["made"] == 2


def test_only_the_last_settings_are_kept(path):
    maker = Maker()
    for seed, made in ((1, 1), (2, 2), (1, 3)):
        assert remembered(path, {"seed": seed}, maker)["made"] == made


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: b"\xff\xfe\xfd" + whole,
        lambda whole: b"[" + whole + b"]",
        lambda whole: b"3",
    ],
    ids=["empty", "cut", "no text", "list", "number"],
)
def test_a_damaged_file_is_made_anew(damage, path):
    maker = Maker()
    remembered(path, IDENTITY, maker)
    path.write_bytes(damage(path.read_bytes()))
    assert remembered(path, IDENTITY, maker)["made"] == 2
    assert json.loads(path.read_text())["made"] == 2


def test_a_number_that_is_not_finite_is_null_at_once_and_later(path):
    identity, maker = {"limit": math.inf}, Maker(rewards=[math.nan, 1.0])
    first = remembered(path, identity, maker)
    assert first == {"limit": None, "made": 1, "rewards": [None, 1.0]}
    assert remembered(path, identity, maker) == first
    assert "NaN" not in path.read_text()


def test_work_that_fails_leaves_the_earlier_result(path):
    remembered(path, IDENTITY, Maker())
    before = path.read_bytes()

    def failing():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        remembered(path, {"seed": 4}, failing)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_digit_that_was_changed_is_not_a_result(path):
    maker = Maker(score=81.25)
    remembered(path, IDENTITY, maker)
    path.write_text(path.read_text().replace("81.25", "91.25"))
    assert remembered(path, IDENTITY, maker)["score"] == 81.25
    assert maker.calls == 2
