"""Presets, derived numbers, and one clear sentence for every bad value."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirelessenvs.rb import RBConfig, RBSimulator

LINKS = RBConfig.presets["conflict"]["conflicts"]


def test_presets_are_the_published_clusters_and_the_six_links():
    small, large = RBConfig.from_preset(), RBConfig.from_preset("rb-9")
    assert (small.num_nodes, large.num_nodes) == (8, 9)
    assert small.num_rbs == large.num_rbs == 40
    assert small.offered_load == pytest.approx(0.8)
    assert large.offered_load == pytest.approx(0.9)
    links = RBConfig.from_preset("conflict")
    assert (links.num_nodes, links.num_rbs) == (6, 1)
    rows = ["".join(map(str, row)) for row in links.conflicts]
    assert rows == ["010110", "101100", "010101", "111010", "100101", "001010"]
    assert links.node_rates == pytest.approx(0.15)


def test_default_modes_carry_two_and_six_packets_per_frame():
    assert RBConfig().mode_rates.tolist() == [[2.0] * 8, [6.0] * 8]
    assert RBConfig(traffic="poisson").mode_rates.tolist() == [[4.0] * 8]


def test_load_rescales_rates_and_keeps_their_proportions():
    config = RBConfig(mean_rate=[1, 1, 1, 1, 2, 2, 2, 2], load=0.6)
    assert config.node_rates.sum() == pytest.approx(24)
    assert config.node_rates[4] == pytest.approx(2 * config.node_rates[0])
    assert config.offered_load == pytest.approx(0.6)


def test_a_traces_rates_are_its_means():
    config = RBConfig(num_nodes=2, traffic="trace", trace=[[1, 2], [3, 4]])
    assert config.node_rates.tolist() == [2, 3]


def test_configurations_compare_and_hash_by_value():
    first = RBConfig(conflicts=np.ones((8, 8)) - np.eye(8), mean_rate=np.full(8, 4.0))
    second = RBConfig(conflicts=(np.ones((8, 8)) - np.eye(8)).astype(int), mean_rate=[4] * 8)
    assert first == second
    assert hash(first) == hash(second)
    assert first.replace(num_slots=9) != second


BAD = [
    ({"num_nodes": 1}, ValueError, "num_nodes must be at least 2"),
    ({"num_nodes": 41}, ValueError, "num_nodes must be at most num_slots . num_frequencies = 40"),
    ({"num_nodes": 8.0}, TypeError, "num_nodes must be an integer"),
    ({"num_slots": 0}, ValueError, "num_slots must be between 1"),
    ({"num_frequencies": 61}, ValueError, "num_frequencies must be between 1 and 60"),
    ({"frame_ms": 0}, ValueError, "frame_ms must be greater than 0"),
    ({"max_steps": 0}, ValueError, "max_steps must be at least 1"),
    ({"traffic": "pareto"}, ValueError, "traffic must be one of 'mmpp', 'poisson'"),
    ({"traffic": None}, ValueError, "traffic must be one of"),
    ({"mean_rate": -1}, ValueError, "mean_rate must be between 0 and 500"),
    ({"mean_rate": float("nan")}, ValueError, "mean_rate must be finite"),
    ({"mean_rate": [4, 4]}, ValueError, "mean_rate must have 8 entries, got 2"),
    ({"mean_rate": [[4], [4, 4]]}, TypeError, "mean_rate must be an array of numbers"),
    ({"mean_rate": "fast"}, TypeError, "mean_rate must be a number"),
    ({"modulation": 1.1}, ValueError, "modulation must be between 0 and 1"),
    ({"switch_probability": -0.1}, ValueError, "switch_probability must be between 0 and 1"),
    ({"load": 0}, ValueError, "load must be greater than 0|load must be between 0 and 10"),
    ({"load": 0.5, "mean_rate": 0}, ValueError, "mean_rate must be above 0"),
    ({"load": 10, "num_slots": 900}, ValueError, "load must keep every node's rate at most 500"),
    ({"trace": [[1] * 8]}, ValueError, 'trace must be given for traffic "trace" and for no other'),
    ({"traffic": "trace"}, ValueError, "trace must be given"),
    ({"traffic": "trace", "trace": [[1] * 7]}, ValueError, "one row and 8 columns"),
    ({"traffic": "trace", "trace": [[9e15] * 8]}, ValueError, "trace must be between 0 and 30000"),
    ({"traffic": "trace", "trace": [[-1] * 8]}, ValueError, "trace must be between 0"),
    ({"traffic": "trace", "trace": [[1] * 8], "load": 1.0}, ValueError, "load must be None"),
    ({"trace_random_start": 1}, TypeError, "trace_random_start must be True or False"),
    ({"traffic": "bernoulli", "mean_rate": 11}, ValueError, "at most num_slots = 10"),
    ({"queue_capacity": 0}, ValueError, "queue_capacity must be between 1"),
    ({"erasure_probability": 2}, ValueError, "erasure_probability must be between 0 and 1"),
    ({"erasure_probability": [0.1]}, ValueError, "erasure_probability must have 8 entries"),
    ({"arbitration": "fifo"}, ValueError, "arbitration must be one of 'rotating', 'max-min'"),
    ({"observation": "all"}, ValueError, "observation must be one of 'full', 'paper'"),
    ({"reward": "team"}, ValueError, "reward must be one of 'own', 'neighbors', 'global'"),
    ({"drop_cost": "ten"}, TypeError, "drop_cost must be a number"),
    ({"waste_cost": float("inf")}, ValueError, "waste_cost must be finite"),
    ({"graph": "star"}, ValueError, "graph must be one of 'ring-2', 'ring-1', 'complete'"),
    ({"graph": "conflict"}, ValueError, 'graph must not be "conflict" without conflicts'),
    ({"graph": [[0, 1], [1, 0]]}, ValueError, r"graph must have shape \(8, 8\)"),
    ({"graph": np.eye(8)}, ValueError, "graph must be zero on the diagonal"),
    ({"graph": None}, (TypeError, ValueError), "graph must"),
    ({"graph_radius": 0}, ValueError, "graph_radius must be greater than 0"),
    ({"graph_seed": -1}, ValueError, "graph_seed must be at least 0"),
    ({"conflicts": np.triu(np.ones((8, 8)), 1)}, ValueError, "conflicts must be symmetric"),
    ({"conflicts": np.full((8, 8), 0.5)}, ValueError, "conflicts must hold whole numbers"),
    ({"conflicts": LINKS}, ValueError, r"conflicts must have shape \(8, 8\), got \(6, 6\)"),
]


@pytest.mark.parametrize(("fields", "error", "message"), BAD)
def test_bad_values_are_named_in_a_sentence(fields, error, message):
    with pytest.raises(error, match=message) as raised:
        RBConfig(**fields)
    assert "\n" not in str(raised.value)


def test_unknown_presets_and_fields_list_the_known_ones():
    with pytest.raises(ValueError, match="preset must be one of 'rb-8', 'rb-9', 'conflict'"):
        RBConfig.from_preset("rb-10")
    with pytest.raises(TypeError, match="RBConfig got an unexpected keyword argument 'nodes'"):
        RBConfig.from_preset(nodes=8)


GARBAGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.floats(), max_size=9),
    st.lists(st.lists(st.integers(), max_size=3), max_size=3),
    st.just(np.zeros((8, 8, 8))),
    st.just({}),
)


@given(st.sampled_from([field.name for field in dataclasses.fields(RBConfig)]), GARBAGE)
def test_garbage_is_refused_politely_or_makes_a_working_configuration(name, value):
    try:
        config = RBConfig(**{name: value})
    except (TypeError, ValueError) as refusal:
        message = str(refusal)
    else:
        assert config.num_rbs >= config.num_nodes
        assert np.isfinite(config.mode_rates).all()
        return
    assert name in message
    assert message.endswith(".")


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({"num_nodes": 2}, (2, 4)),
        ({"num_nodes": 40}, (40, 4)),
        ({"num_nodes": 100, "num_frequencies": 10, "load": 0.8}, (100, 4)),
        ({"observation": "paper"}, (8, 2)),
    ],
)
def test_other_sizes_run(fields, shape):
    simulator = RBSimulator(RBConfig(**fields))
    assert simulator.reset(0).shape == (1, *shape)
    step = simulator.step(np.full((1, shape[0]), 3))
    assert step.observations.shape == (1, *shape)
