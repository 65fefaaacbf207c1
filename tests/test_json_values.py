"""JSON values: what two of them differ in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirelessenvs.json_values import first_difference

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("found", "wanted", "phrase"),
    [
        ({"a": 1}, {"a": 2}, "a is 1 there, 2 here"),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "a.b[1] is 2 there, 3 here"),
        ({"a": [1]}, {"a": [1, 2]}, "a has 1 entries there, 2 here"),
        ({"b": 1, "a": 1}, {"a": 2, "b": 2}, "a is 1 there, 2 here"),
        ({}, {"a": False}, "a is None there, False here"),
        ({"a": "x" * 99}, {"a": 1}, "a is other entries there, 1 here"),
        # What is new and off does not make an old file differ; nor does null under another name.
        ({}, {"a": None}, None),
        ({"hoad": None}, {"load": None}, None),
        ([{"a": None}], [{}], None),
    ],
)
def test_the_first_difference_is_named(found, wanted, phrase):
    assert first_difference(found, wanted) == phrase


@given(VALUES, VALUES)
def test_any_two_values_are_compared(one, other):
    assert first_difference(one, one) is None
    assert isinstance(first_difference({"v": one}, {"v": other}), (str, type(None)))
