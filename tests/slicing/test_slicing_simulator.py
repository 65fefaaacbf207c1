"""Determinism, independence, batches, copies, and what couples to what."""

import copy
import dataclasses
import hashlib
import pickle
import random

import numpy as np
import pytest

from wirelessenvs.slicing import SlicingConfig, SlicingSimulator
from wirelessenvs.slicing.rewards import lstm_a2c_shaping, utility

SMALL = SlicingConfig.from_preset("small", num_users=200, max_steps=5)
COUPLED = SlicingConfig.from_preset("coupled", num_cells=7, num_users=400, slots_per_window=150)


def actions(config, steps, batch=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 1e7, (steps, batch, config.num_cells, 3))


def play(simulator, moves):
    return [simulator.step(move) for move in moves]


def same(first, second):
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.observations, b.observations)
        assert np.array_equal(a.rewards, b.rewards)
        assert a.metrics.keys() == b.metrics.keys()
        assert all(np.array_equal(a.metrics[name], b.metrics[name]) for name in a.metrics)


@pytest.mark.parametrize("config", [SMALL, COUPLED], ids=["small", "coupled"])
def test_same_seed_gives_the_same_episode(config):
    runs = []
    for _ in range(2):
        simulator = SlicingSimulator(config)
        simulator.reset(7)
        runs.append(play(simulator, actions(config, 5)))
        np.random.seed(3)  # noqa: NPY002
        random.seed(3)
    same(*runs)


def test_the_global_random_state_is_neither_read_nor_written():
    before = np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    simulator = SlicingSimulator(SMALL)
    simulator.reset(7)
    play(simulator, actions(SMALL, 2))
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before  # noqa: NPY002


def test_different_seeds_and_episodes_differ():
    simulator = SlicingSimulator(SMALL, 2)
    first = simulator.reset([1, 2])
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, simulator.reset())


def test_windows_of_an_episode_differ():
    simulator = SlicingSimulator(SMALL)
    simulator.reset(1)
    steps = play(simulator, np.full((3, 1, 7, 3), 3e6))
    assert not np.array_equal(steps[0].metrics["demand_video"], steps[1].metrics["demand_video"])


@pytest.mark.parametrize("config", [SMALL, COUPLED], ids=["small", "coupled"])
def test_a_batch_equals_single_environments_through_masked_resets(config):
    batch = SlicingSimulator(config, 3)
    singles = [SlicingSimulator(config) for _ in range(3)]
    batch.reset([5, 6, 7])
    for seed, single in zip([5, 6, 7], singles, strict=True):
        single.reset(seed)
    for t, move in enumerate(actions(config, 5, 3)):
        mask = np.array([True, t % 2 == 0, True])
        step = batch.step(move, mask)
        for i, single in enumerate(singles):
            if mask[i]:
                alone = single.step(move[i : i + 1])
                assert np.array_equal(step.observations[i], alone.observations[0])
                assert np.array_equal(step.rewards[i], alone.rewards[0])
                for name, values in step.metrics.items():
                    assert np.array_equal(values[i], alone.metrics[name][0]), name
            else:
                assert not step.rewards[i].any()
                assert not any(values[i].any() for values in step.metrics.values())
        if t == 2:
            observations = batch.reset(mask=np.array([False, True, False]))
            assert np.array_equal(observations[1], singles[1].reset()[0])
            assert np.array_equal(batch.state()[1], singles[1].state()[0])


@pytest.mark.parametrize("config", [SMALL, COUPLED], ids=["small", "coupled"])
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))], ids=["copy", "pickle"]
)
def test_a_copy_in_mid_episode_goes_on_identically(config, duplicate):
    simulator = SlicingSimulator(config, 2)
    simulator.reset(3)
    moves = actions(config, 6, 2)
    play(simulator, moves[:3])
    twin = duplicate(simulator)
    same(play(simulator, moves[3:]), play(twin, moves[3:]))
    assert np.array_equal(simulator.reset(), twin.reset())


