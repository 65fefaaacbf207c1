"""The RB simulator against its definition, and the promises that every simulator makes."""

import copy
import hashlib
import pickle

import numpy as np
import pytest
from rb_oracle import Oracle

from wirelessenvs.policy import Information
from wirelessenvs.rb import RBConfig, RBSimulator, wrap_around_grid
from wirelessenvs.rb.simulator import BLOCK

NAMES = ("served", "waited", "dropped", "wasted", "granted", "generated")
RNG = np.random.default_rng(7)
TRACE = RNG.integers(0, 9, (23, 8)).tolist()
LATTICE = (np.abs(np.subtract.outer(np.arange(8), np.arange(8))) <= 2) & ~np.eye(8, dtype=bool)

#: Settings that together exercise every rule.
SETTINGS = {
    "default": {},
    "nine nodes": {"num_nodes": 9},
    "small queue": {"num_nodes": 9, "queue_capacity": 6},
    "poisson, own rates": {"traffic": "poisson", "mean_rate": [1, 2, 3, 4, 5, 6, 7, 0]},
    "bernoulli, load": {"traffic": "bernoulli", "load": 0.95},
    "trace": {"traffic": "trace", "trace": TRACE},
    "trace from its start": {"traffic": "trace", "trace": TRACE, "trace_random_start": False},
    "max-min": {"arbitration": "max-min", "num_nodes": 9},
    "collision": {"arbitration": "collision", "mean_rate": 1.5, "waste_cost": 0.3},
    "erasures": {"erasure_probability": 0.2},
    "own erasures": {"erasure_probability": [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.9, 1]},
    "collision with erasures": {"arbitration": "collision", "erasure_probability": 0.1},
    "paper observation": {"observation": "paper"},
    "neighbours' reward": {"reward": "neighbors", "waste_cost": 0.5},
    "global reward": {"reward": "global", "delay_cost": 0.3, "drop_cost": 2.0},
    "other frame": {"num_slots": 7, "num_frequencies": 3, "load": 0.9},
    "fast switching": {"switch_probability": 0.9, "modulation": 1.0},
    "conflict graph": {"conflicts": LATTICE, "load": 1.4},
    "conflict graph, max-min": {"conflicts": LATTICE, "load": 1.4, "arbitration": "max-min"},
    "conflict graph, collision": {"conflicts": LATTICE, "arbitration": "collision"},
    "six links": {"preset": "conflict"},
    "six links, collision": {"preset": "conflict", "arbitration": "collision"},
    "forty nodes": {"num_nodes": 40, "load": 0.9, "graph": "geometric", "reward": "neighbors"},
}


def config_of(settings):
    settings = dict(settings)
    return RBConfig.from_preset(settings.pop("preset", None), **settings)


def requests_for(config, steps, seed=0, num_envs=1):
    rng = np.random.default_rng(seed)
    return rng.integers(0, config.num_slots + 1, (steps, num_envs, config.num_nodes))


def everything(step):
    return [step.observations, step.rewards, step.truncated, *step.metrics.values()]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", SETTINGS)
def test_simulator_equals_the_slow_oracle(name):
    config = config_of(SETTINGS[name])
    simulator = RBSimulator(config)
    oracle = Oracle(config, 11, simulator.graph.adjacency)
    assert not simulator.reset([11]).any()
    for actions in requests_for(config, 2 * BLOCK + 20):
        step = simulator.step(actions)
        observations, rewards, metrics = oracle.step(actions[0])
        assert np.array_equal(step.observations[0], observations)
        assert np.allclose(step.rewards[0], rewards, rtol=1e-12, atol=1e-12)
        for metric, row in zip(NAMES, metrics, strict=True):
            assert np.array_equal(step.metrics[metric][0], row), metric
        assert simulator.modes[0].tolist() == oracle.modes


