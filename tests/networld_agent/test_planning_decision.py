"""A decision as a GPU computes it: captured once, no value read on the host."""

import numpy as np
import pytest
import torch
from recorded_graphs import RecordedGraphs
from tiny_models import tiny_model

from networld_agent import keyed_random
from networld_agent.planning import Planner, PlannerConfig, plan_networks, row_layers
from networld_agent.planning.decision import Decision

RING = np.roll(np.eye(6), 1, 1) + np.roll(np.eye(6), -1, 1)
MODES = {
    "guided": {},
    "voted": {"votes": 3, "temperature": 1.0},
    "selected": {"plan_mode": "both", "candidates": 3},
    "stochastic": {"sampler": "ddpm", "temperature": 1.0, "votes": 1},
    "continued": {"execute": 2, "warm_start": 2},
}


@pytest.fixture
def plain_operations(monkeypatch):
    """What a GPU runs: kernels of Numba are invisible to a recording."""
    monkeypatch.setattr(keyed_random, "_halves", keyed_random._halves_by_torch)
    monkeypatch.setattr(row_layers, "_compiled", lambda x: False)


def played(planner, steps=4, seed=0):
    """Actions and plans of some decisions in two worlds."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(steps):
        scene = rng.uniform(0, 9, (2, 6, 4)).astype(np.float32)
        found.append((planner.act(scene, RING), planner.plans))
    return found


def captured(model, config):
    """A planner whose decisions are captured, and what captures them."""
    planner, graphs = Planner(model, config=config), RecordedGraphs()
    planner._decision = Decision(model, "rb-v0", config, graphs)
    return planner, graphs


@pytest.mark.parametrize("mode", MODES)
def test_captured_decisions_are_those_of_a_planner_without_graphs(plain_operations, mode):
    model, config = tiny_model(), PlannerConfig(**MODES[mode])
    planner, graphs = captured(model, config)
    for (actions, plans), (expected, drawn) in zip(
        played(planner), played(Planner(model, config=config)), strict=True
    ):
        torch.testing.assert_close(plans, drawn, rtol=1e-6, atol=1e-6)
        assert np.array_equal(actions, expected)
    # One for new plans; of a continued one also for plans from old ones, and for what follows.
    assert graphs.recordings == (3 if mode == "continued" else 1)


def test_weights_that_are_written_to_are_seen_by_what_was_captured(plain_operations):
    model = tiny_model()
    planner, _ = captured(model, PlannerConfig())
    before = played(planner)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.5)
    planner.reset()
    after, expected = played(planner), played(Planner(model))
    assert not torch.equal(before[0][1], after[0][1])
    for (_, plans), (_, drawn) in zip(after, expected, strict=True):
        torch.testing.assert_close(plans, drawn, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rounded", [False, True])
def test_products_are_rounded_if_the_options_say_so_whatever_training_set(monkeypatch, rounded):
    seen = []
    model = tiny_model()
    encode = model.encode

    def noted(*arguments):
        seen.append(torch.get_float32_matmul_precision())
        return encode(*arguments)

    monkeypatch.setattr(model, "encode", noted)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        played(Planner(model, config=PlannerConfig(tf32=rounded)), steps=1)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)
    assert set(seen) == {"high" if rounded else "highest"}


@pytest.mark.parametrize("classifier", ["shared", "separate"])
@pytest.mark.parametrize("prediction", ["x0", "velocity", "noise"])
@pytest.mark.parametrize("compiled", [True, False])
def test_the_unrolled_network_is_the_model(monkeypatch, classifier, prediction, compiled):
    if not compiled:
        monkeypatch.setattr(row_layers, "_compiled", lambda x: False)
    model = tiny_model(classifier=classifier, prediction=prediction, blocks_per_level=2)
    levels = (5, 2, 0)
    unrolled = plan_networks.UnrolledNetwork(model, "rb-v0", levels)
    labelled = plan_networks.LabelledNetwork(model, "rb-v0", levels)
    x = torch.randn(7, 8, 16)
    for level in levels:
        for one, two in (
            (unrolled.denoise(x, level), labelled.denoise(x, level)),
            *zip(
                unrolled.denoise_with_gradient(x, level),
                labelled.denoise_with_gradient(x, level),
                strict=True,
            ),
            (unrolled.predicted_return(x, level), labelled.predicted_return(x, level)),
        ):
            # Of predicted noise, estimates at the noisiest level are hundreds, and so is rounding.
            torch.testing.assert_close(
                one, two, rtol=1e-4, atol=1e-5 * max(1, float(two.abs().max()))
            )


def test_many_rows_take_the_model_itself():
    model = tiny_model()
    networks = plan_networks.PlanNetworks(model, "rb-v0", (5, 0))
    for rows, kind in ((19, plan_networks.UnrolledNetwork), (10**7, plan_networks.LabelledNetwork)):
        networks.refresh(rows)
        assert isinstance(networks.of(rows), kind)
