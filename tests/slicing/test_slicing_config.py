"""Wrong arguments: one sentence that names argument, value and bound."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirelessenvs.slicing import SlicingConfig

WRONG = [
    ({"num_cells": 5}, ValueError, "num_cells must be that of a full hexagonal grid"),
    ({"num_cells": 7.0}, TypeError, "num_cells must be an integer, got 7.0"),
    ({"num_users": 0}, ValueError, "num_users must be between 1 and"),
    ({"cell_radius_m": -1}, ValueError, "cell_radius_m must be between"),
    ({"box_half_m": (1.0,)}, ValueError, "box_half_m must have 2 entries, got 1"),
    ({"coverage_m": 0.0}, ValueError, "coverage_m"),
    ({"user_mix": (0, 0, 0)}, ValueError, "user_mix must have a positive entry"),
    ({"user_mix": (1, 2)}, ValueError, "user_mix must have 3 entries, got 2"),
    ({"user_mix": "123"}, (TypeError, ValueError), "user_mix"),
    ({"speeds_mps": (-1, 0, 0)}, ValueError, "speeds_mps must be between"),
    ({"log_base": "e"}, ValueError, "log_base must be one of 'log10', 'log2', got 'e'"),
    ({"mimo_gain": 0}, ValueError, "mimo_gain must be"),
    ({"interference": 1}, TypeError, "interference must be True or False, got 1"),
    ({"unit_hz": 300e3}, ValueError, "unit_hz must divide bandwidth_hz"),
    ({"unit_hz": 5e6}, ValueError, r"unit_hz must be at most a third of bandwidth_hz \(1e\+07\)"),
    ({"unit_hz": 0.5}, ValueError, "unit_hz must be at least 1"),
    ({"bandwidth_hz": 1e12}, ValueError, "bandwidth_hz must be at most 10000 times rb_hz"),
    ({"slots_per_window": 0}, ValueError, "slots_per_window must be between"),
    ({"slot_s": float("nan")}, ValueError, "slot_s must be finite"),
    ({"queue_packets": True}, TypeError, "queue_packets must be an integer, got True"),
    ({"carry_over": None}, TypeError, "carry_over must be True or False"),
    ({"urllc_packets": "huge"}, ValueError, "urllc_packets must be one of"),
    ({"urllc_packets": ()}, ValueError, "number of urllc_packets must be between"),
    ({"urllc_packets": (0.0,)}, ValueError, "urllc_packets must be"),
    ({"sla_rate_bps": (1, 2, float("inf"))}, ValueError, "sla_rate_bps must be finite"),
    ({"history": 0}, ValueError, "history must be between 1 and 16, got 0"),
    ({"observation": "all"}, ValueError, "observation must be one of 'full', 'paper'"),
    ({"action": None}, ValueError, "action must be one of"),
    ({"reward": "profit"}, ValueError, "reward must be one of 'ssr', 'utility', 'lstm-a2c'"),
    ({"ssr_weights": (0, 0, 0)}, ValueError, "ssr_weights must have a positive entry"),
    ({"num_threads": 0}, ValueError, "num_threads must be between"),
    ({"max_steps": 0}, ValueError, "max_steps must be at least 1, got 0"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG, ids=lambda value: str(value))
def test_wrong_arguments_are_refused_in_a_sentence(arguments, error, message):
    with pytest.raises(error, match=message):
        SlicingConfig(**arguments)


def test_unknown_presets_and_arguments_are_refused():
    with pytest.raises(ValueError, match="preset must be one of 'paper', 'physical', 'coupled'"):
        SlicingConfig.from_preset("giant")
    with pytest.raises(TypeError, match="SlicingConfig got an unexpected keyword argument"):
        SlicingConfig.from_preset(num_slots=3)


GARBAGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.one_of(st.floats(), st.text(max_size=2)), max_size=4).map(tuple),
)


@given(st.sampled_from([field.name for field in dataclasses.fields(SlicingConfig)]), GARBAGE)
def test_garbage_is_accepted_or_refused_but_never_crashes(name, value):
    message = ""
    try:
        config = SlicingConfig(**{name: value})
        assert hash(config) == hash(dataclasses.replace(config))
    except (TypeError, ValueError) as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize("preset", SlicingConfig.presets)
def test_presets_are_valid_and_hashable(preset):
    config = SlicingConfig.from_preset(preset)
    assert config == SlicingConfig(**SlicingConfig.presets[preset])
    assert hash(config) == hash(SlicingConfig.from_preset(preset))


def test_sequences_are_stored_as_tuples():
    assert SlicingConfig(user_mix=[6, 6, 1]) == SlicingConfig(user_mix=(6.0, 6.0, 1.0))