@pytest.mark.parametrize("name", ["default", "small queue", "erasures", "collision", "six links"])
def test_waits_obey_littles_law_exactly(name):
    config = config_of(SETTINGS[name])
    simulator = RBSimulator(config)
    oracle = Oracle(config, 3, simulator.graph.adjacency)
    simulator.reset([3])
    queued = 0
    for actions in requests_for(config, 400, seed=1):
        queued += simulator.step(actions).metrics["waited"].sum()
        oracle.step(actions[0])
    # A packet left behind at the end has waited from its frame to the last, inclusive.
    unfinished = sum(oracle.frame - born for queue in oracle.queues for born in queue)
    assert queued == sum(oracle.waits) + unfinished
    assert sum(oracle.waits) > 0


@pytest.mark.parametrize("name", SETTINGS)
def test_packets_are_conserved_and_grants_fit_the_frame(name):
    config = config_of(SETTINGS[name])
    simulator = RBSimulator(config, 3)
    simulator.reset(5)
    totals = dict.fromkeys(NAMES, 0.0)
    for actions in requests_for(config, 150, seed=2, num_envs=3):
        step = simulator.step(actions)
        for metric in NAMES:
            totals[metric] = totals[metric] + step.metrics[metric]
        granted = step.metrics["granted"]
        assert (granted <= actions).all()
        assert (step.metrics["served"] <= granted).all()
        if config.conflicts is None:
            assert (granted.sum(1) <= config.num_rbs).all()
        for env in range(3):
            usage = simulator.usage(env)
            assert np.array_equal((usage >= 0).sum(1), granted[env])
            for i, j in zip(*np.nonzero(config.conflict_matrix), strict=True):
                shared = (usage[i] >= 0) & (usage[i] == usage[j])
                assert not shared.any(), "conflicting nodes hold one RB"
    final = simulator.queues
    balance = totals["served"] + totals["dropped"] + final
    assert np.array_equal(totals["generated"], balance)
    assert (final <= config.queue_capacity).all()


def test_a_cluster_given_as_a_complete_conflict_graph_gets_the_same_counts():
    cluster = RBConfig(num_nodes=9)
    graph = RBConfig(num_nodes=9, conflicts=cluster.conflict_matrix.astype(int))
    first, second = RBSimulator(cluster, 2), RBSimulator(graph, 2)
    first.reset(0)
    second.reset(0)
    for actions in requests_for(cluster, 400, num_envs=2):
        assert same(everything(first.step(actions)), everything(second.step(actions)))


def test_precedence_rotates_with_the_frame():
    simulator = RBSimulator(RBConfig(num_nodes=9))
    simulator.reset(0)
    for frame in range(20):
        granted = simulator.step(np.full((1, 9), 10)).metrics["granted"][0]
        first = [(frame + k) % 9 for k in range(4)]
        assert sorted(np.flatnonzero(granted == 10)) == sorted(first)


def test_max_min_shares_differ_by_one_at_most_among_the_unsatisfied():
    simulator = RBSimulator(RBConfig(num_nodes=9, arbitration="max-min"))
    simulator.reset(0)
    for actions in requests_for(simulator.config, 200, seed=4):
        granted = simulator.step(actions).metrics["granted"][0]
        short = granted < actions[0]
        if short.any():
            assert granted.sum() == 40
            assert granted.max() <= granted[short].min() + 1


def test_real_requests_are_rounded_half_away_from_zero_and_clipped():
    simulator = RBSimulator()
    simulator.reset(0)
    asked = np.array([[0.5, 1.5, 2.49, -0.5, -7.0, 10.4, 99.0, 3.0]])
    granted = simulator.step(asked).metrics["granted"][0]
    assert granted.tolist() == [1, 2, 2, 0, 0, 10, 10, 3]


@pytest.mark.parametrize("name", ["default", "collision", "trace", "erasures", "six links"])
def test_same_seed_same_episode_and_other_seeds_differ(name):
    config = config_of(SETTINGS[name]).replace(max_steps=1000)

    def episode(seed):
        simulator = RBSimulator(config)
        simulator.reset([seed])
        return [everything(simulator.step(a)) for a in requests_for(config, 1000)]

    first, again, other = episode(1), episode(1), episode(2)
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not all(same(a, b) for a, b in zip(first, other, strict=True))
    assert first[-1][2].all()
    assert not first[-2][2].any()


