"""The kernel against the slow reference: the same numbers, window by window."""

import numpy as np
import pytest
from slicing_oracle import SlicingOracle

from wirelessenvs.slicing import SlicingConfig, SlicingSimulator
from wirelessenvs.slicing.splits import all_splits

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
}


@pytest.mark.parametrize("overrides", CASES.values(), ids=CASES)
def test_kernel_equals_the_slot_synchronous_reference(overrides):
    config = SlicingConfig(**{**TINY, **overrides})
    simulator, oracle = SlicingSimulator(config), SlicingOracle(config)
    observation = simulator.reset(11)[0]
    oracle.reset(11)
    splits = all_splits(config.num_units)
    rng = np.random.default_rng(5)
    for _ in range(3):
        np.testing.assert_allclose(observation, oracle.observation(), rtol=1e-6)
        units = splits[rng.integers(len(splits), size=config.num_cells)]
        units[0] = (1, 1, config.num_units - 2)  # one cell starves a slice
        step = simulator.step(units[None] * config.unit_hz)
        oracle.step(units.tolist())
        metrics = {name: values[0] for name, values in step.metrics.items()}
        for s, name in enumerate(("volte", "video", "urllc")):
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
