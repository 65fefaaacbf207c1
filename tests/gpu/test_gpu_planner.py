"""Noise, samplers and decisions of the planner on two devices.

Tolerance: keys equal; normal numbers 1e-5; a plan 1e-4 of its greatest entry, without guidance and
with: each is a chain of five passes. Decisions among plans (`select`, `both`, votes) and among
choices must be equal for all agents but those whose two best lie within that tolerance.
"""

import numpy as np
import pytest
import torch
from parity import CPU, assert_parity
from planner_cases import planner_of, ring, scene

from networld_agent.keyed_random import hashed, normals, stream_keys
from networld_agent.planning.guidance import Guidance
from networld_agent.planning.samplers import noised, sample, sampler_steps, trailing_levels

#: Of a plan, against its greatest entry.
TOLERANCE = 1e-4


# ---------------------------------------------------------------------------- noise
def test_keys_are_equal_as_integers(other):
    def work(device):
        seeds = torch.tensor([0, 1, 2**31, 2**62 + 5, -(2**63)]).to(device)
        agents = torch.arange(64).to(device)
        keys = stream_keys(torch.tensor(7).to(device), seeds[:, None], agents)
        return {"keys": keys, "mixed": hashed(keys, 3)}

    assert len(assert_parity(work, other)["keys"].unique()) == 5 * 64


@pytest.mark.parametrize("shape", [(1,), (7,), (32, 64)], ids=str)
def test_normal_numbers_of_an_agent(other, shape):
    def work(device):
        keys = stream_keys(torch.arange(100).to(device))
        return [normals(hashed(keys, draw), shape) for draw in (0, 1, 5)]

    assert_parity(work, other, 1e-5)


# ------------------------------------------------------------------------- samplers
@pytest.mark.parametrize("name", ["ddim", "dpm", "ddpm"])
def test_samplers_of_a_known_denoiser(other, name):
    def work(device):
        curve = torch.cos(torch.linspace(0.05, 1.5, 21))[1:] ** 2
        steps = sampler_steps(name, curve, trailing_levels(20, 6))
        start, clean = (torch.randn(50, 8, 4).to(device) for _ in range(2))
        noise = [torch.randn(50, 8, 4).to(device) for _ in steps]

        def denoise(x, step):
            return torch.tanh(x) * 0.5 + 0.3 * clean / (1 + step.level)

        return {
            "plans": sample(steps, start, denoise, noise.__getitem__),
            "noised": noised(clean, start, float(curve[3])),
        }

    assert_parity(work, other)


@pytest.mark.parametrize("normalize", [True, False])
def test_guidance(other, normalize):
    def work(device):
        gradient = torch.randn(20, 8, 4)
        gradient[3] = 0
        gradient[4] *= 1e-12
        estimate = torch.randn(20, 8, 4)
        return Guidance(0.7, normalize).steered(estimate.to(device), gradient.to(device), 0.01)

    assert_parity(work, other)


OPTIONS = {
    "guide": {"plan_mode": "guide"},
    "none": {"plan_mode": "none"},
    "plain gradient": {"normalize_gradient": False, "guidance_scale": 0.01},
    "ddim 6": {"sampler": "ddim", "steps": 6, "unguided_steps": 0},
    "dpm": {"sampler": "dpm", "steps": 5},
    "ddpm": {"sampler": "ddpm", "steps": 5},
    "spacing": {"steps": 4, "spacing": 2.0, "temperature": 0.5},
    "warm start": {"warm_start": 2, "steps": 4},
    "execute": {"execute": 2},
}


@pytest.mark.parametrize(
    ("name", "task"),
    [*((name, "cbf-v0") for name in OPTIONS), *((n, "rb-v0") for n in ("guide", "execute"))],
)
def test_plans_that_choose_nothing(other, name, task):
    """The second decision starts from what the first one left."""
    planners = []

    def work(device):
        planner = planner_of(device, task, **{"guidance_scale": 0.3, **OPTIONS[name]})
        planners.append(planner)
        found = []
        for step in range(3):
            planner.act(scene(seed=step), ring(16))
            found.append(planner.plans)
        return found

    assert_parity(work, other, TOLERANCE)
    here, there = (planner.act(scene(seed=9), ring(16)) for planner in planners)
    assert here.dtype == there.dtype
    if task == "cbf-v0":
        np.testing.assert_allclose(here, there, rtol=1e-3, atol=1e-4)
    else:
        clear = clear_choices(planners[0], scene(seed=9), here)
        assert (here == there)[clear].all()
        assert clear.mean() > 0.9


