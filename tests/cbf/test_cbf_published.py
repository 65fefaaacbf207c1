"""Published means over 100,000 slots, from the published random-number recipe. Minutes: long."""

import numpy as np
import pytest
from cbf_recipe import PublishedWorld
from cbf_replay import ReplaySimulator

from wirelessenvs import Information
from wirelessenvs.cbf import POLICIES, CBFConfig

SLOTS, LAST = 100_000, 10_000

#: Policy: mean rate over all slots and over the last 10,000 (bit/s/Hz per cell), Q = 4 beams.
PUBLISHED = {"greedy": (6.9516, 6.940), "random": (4.4163, 4.415)}


def published_rates(policy_name, slots):
    """Mean rate of every slot in the published world."""
    world = PublishedWorld(num_beams=4)
    simulator = ReplaySimulator(CBFConfig(num_beams=4, max_steps=slots), world)
    observations = simulator.reset(0)
    policy = POLICIES[policy_name](simulator.spec)
    rates = np.empty(slots)
    for slot in range(slots):
        if policy_name == "random":  # the published random agent shares the code's generator
            actions = np.array([world.random_actions()])
        else:
            actions = policy(observations, simulator.privileged(Information.GENIE))
        rates[slot] = simulator.step(actions).metrics["rate"].mean()
    return rates


@pytest.mark.long
@pytest.mark.parametrize("policy_name", PUBLISHED)
def test_published_means_are_reproduced_to_the_last_digit(policy_name):
    rates = published_rates(policy_name, SLOTS)
    whole, last = PUBLISHED[policy_name]
    print(f"{policy_name}: {rates.mean():.6f} over all, {rates[-LAST:].mean():.6f} at the end")
    assert rates.mean() == pytest.approx(whole, abs=5.1e-5)
    assert rates[-LAST:].mean() == pytest.approx(last, abs=5.1e-4)