def test_episodes_of_one_seed_differ_and_repeat_after_reseeding():
    simulator = RBSimulator()

    def arrivals():
        return [simulator.step(np.zeros((1, 8), int)).metrics["generated"] for _ in range(50)]

    simulator.reset([4])
    first = arrivals()
    simulator.reset()
    second = arrivals()
    simulator.reset([4])
    assert same(first, arrivals())
    assert not same(first, second)


def test_the_global_random_state_is_neither_used_nor_changed():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    rollouts = []
    for _ in range(2):
        simulator = RBSimulator(RBConfig(arbitration="collision", graph="geometric"))
        simulator.reset([9])
        rollouts.append([everything(simulator.step(a)) for a in requests_for(simulator.config, 70)])
        assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
        np.random.seed(1)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert all(same(a, b) for a, b in zip(*rollouts, strict=True))


@pytest.mark.parametrize("name", ["default", "collision", "erasures"])
def test_arrivals_and_modes_do_not_depend_on_actions(name):
    config = config_of(SETTINGS[name])
    busy, idle = RBSimulator(config), RBSimulator(config)
    busy.reset([6])
    idle.reset([6])
    for actions in requests_for(config, 200):
        first, second = busy.step(actions), idle.step(np.zeros_like(actions))
        assert np.array_equal(first.metrics["generated"], second.metrics["generated"])
        assert np.array_equal(busy.modes, idle.modes)
    # The channel too: the uniforms in store are the same.
    assert np.array_equal(busy._luck, idle._luck)


@pytest.mark.parametrize("name", ["default", "collision", "trace", "erasures", "six links"])
def test_a_batch_equals_single_environments_through_masked_steps_and_resets(name):
    config = config_of(SETTINGS[name])
    batch, singles = RBSimulator(config, 3), [RBSimulator(config) for _ in range(3)]
    seeds = [17, 3, 2**70]
    observations = batch.reset(seeds)
    alone = [s.reset([seed]) for s, seed in zip(singles, seeds, strict=True)]
    rng = np.random.default_rng(0)
    for t, actions in enumerate(requests_for(config, 200, num_envs=3)):
        active = rng.random(3) < 0.8
        step = batch.step(actions, active)
        for b, single in enumerate(singles):
            if active[b]:
                lone = single.step(actions[b : b + 1])
                alone[b] = lone.observations
                assert np.array_equal(step.rewards[b], lone.rewards[0])
                for metric in NAMES:
                    assert np.array_equal(step.metrics[metric][b], lone.metrics[metric][0])
            else:
                assert not step.rewards[b].any()
                assert not any(step.metrics[metric][b].any() for metric in NAMES)
        observations = step.observations
        if t % 31 == 30:
            mask = rng.random(3) < 0.5
            observations = batch.reset(mask=mask)
            for b in np.flatnonzero(mask):
                alone[b] = singles[b].reset()
        assert np.array_equal(observations, np.concatenate(alone))
        assert np.array_equal(batch.state(), np.concatenate([s.state() for s in singles]))


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
@pytest.mark.parametrize("name", ["default", "collision", "trace"])
def test_a_copy_in_mid_episode_continues_identically(name, copier):
    config = config_of(SETTINGS[name])
    simulator = RBSimulator(config, 2)
    simulator.reset(0)
    actions = requests_for(config, 200, num_envs=2)
    for a in actions[:50]:
        simulator.step(a)
    twin = copier(simulator)
    for a in actions[50:]:
        assert same(everything(simulator.step(a)), everything(twin.step(a)))
    assert np.array_equal(simulator.reset(), twin.reset())


