"""The kernel against the slow reference: the same numbers, window by window."""

import numpy as np
import pytest
from slicing_oracle import SlicingOracle

from wirelessenvs.slicing import SlicingConfig, SlicingSimulator
from wirelessenvs.slicing.splits import all_splits

#: Every law of gaps and of sizes, both kinds of service level alone and together.
FIVE = (
    {"like": "volte", "share": 2},
    {"name": "films", "gap_s": ("lomax", 0.9, 3e-3, 20.3e-3), "bits": ("lomax", 1.2, 3e4, 1e6),
     "rate_bps": 1e7, "latency_s": 0.01, "share": 2, "speed_mps": 20},
    {"name": "meters", "gap_s": ("exponential", 0.02), "bits": ("choice", 8e3, 8e5, 8e6),
     "latency_s": 0.0015, "share": 3, "speed_mps": 0},
    {"name": "downloads", "gap_s": ("uniform", 0.004, 0.0302), "bits": ("uniform", 1e4, 1e7),
     "rate_bps": 1e7, "share": 3},
    {"name": "beacons", "gap_s": 0.0052, "bits": 4e5, "latency_s": 0.002, "share": 1},
)  # fmt: skip
TINY = {"num_cells": 7, "num_users": 90, "slots_per_window": 240}
CASES = {
    "paper": {},
    "overload": {"num_users": 160, "user_mix": (1.0, 1.0, 4.0), "num_cells": 1},
    "small URLLC": {"urllc_packets": "small", "user_mix": (6.0, 6.0, 1.0)},
    "physical": {"log_base": "log2", "mimo_gain": 16.0},
    "carry-over": {"carry_over": True},
    "interference": {"interference": True, "urllc_packets": "small"},
    "coupled": {"carry_over": True, "interference": True, "sla_rate_bps": (51e3, 1e7, 1e6)},
    # Links so poor that video packets need several slots, whose sizes then matter.
    "poor links": {"rx_gain_db": -80.0, "sla_rate_bps": (5e3, 2e5, 1e5), "num_cells": 1},
    "coverage": {"num_cells": 1, "box_half_m": (60.0, 50.0), "coverage_m": 40.0},
    "short queues": {"queue_packets": 1, "unit_hz": 1e6, "user_mix": (1.0, 6.0, 1.0)},
    "other traffic": {
        "volte_gap_s": 0.0202,
        "video_gap_s": (3e-3, 20.3e-3),
        "video_bits": (300.0, 9000.0),
        "lomax_shape": 0.9,
        "urllc_gap_s": 0.02,
        "urllc_packets": (1e3, 2e3),
        "slot_s": 1e-3,
        "rb_hz": 200e3,
    },
    "paper observation": {"observation": "paper", "history": 3},
    "two slices": {"slices": ("urllc", "video")},
    "five slices": {"slices": FIVE, "rx_gain_db": -20.0},
    "five slices, coupled": {"slices": FIVE, "carry_over": True, "interference": True},
}


@pytest.mark.parametrize("overrides", CASES.values(), ids=CASES)
def test_kernel_equals_the_slot_synchronous_reference(overrides):
    config = SlicingConfig(**{**TINY, **overrides})
    simulator, oracle = SlicingSimulator(config), SlicingOracle(config)
    observation = simulator.reset(11)[0]
    oracle.reset(11)
    splits = all_splits(config.num_units, config.num_slices)
    rng = np.random.default_rng(5)
    for _ in range(3):
        np.testing.assert_allclose(observation, oracle.observation(), rtol=1e-6)
        units = splits[rng.integers(len(splits), size=config.num_cells)]
        units[0] = 1  # one cell starves all slices but one
        units[0, -1] = config.num_units - config.num_slices + 1
        step = simulator.step(units[None] * config.unit_hz)
        oracle.step(units.tolist())
        metrics = {name: values[0] for name, values in step.metrics.items()}
        for s, name in enumerate(config.slice_names):
            assert metrics[f"demand_{name}"].tolist() == oracle.demand[:, s].tolist()
            assert metrics[f"dropped_{name}"].tolist() == oracle.dropped[:, s].tolist()
            assert metrics[f"ssr_{name}"].tolist() == oracle.ssr[:, s].tolist()
        assert metrics["handovers"].tolist() == oracle.handovers.tolist()
        np.testing.assert_allclose(metrics["se"], oracle.se, rtol=1e-8)
        np.testing.assert_allclose(metrics["load"], oracle.load, rtol=1e-12)
        observation = step.observations[0]


def test_the_reference_cases_reach_every_branch():
    """Drops, late packets, failures in the first slot and carried packets do occur."""
    config = SlicingConfig(**{**TINY, **CASES["overload"], "carry_over": True})
    oracle = SlicingOracle(config)
    oracle.reset(11)
    for _ in range(3):
        oracle.step([[1, 1, config.num_units - 2]])
    assert oracle.dropped.sum() > 0
    assert oracle.carried.sum() > 0
    assert oracle.success.sum() < oracle.demand.sum() - oracle.dropped.sum()


def test_the_case_of_five_slices_reaches_every_outcome():
    """In every slice some packets fail and some succeed; some are dropped."""
    config = SlicingConfig(**{**TINY, **CASES["five slices"]})
    oracle = SlicingOracle(config)
    oracle.reset(11)
    oracle.step([[1, 1, 1, 1, config.num_units - 4]] * 4 + [[46, 1, 1, 1, 1]] * 3)
    success, offered = oracle.success.sum(0), oracle.demand.sum(0)
    assert (offered > 0).all()
    assert (success > 0).all()
    assert (success < offered).sum() >= 4
    assert oracle.dropped.sum() > 0