@pytest.mark.parametrize("config", [SMALL, COUPLED], ids=["small", "coupled"])
def test_results_do_not_depend_on_threads(config):
    runs = []
    for threads in (1, 3):
        simulator = SlicingSimulator(dataclasses.replace(config, num_threads=threads), 2)
        simulator.reset(3)
        runs.append(play(simulator, actions(config, 3, 2)))
        pickle.dumps(simulator)
    same(*runs)


def test_arrivals_and_walks_do_not_depend_on_actions():
    for config in (SMALL, COUPLED):
        worlds = []
        for split in ([1e7, 0, 0], [0, 1e7, 0]):
            simulator = SlicingSimulator(config)
            simulator.reset(9)
            steps = play(simulator, np.broadcast_to(split, (4, 1, 7, 3)))
            demands = [[step.metrics[f"demand_{name}"] for name in ("volte", "video", "urllc")]
                       for step in steps]  # fmt: skip
            worlds.append((np.array(demands), simulator.positions, simulator.users.gap))
        for first, second in zip(*worlds, strict=True):
            assert np.array_equal(first, second)


def test_without_couplings_the_past_does_not_matter():
    """Two different pasts, then one and the same window."""
    ends = []
    for past in ([1e7, 0, 0], [0, 1e7, 0]):
        simulator = SlicingSimulator(SMALL)
        simulator.reset(9)
        play(simulator, np.broadcast_to(past, (3, 1, 7, 3)))
        ends.append(simulator.step(np.full((1, 7, 3), 3e6)))
    same(ends[:1], ends[1:])


@pytest.mark.parametrize("coupling", ["carry_over", "interference"])
def test_each_coupling_makes_the_past_matter(coupling):
    config = SlicingConfig(
        num_cells=7, num_users=400, slots_per_window=150, urllc_packets="small", **{coupling: True}
    )
    ends = []
    for past in ([1e7, 0, 0], [0, 0, 1e7]):
        simulator = SlicingSimulator(config)
        simulator.reset(9)
        play(simulator, np.broadcast_to(past, (3, 1, 7, 3)))
        ends.append(simulator.step(np.full((1, 7, 3), 3e6)).rewards)
    assert not np.array_equal(*ends)


def test_cells_do_not_touch_each_other_without_interference():
    one, other = (SlicingSimulator(SMALL) for _ in range(2))
    one.reset(2)
    other.reset(2)
    move = actions(SMALL, 1)[0]
    changed = move.copy()
    changed[0, 1:] = changed[0, 1:, ::-1]
    assert one.step(move).rewards[0, 0] == other.step(changed).rewards[0, 0]


@pytest.mark.parametrize("config", [SMALL, COUPLED], ids=["small", "coupled"])
def test_relabelling_the_cells_relabels_the_results(config):
    permutation = np.random.default_rng(0).permutation(7)
    plain, relabelled = SlicingSimulator(config), SlicingSimulator(config)
    relabelled.sites = plain.sites[permutation]
    plain.reset(4)
    relabelled.reset(4)
    for move in actions(config, 3):
        first, second = plain.step(move), relabelled.step(move[:, permutation])
        if not config.interference:
            assert np.array_equal(first.rewards[:, permutation], second.rewards)
        # Interference is summed in the order of the labels: equal but for the last bits.
        np.testing.assert_allclose(first.observations[:, permutation], second.observations)


def test_observations_and_states_lie_in_their_spaces():
    for config in (SMALL, COUPLED, SlicingConfig.from_preset("small", observation="paper")):
        simulator = SlicingSimulator(config)
        observations = simulator.reset(1)
        for move in actions(config, 3):
            assert observations.dtype == np.float32
            assert all(simulator.observation_space.contains(row) for row in observations[0])
            assert simulator.state_space.contains(simulator.state()[0])
            step = simulator.step(move)
            assert step.rewards.dtype == np.float64
            assert not np.shares_memory(step.observations, observations)
            observations = step.observations