def clear_choices(planner, observations, actions, decisions=4):
    """`(B, N)` agents whose best logit is ahead of the next one by more than the tolerance."""
    model, flat = planner.model, torch.from_numpy(observations).flatten(0, 1)
    with torch.no_grad():
        z = model.encode(planner.task, flat)
        at = (decisions - 1) % planner.config.execute + 1
        following = planner.plans.flatten(0, 1)[:, at, : model.latent_size]
        (logits,) = model.inverse(planner.task)(z, following)
    # What is looked at is the step of the plans that was followed.
    assert (torch.from_numpy(actions).flatten() == logits.argmax(-1)).all()
    best, second = logits.topk(2, -1).values.T
    clear = (best - second) > 10 * TOLERANCE * logits.abs().amax(-1)
    return clear.reshape(observations.shape[:2]).numpy()


CHOOSING = {
    "select": {"plan_mode": "select", "candidates": 4},
    "both": {"plan_mode": "both", "candidates": 3},
    "votes": {"plan_mode": "guide", "votes": 4},
    "votes of selected": {"plan_mode": "select", "candidates": 2, "votes": 3},
}


@pytest.mark.parametrize("task", ["rb-v0", "cbf-v0"])
@pytest.mark.parametrize("name", CHOOSING)
def test_plans_that_are_chosen(other, name, task):
    """A tie may be broken otherwise: for at most one agent of 32, and only where it is one."""
    sides = {}

    def plan(device):
        planner = planner_of(device, task, **{"guidance_scale": 0.3, **CHOOSING[name]})
        actions = planner.act(scene(), ring(16))
        sides[len(sides)] = planner.plans.flatten(0, 1).cpu(), actions
        return {}

    assert_parity(plan, other)
    (here, actions), (there, others) = sides[0], sides[1]
    if other.exact:
        assert torch.equal(here, there)
        assert np.array_equal(actions, others)
        return
    apart = (here - there).abs().amax((1, 2)) > TOLERANCE * here.abs().max()
    if "vote" in name and task == "rb-v0":
        # Plans that lead to one and the same choice are equally likely: any of them will do.
        apart = torch.from_numpy(actions != others).flatten()
    assert apart.sum() <= 1, f"{int(apart.sum())} of {len(apart)} agents differ"
    same = ~apart.reshape(actions.shape[:2]).numpy()
    if task == "cbf-v0":
        np.testing.assert_allclose(actions[same], others[same], rtol=1e-3, atol=1e-4)
    else:
        assert (actions == others)[same].sum() >= same.sum() - 1
    if "vote" not in name and apart.any():
        generator = planner_of(CPU, task, **CHOOSING[name]).generator
        torch.testing.assert_close(
            generator.rate(here[apart]), generator.rate(there[apart]), rtol=1e-3, atol=1e-3
        )


# ------------------------------------------------------------------------- locality
LOCAL = {
    "guide": {}, "both": {"plan_mode": "both", "candidates": 3}, "ddpm": {"sampler": "ddpm"},
    "warm start": {"warm_start": 2}, "votes": {"votes": 4},
}  # fmt: skip


@pytest.mark.parametrize("name", LOCAL)
def test_an_observation_far_away_changes_no_action_on_the_device(other, name):
    """Agent 0 hears 1 and 15 alone; equal bits, as rows of a product do not meet."""
    if other.name == "rounded":
        pytest.skip("errors of the stand-in depend on the whole batch")
    here, there = (planner_of(other.device, "cbf-v0", **LOCAL[name]) for _ in range(2))
    for step in range(3):
        observations = scene(seed=step)
        changed = observations.copy()
        changed[:, 2:15] += 100 * (step + 1)
        actions, others = here.act(observations, ring(16)), there.act(changed, ring(16))
        np.testing.assert_array_equal(actions[:, 0], others[:, 0])
        np.testing.assert_array_equal(here.plans[:, 0].cpu(), there.plans[:, 0].cpu())
        # Those next to what changed do notice.
        assert (actions[:, 2] != others[:, 2]).any()
        assert (actions[:, 1] != others[:, 1]).any()


@pytest.mark.parametrize("name", LOCAL)
def test_an_environment_plans_alike_alone_and_in_a_batch_on_the_device(other, name):
    """Products of other sizes may be summed otherwise: within the tolerance of a plan."""
    together, alone = (planner_of(other.device, "cbf-v0", **LOCAL[name]) for _ in range(2))
    together.reset(seeds=[5, 6, 7])
    alone.reset(seeds=[6])
    for step in range(3):
        observations = scene(3, seed=step)
        one = together.act(observations, ring(16))[1]
        two = alone.act(observations[1:2], ring(16))[0]
        error = (together.plans[1] - alone.plans[0]).abs().amax((1, 2)).cpu()
        close = error <= TOLERANCE * float(together.plans.abs().max())
        # Which of several plans is followed may be a tie.
        assert close.sum() >= 16 - (name in ("both", "votes"))
        np.testing.assert_allclose(one[close.numpy()], two[close.numpy()], rtol=1e-3, atol=1e-4)
