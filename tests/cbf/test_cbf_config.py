"""Configuration: presets, derived quantities, and a sentence for every bad value."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirelessenvs.cbf import POLICIES, CBFConfig, CBFSimulator

BAD_VALUES = [
    ("num_cells", 8),
    ("num_cells", 1),
    ("num_cells", 10**6),
    ("num_cells", "19"),
    ("num_cells", 19.0),
    ("layout_seed", -1),
    ("layout_seed", 2**32),
    ("num_antennas", 0),
    ("num_paths", 0),
    ("num_paths", True),
    ("num_beams", 17),
    ("num_power_levels", 1),
    ("num_interferers", 19),
    ("num_interferers", 0),
    ("cell_radius_m", 0),
    ("cell_radius_m", math.nan),
    ("min_distance_m", 201),
    ("min_distance_m", 0.5),
    ("path_loss_intercept_db", -1),
    ("path_loss_slope_db", math.inf),
    ("shadowing_db", 21),
    ("angular_spread_deg", 0),
    ("symmetric_spread", 1),
    ("normalized_innovation", "yes"),
    ("correlation", 1.01),
    ("doppler_hz", -1),
    ("slot_s", 0),
    ("max_power_dbm", 81),
    ("noise_dbm", None),
    ("warm_up_slots", 1),
    ("observation", "raw"),
    ("action", "continuous"),
    ("graph", None),
    ("max_steps", 0),
]


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_bad_value_is_refused_in_one_sentence_naming_the_argument(name, value):
    with pytest.raises((ValueError, TypeError), match=name) as caught:
        CBFConfig(**{name: value})
    assert str(caught.value).count("\n") == 0


GARBAGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=3),
)


@given(st.sampled_from([field.name for field in dataclasses.fields(CBFConfig)]), GARBAGE)
def test_garbage_is_accepted_or_refused_with_a_sentence(name, value):
    try:
        outcome = str(getattr(CBFConfig(**{name: value}), name))
        expected = str(value)
    except (ValueError, TypeError) as error:
        outcome, expected = str(error), name
    assert expected in outcome


def test_unknown_argument_and_preset_are_named():
    with pytest.raises(TypeError, match="CBFConfig got an unexpected keyword argument 'cells'"):
        CBFConfig.from_preset(cells=19)
    with pytest.raises(ValueError, match="preset must be one of 'paper', 'general'"):
        CBFConfig.from_preset("big")


@pytest.mark.parametrize("preset", CBFConfig.presets)
def test_every_preset_plays(preset):
    simulator = CBFSimulator(CBFConfig.from_preset(preset))
    observations = simulator.reset(0)
    assert simulator.observation_space.contains(observations[0, 0])
    assert simulator.num_agents == simulator.config.num_cells
    assert simulator.state_space.contains(simulator.state()[0])


def test_paper_preset_has_the_published_constants():
    config = CBFConfig.from_preset()
    assert config.max_power_mw == pytest.approx(6309.57, abs=0.01)
    assert config.noise_mw == pytest.approx(3.981e-12, rel=1e-4)
    assert (config.num_actions, config.num_official_features) == (40, 62)
    assert (config.rho, config.layout_seed) == (0.64, 2019)


def test_extreme_constants_stay_finite():
    config = CBFConfig(
        path_loss_intercept_db=0.0,
        path_loss_slope_db=100.0,
        shadowing_db=20.0,
        min_distance_m=1.0,
        max_power_dbm=80.0,
        noise_dbm=-200.0,
        layout_seed=None,
    )
    simulator = CBFSimulator(config)
    observations = simulator.reset(0)
    for name in ("random", "expert", "coordinate-ascent-genie", "fp", "slnr"):
        policy = POLICIES[name](simulator.spec)
        step = simulator.step(policy(observations, simulator.privileged(policy.information)))
        observations = step.observations
        assert np.isfinite(observations).all()
        assert np.isfinite(step.rewards).all()


def test_rho_follows_doppler_and_slot_when_either_is_given():
    # J0(2 pi 10 Hz 20 ms) = J0(1.25664) = 0.6425, which the paper rounds to 0.64
    assert CBFConfig(doppler_hz=10.0).rho == pytest.approx(0.64252, abs=1e-4)
    assert CBFConfig(slot_s=0.02).rho == CBFConfig(doppler_hz=10.0).rho
    assert CBFConfig(doppler_hz=0.0).rho == 1.0
    assert CBFConfig(doppler_hz=0.0).innovation_scale == 0.0
    assert CBFConfig(correlation=0.3).rho == 0.3


def test_a_cell_too_small_for_the_distances_is_named_with_its_radius():
    with pytest.raises(ValueError, match=r"min_distance_m must be at most cell_radius_m \(5\)"):
        CBFConfig(cell_radius_m=5)