def test_relabelling_nodes_relabels_everything_while_requests_fit():
    rng = np.random.default_rng(5)
    trace = rng.integers(0, 9, (300, 8))
    order = rng.permutation(8)
    loss = {"traffic": "trace", "trace_random_start": False, "queue_capacity": 12, "graph": LATTICE}
    relabelled = {**loss, "graph": LATTICE[order][:, order]}
    first = RBSimulator(RBConfig(trace=trace, reward="neighbors", **loss))
    second = RBSimulator(RBConfig(trace=trace[:, order], reward="neighbors", **relabelled))
    first.reset(0)
    second.reset(0)
    for _ in range(300):
        actions = rng.integers(0, 6, (1, 8))
        a, b = first.step(actions), second.step(actions[:, order])
        assert np.array_equal(a.observations[:, order], b.observations)
        assert np.allclose(a.rewards[:, order], b.rewards, rtol=1e-12)
        for metric in NAMES:
            assert np.array_equal(a.metrics[metric][:, order], b.metrics[metric])


def test_observations_and_states_lie_in_their_spaces_and_are_fresh():
    for settings in SETTINGS.values():
        simulator = RBSimulator(config_of(settings), 2)
        kept = simulator.reset(0)
        copies = kept.copy()
        for actions in requests_for(simulator.config, 40, num_envs=2):
            step = simulator.step(actions)
            assert step.observations.dtype == np.float32
            for env in range(2):
                for row in step.observations[env]:
                    assert simulator.observation_space.contains(row)
                assert simulator.state_space.contains(simulator.state()[env])
        assert np.array_equal(kept, copies)


def test_state_holds_observations_and_hidden_modes():
    simulator = RBSimulator(RBConfig(num_nodes=9), 2)
    simulator.reset(1)
    step = simulator.step(np.full((2, 9), 3))
    state = simulator.state()
    assert np.array_equal(state[:, :36], step.observations.reshape(2, -1))
    assert np.array_equal(state[:, 36:], simulator.modes)
    assert set(np.unique(simulator.modes)) == {0, 1}


def test_views_show_what_their_class_may_know():
    simulator = RBSimulator(RBConfig(num_nodes=9), 2)
    simulator.reset(1)
    for _ in range(2 * BLOCK + 3):
        central = simulator.privileged(Information.CENTRAL)
        genie = simulator.privileged(Information.GENIE)
        oracle = simulator.privileged(Information.CLAIRVOYANT)
        assert central.rates is None
        assert central.arrivals is None
        assert genie.arrivals is None
        assert np.array_equal(genie.rates, np.where(simulator.modes, 6.0, 2.0))
        step = simulator.step(np.full((2, 9), 4))
        assert np.array_equal(oracle.arrivals, step.metrics["generated"])
        assert np.array_equal(central.queues + step.metrics["generated"] - step.metrics["served"]
                              - step.metrics["dropped"], simulator.queues)  # fmt: skip
    assert simulator.privileged(Information.LOCAL) is None


def test_looking_ahead_changes_nothing():
    watched, blind = RBSimulator(num_envs=2), RBSimulator(num_envs=2)
    watched.reset(0)
    blind.reset(0)
    for actions in requests_for(watched.config, 150, num_envs=2):
        watched.privileged(Information.CLAIRVOYANT)
        watched.state()
        assert same(everything(watched.step(actions)), everything(blind.step(actions)))


def test_wrap_around_never_puts_a_node_twice_into_a_slot():
    rng = np.random.default_rng(0)
    for _ in range(300):
        counts = rng.multinomial(rng.integers(0, 41), np.full(8, 1 / 8))
        counts = np.minimum(counts, 10)
        grid = wrap_around_grid(counts)
        assert grid.shape == (4, 10)
        for node, count in enumerate(counts):
            held = grid == node
            assert held.sum() == count
            assert held.sum(0).max() <= 1


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([11], "counts must be between 0 and 10"),
        ([10] * 5, "counts must sum to at most 40, got 50"),
        ([-1], "counts must be between 0 and 10"),
        ([np.nan], "counts must be finite"),
    ],
)
def test_wrap_around_refuses_what_does_not_fit(counts, message):
    with pytest.raises(ValueError, match=message):
        wrap_around_grid(counts)


