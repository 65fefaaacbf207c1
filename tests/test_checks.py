"""Arguments: every fault gets one sentence with name, value and bound."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirelessenvs import checks
from wirelessenvs.config import TaskConfig


@given(st.integers(2, 9))
def test_integers_within_bounds_pass(value):
    assert checks.check_int("n", np.int64(value), 2, 9) == value


@given(st.one_of(st.integers(max_value=1), st.integers(min_value=10)))
def test_integers_outside_bounds_are_named(value):
    with pytest.raises(ValueError, match=f"n must be between 2 and 9, got {value}"):
        checks.check_int("n", value, 2, 9)


@pytest.mark.parametrize("value", [True, 3.0, "3", None, [3], np.bool_(1), 1j])
def test_only_integers_are_integers(value):
    with pytest.raises(TypeError, match="n must be an integer, got"):
        checks.check_int("n", value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_reals_are_finite(value):
    with pytest.raises(ValueError, match="x must be finite"):
        checks.check_real("x", value)


def test_open_lower_bound_excludes_itself():
    assert checks.check_real("x", 1e-9, 0, low_open=True) == 1e-9
    with pytest.raises(ValueError, match="x must be greater than 0, got 0"):
        checks.check_real("x", 0, 0, low_open=True)


@pytest.mark.parametrize("value", ["c", 1, None, ["a"], np.zeros(2), np.nan])
def test_choices_are_listed(value):
    with pytest.raises(ValueError, match="mode must be one of 'a', 'b', got"):
        checks.check_choice("mode", value, ("a", "b"))


@pytest.mark.parametrize(
    ("value", "error", "sentence"),
    [
        ([1, "x"], TypeError, "array of numbers"),
        ([[1], [2, 3]], TypeError, "array of numbers"),
        ([[1, 2]], ValueError, "1 dimension"),
        ([1, np.nan], ValueError, "finite"),
        ([1, 2, 3], ValueError, "2 entries, got 3"),
        ([1, -2], ValueError, "at least 0"),
    ],
)
def test_vectors_are_checked_entry_by_entry(value, error, sentence):
    with pytest.raises(error, match=sentence):
        checks.check_vector("v", value, 2, 0)


@dataclass(frozen=True, kw_only=True)
class ToyConfig(TaskConfig):
    width: int = 3
    presets: ClassVar = {"thin": {}, "wide": {"width": 9}}


def test_presets_override_defaults_and_arguments_override_presets():
    assert ToyConfig.from_preset().width == 3
    assert ToyConfig.from_preset("wide").width == 9
    assert ToyConfig.from_preset("wide", width=5, max_steps=7) == ToyConfig(width=5, max_steps=7)


def test_unknown_presets_and_arguments_list_what_exists():
    with pytest.raises(ValueError, match="preset must be one of 'thin', 'wide', got 'broad'"):
        ToyConfig.from_preset("broad")
    with pytest.raises(
        TypeError, match="unexpected keyword argument 'height'; known: adjacency, context, max"
    ):
        ToyConfig.from_preset(height=2)


@dataclass(frozen=True)
class TypedConfig:
    count: int = 1
    rate: float = 1
    mean: float = -1
    flag: bool = False
    word: str = "any"
    mode: str = "a"
    other: tuple = ()

    def __post_init__(self):
        checks.check_fields(
            self, zero=("rate",), signed=("mean",), choices={"mode": ("a", "b")}, most=9,
            positive=True,
        )  # fmt: skip


def test_fields_are_checked_by_their_types():
    config = TypedConfig(rate=0)
    assert isinstance(config.rate, float)
    assert isinstance(config.mean, float)


@pytest.mark.parametrize(
    ("field", "value", "error", "sentence"),
    [
        ("count", 0, ValueError, "count must be between 1 and 9, got 0"),
        ("count", 2.0, TypeError, "count must be an integer, got 2.0"),
        ("rate", -1, ValueError, "rate must be at least 0, got -1"),
        ("flag", 1, TypeError, "flag must be True or False, got 1"),
        ("word", 1, TypeError, "word must be a word, got 1"),
        ("mode", "c", ValueError, "mode must be one of 'a', 'b', got 'c'"),
    ],
)
def test_a_field_of_another_type_or_bound_is_named(field, value, error, sentence):
    with pytest.raises(error, match=sentence):
        TypedConfig(**{field: value})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("rb-8", "'rb-8'"),
        (np.eye(3), "an array of float64 and shape (3, 3)"),
        ([np.zeros((2, 2))], "[array([[0., 0.], [0., 0.]])]"),
        ("x" * 1000, "'" + "x" * 116 + "..."),
        (10**5000, "a value of type int that is too long to be shown"),
    ],
    ids=["word", "array", "nested", "long", "huge"],
)
def test_values_in_sentences_are_one_line(value, words):
    assert checks.shown(value) == words
    for check in (checks.check_real, checks.check_flag):
        with pytest.raises((TypeError, ValueError)) as fault:
            check("x", value)
        assert str(fault.value).endswith(f"got {words}.")
