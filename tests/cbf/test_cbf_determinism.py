"""Same seed, same world: over runs, batches, masks, copies and whatever the agents do."""

import copy
import hashlib
import pickle
import random

import numpy as np
import pytest

from wirelessenvs.cbf import POLICIES, CBFConfig, CBFSimulator

#: Hash of a rollout rounded to 5 digits. A change here changes results: bump the version of the
#: environment (cbf_v0 -> cbf_v1) and say so in the changelog.
GOLDEN_HASH = "91706801741598e1"
#: In the hash; others follow from these.
METRICS = ("rate", "power", "interference_db")

VARIANTS = {
    "paper": {},
    "random-layouts": {"preset": "general", "num_cells": 7},
    "beams": {"num_cells": 7, "action": "beam", "observation": "log", "graph": "interferers"},
}


def simulator_of(name, num_envs=1, **overrides):
    return CBFSimulator(CBFConfig.from_preset(**{**VARIANTS[name], **overrides}), num_envs)


def actions_of(simulator, steps, seed=0):
    """`(steps, B, N, ...)` uniform actions."""
    rng = np.random.default_rng(seed)
    shape = (steps, simulator.num_envs, simulator.num_agents)
    if simulator.config.action == "codebook":
        return rng.integers(simulator.config.num_actions, size=shape)
    return rng.uniform(-40, 40, (*shape, 2 * simulator.config.num_antennas))


def play(simulator, actions, mask=None, metrics=None):
    """Everything a run returns, or only some of its metrics, as one list of arrays."""
    trace = []
    for joint in actions:
        step = simulator.step(joint, mask)
        shown = [step.metrics[name] for name in metrics or step.metrics]
        trace += [step.observations, step.rewards, *shown, simulator.state()]
    return trace


def assert_same(first, second):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", VARIANTS)
def test_same_seed_gives_the_same_episode(name):
    one, other = simulator_of(name), simulator_of(name)
    actions = actions_of(one, 100)
    np.testing.assert_array_equal(one.reset(5), other.reset(5))
    assert_same(play(one, actions), play(other, actions))
    np.testing.assert_array_equal(one.reset(), other.reset())  # the next episode, too


@pytest.mark.parametrize("name", VARIANTS)
def test_different_seeds_and_episodes_differ(name):
    simulator = simulator_of(name)
    first, second = simulator.reset(1), simulator.reset(2)
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, simulator.reset())
    np.testing.assert_array_equal(first, simulator.reset(1))


def test_global_random_state_is_neither_used_nor_moved():
    simulator = simulator_of("random-layouts")
    random.seed(1), np.random.seed(1)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = [simulator.reset(3), *play(simulator, actions_of(simulator, 5))]
    simulator_of("paper").reset(0)
    assert random.getstate() == before[0]
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    random.seed(2), np.random.seed(2)  # noqa: NPY002
    assert_same(first, [simulator.reset(3), *play(simulator, actions_of(simulator, 5))])


@pytest.mark.parametrize("name", VARIANTS)
def test_channels_do_not_depend_on_actions(name):
    one, other = simulator_of(name), simulator_of(name)
    one.reset(0), other.reset(0)
    play(one, actions_of(one, 20, seed=1))
    play(other, actions_of(one, 20, seed=2))
    np.testing.assert_array_equal(one._arrays.channel, other._arrays.channel)
    np.testing.assert_array_equal(one.ue_positions, other.ue_positions)
    assert not np.array_equal(one._arrays.features, other._arrays.features)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_batch_equals_single_environments_through_masks_and_resets(name):
    batch = simulator_of(name, 3)
    singles = [simulator_of(name) for _ in range(3)]
    seeds = [11, 4, 900]
    batch.reset(seeds)
    for single, seed in zip(singles, seeds, strict=True):
        single.reset([seed])
    actions = actions_of(batch, 30)
    rng = np.random.default_rng(2)
    for joint in actions:
        active = rng.random(3) < 0.7
        step = batch.step(joint, active)
        restart = rng.random(3) < 0.15
        after = batch.reset(mask=restart)
        state = batch.state()
        for env, single in enumerate(singles):
            alone = single.step(joint[env : env + 1], active[env : env + 1])
            np.testing.assert_array_equal(step.observations[env], alone.observations[0])
            np.testing.assert_array_equal(step.rewards[env], alone.rewards[0])
            for metric, values in step.metrics.items():
                np.testing.assert_array_equal(values[env], alone.metrics[metric][0])
            expected = single.reset(mask=restart[env : env + 1])
            np.testing.assert_array_equal(after[env], expected[0])
            np.testing.assert_array_equal(state[env], single.state()[0])


@pytest.mark.parametrize("name", VARIANTS)
def test_an_inactive_environment_rests(name):
    simulator = simulator_of(name, 2)
    before = simulator.reset(0)
    step = simulator.step(actions_of(simulator, 1)[0], np.array([True, False]))
    np.testing.assert_array_equal(step.observations[1], before[1])
    assert not np.array_equal(step.observations[0], before[0])
    assert not step.rewards[1].any()
    assert not any(values[1].any() for values in step.metrics.values())


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_in_mid_episode_goes_on_identically(name, clone):
    simulator = simulator_of(name, 2)
    simulator.reset(0)
    actions = actions_of(simulator, 20)
    play(simulator, actions[:10])
    twin = clone(simulator)
    assert_same(play(simulator, actions[10:]), play(twin, actions[10:]))
    np.testing.assert_array_equal(simulator.reset(), twin.reset())


def test_returned_arrays_are_never_overwritten():
    simulator = simulator_of("paper")
    simulator.reset(0)
    actions = actions_of(simulator, 4)
    trace = play(simulator, actions[:2])
    kept = [array.copy() for array in trace]
    play(simulator, actions[2:])
    assert_same(trace, kept)


def test_policies_are_deterministic_under_their_seed():
    simulator = simulator_of("paper", 2)
    observations = simulator.reset(0)
    one, other = (POLICIES["random"](simulator.spec, 2, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one(observations), other(observations))
    assert not np.array_equal(
        one(observations), POLICIES["random"](simulator.spec, 2, 4)(observations)
    )


def test_a_short_rollout_has_not_changed():
    trace = []
    for name in VARIANTS:
        simulator = simulator_of(name)
        simulator.reset(2024)
        trace += play(simulator, actions_of(simulator, 8), metrics=METRICS)
    digits = "\n".join(
        " ".join(f"{value:.4e}" for value in np.ravel(array).astype(np.float64) + 0.0)
        for array in trace
    )
    assert hashlib.sha256(digits.encode()).hexdigest()[:16] == GOLDEN_HASH