def test_grid_shows_the_grants_of_the_last_frame():
    simulator = RBSimulator(RBConfig(num_nodes=9), 2)
    simulator.reset(0)
    step = simulator.step(requests_for(simulator.config, 1, num_envs=2)[0])
    for env in range(2):
        counts = [(simulator.grid(env) == i).sum() for i in range(9)]
        assert counts == step.metrics["granted"][env].tolist()
        assert np.array_equal(simulator.grid(env), wrap_around_grid(simulator.grants[env]))


def test_graphs_connect_who_they_say():
    degrees = {
        graph: set(RBSimulator(RBConfig(graph=graph)).graph.degrees.tolist())
        for graph in ("ring-1", "ring-2", "complete", "none")
    }
    assert degrees == {"ring-1": {2}, "ring-2": {4}, "complete": {7}, "none": {0}}
    geometric = RBSimulator(RBConfig(graph="geometric", graph_radius=0.3, graph_seed=2)).graph
    distance = np.linalg.norm(geometric.positions[:, None] - geometric.positions, axis=-1)
    assert np.array_equal(geometric.adjacency, (distance <= 0.3) & ~np.eye(8, dtype=bool))
    given = RBSimulator(RBConfig(graph=LATTICE.astype(int).tolist())).graph
    assert np.array_equal(given.adjacency, LATTICE)
    links = RBSimulator(RBConfig.from_preset("conflict"))
    assert np.array_equal(links.graph.adjacency, links.config.conflict_matrix)


def test_golden_rollout():
    """A change here means that results differ: bump the environment's version."""
    digest = hashlib.sha256()
    for settings in (
        {},
        {"num_nodes": 9, "erasure_probability": 0.1},
        {"arbitration": "collision"},
    ):
        simulator = RBSimulator(RBConfig(**settings), 2)
        simulator.reset(2025)
        for actions in requests_for(simulator.config, 100, seed=3, num_envs=2):
            step = simulator.step(actions)
            for values in (step.observations, step.rewards, *step.metrics.values()):
                digest.update(np.round(values.astype(np.float64), 5).astype("<f8").tobytes())
    assert digest.hexdigest()[:16] == "46e3ba1829abbf54"


def test_six_links_queue_as_in_the_published_slot_model():
    """Zhang and Guo (arXiv:2312.05746): a slot's transmissions come before its arrivals, at most
    one packet arrives, links with nothing to send are silent, and conflicting ones lose theirs.

    Our frame lets arrivals be served at once. With requests only from links that have a packet
    both orders give the same queues and the same delays.
    """
    config = RBConfig.from_preset(
        "conflict",
        traffic="bernoulli",
        mean_rate=1 - np.exp(-0.15),
        arbitration="collision",
        queue_capacity=2000,
    )
    simulator = RBSimulator(config)
    simulator.reset([0])
    conflicts = config.conflict_matrix
    packets = [[] for _ in range(6)]
    delays, ages = [], []
    rng = np.random.default_rng(0)
    for slot in range(2000):
        wishes = rng.random(6) < 0.4
        sending = [i for i in range(6) if wishes[i] and packets[i]]
        delivered = [i for i in sending if not any(conflicts[i, j] for j in sending)]
        for i in delivered:
            delays.append(slot - packets[i].pop(0))
        step = simulator.step((wishes & (simulator.queues > 0)).astype(int))
        for i in np.flatnonzero(step.metrics["generated"][0]):
            packets[i].append(slot)
        assert [len(queue) for queue in packets] == simulator.queues[0].tolist()
        ages.append(simulator.ages[0].max())
        assert np.flatnonzero(step.metrics["served"][0]).tolist() == delivered
    assert len(delays) > 1000
    assert 1 <= min(delays) < max(delays) <= max(ages)