def test_an_observation_holds_demands_allocation_and_satisfaction():
    simulator = SlicingSimulator(SMALL)
    first = simulator.reset(1)[0]
    step = simulator.step(np.broadcast_to([2e6, 3e6, 5e6], (1, 7, 3)))
    row, metrics = step.observations[0], step.metrics
    for s, name in enumerate(("volte", "video", "urllc")):
        assert np.array_equal(row[:, s], metrics[f"demand_{name}"][0].astype(np.float32))
        assert np.array_equal(row[:, 9 + s], metrics[f"ssr_{name}"][0].astype(np.float32))
    assert np.array_equal(row[:, 3:6], first[:, :3])
    np.testing.assert_allclose(row[:, 6:9], np.broadcast_to([2.0, 3.0, 5.0], (7, 3)))


def test_rewards_are_functions_of_the_metrics():
    for reward in ("ssr", "utility", "lstm-a2c"):
        config = SlicingConfig.from_preset(
            "small", reward=reward, ssr_weights=(1.0, 2.0, 5.0), beta=(1.0, 4.0, 6.0)
        )
        simulator = SlicingSimulator(config)
        simulator.reset(1)
        step = simulator.step(actions(config, 1)[0])
        m = step.metrics
        by_hand = {
            "ssr": (m["ssr_volte"] + 2 * m["ssr_video"] + 5 * m["ssr_urllc"]) / 8,
            "utility": 0.01 * m["se"] + m["ssr_volte"] + 4 * m["ssr_video"] + 6 * m["ssr_urllc"],
            "lstm-a2c": m["shaping"],
        }
        np.testing.assert_allclose(step.rewards, by_hand[reward], rtol=1e-12)
        np.testing.assert_allclose(m["utility"], by_hand["utility"], rtol=1e-12)
        mean = (m["ssr_volte"] + m["ssr_video"] + m["ssr_urllc"]) / 3
        np.testing.assert_allclose(m["mean_ssr"], mean)


@pytest.mark.parametrize(
    ("ssr", "se", "reward"),
    [
        ([0.97, 1.0, 1.0], 400.0, -5.0),
        ([1.0, 0.97, 1.0], 400.0, -5.0),
        ([0.98, 0.98, 0.9], 400.0, 2.0),
        ([1.0, 1.0, 0.0], 400.0, -7.0),
        ([1.0, 1.0, 0.95], 200.0, 4.0),
        ([1.0, 1.0, 1.0], 300.0, 6.0),
    ],
)
def test_shaping_by_hand(ssr, se, reward):
    assert lstm_a2c_shaping(np.array(ssr), np.array(se)) == pytest.approx(reward)


def test_utility_by_hand():
    assert utility(np.array([1.0, 0.5, 0.5]), np.array(200.0), (1, 4, 6)) == pytest.approx(8.0)


def test_an_empty_slice_counts_as_satisfied_and_is_flagged():
    config = SlicingConfig.from_preset("small", user_mix=(0.0, 1.0, 0.0))
    simulator = SlicingSimulator(config)
    simulator.reset(1)
    metrics = simulator.step(np.full((1, 7, 3), 3e6)).metrics
    assert (metrics["ssr_volte"] == 1).all()
    assert (metrics["empty_slices"] == 2).all()


def test_stepping_before_reset_is_refused():
    with pytest.raises(RuntimeError, match="before reset"):
        SlicingSimulator(SMALL).step(actions(SMALL, 1)[0])


def test_golden_episode():
    """A change of this hash changes results: it needs a new version of the task (now v0)."""
    digest = hashlib.sha256()
    for config in (SMALL, COUPLED):
        simulator = SlicingSimulator(config, 2)
        numbers = [simulator.reset(2024)]
        for step in play(simulator, actions(config, 3, 2)):
            numbers += [step.observations, step.rewards, *step.metrics.values()]
        for values in numbers:
            text = " ".join(f"{value:.5g}" for value in np.ravel(values) + 0.0)
            digest.update(text.encode())
    assert digest.hexdigest()[:16] == "cfe544b47996265d"
