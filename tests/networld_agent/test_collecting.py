"""What collection records: the same whatever plays it, and exactly what was executed."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from dataset_cases import SMALL, contents, small_dataset

from networld_agent.collecting import MIXED_SHARES, CollectionSettings, EpisodeSource, collect
from networld_agent.collecting.blocks import plan_blocks
from networld_agent.collecting.tiers import TIERS, default_seed, tier_policy
from networld_agent.data import TrajectoryDataset
from networld_agent.evaluation.players import check_fit
from networld_agent.worlds.make import make_worlds
from wirelessenvs.policy import Information, Policy
from wirelessenvs.seeds import EVALUATION_SEEDS
from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import TASKS, Task, make_policy, make_simulator

ROOT = Path(__file__).parents[2]
CBF_BEAM = {"overrides": {"num_cells": 7, "layout_seed": None, "action": "beam"}}
CBF_DYNAMIC = {"overrides": {"num_cells": 7, "graph": "interferers", "layout_seed": None}}


def settings_of(task, policy="expert", episodes=5, steps=40, **changes):
    arguments = {**SMALL[task], **changes}
    return CollectionSettings(env=task, policy=policy, episodes=episodes, steps=steps, **arguments)


@pytest.mark.parametrize("policy", ["expert", "genie", "medium", "random", "mixed", "replay"])
@pytest.mark.parametrize("task", list(TASKS))
def test_bytes_do_not_depend_on_the_batch(task, policy, tmp_path):
    alone = collect(settings_of(task, policy), tmp_path / "alone", num_envs=1)
    assert contents(alone) == contents(small_dataset(task, policy))


def test_bytes_do_not_depend_on_worker_processes(tmp_path):
    path = collect(settings_of("rb-v0"), tmp_path / "two", num_envs=2, jobs=2)
    assert contents(path) == contents(small_dataset("rb-v0"))


class Wanderer(Policy):
    """Draws from one stream for its whole batch, and remembers what it drew."""

    name = "wanderer"
    information = Information.CENTRAL

    def __init__(self, spec, num_envs=1, seed=0):
        super().__init__(spec, num_envs, seed)
        self._rng = np.random.default_rng(seed)
        self._last = np.zeros((num_envs, spec.num_agents), np.int64)

    def _act(self, observations, privileged):
        drawn = self._rng.integers(0, 6, observations.shape[:2])
        self._last = (self._last + drawn + privileged.queues) % 11
        return self._last.copy()


def test_bytes_do_not_depend_on_the_batch_where_a_policy_draws(tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS["rb-v0"].policies, "wanderer", Wanderer)
    settings = settings_of("rb-v0", "wanderer")
    one = collect(settings, tmp_path / "one", num_envs=1)
    assert contents(one) == contents(collect(settings, tmp_path / "three", num_envs=3))


def test_the_first_episodes_of_a_collection_are_a_smaller_collection(tmp_path):
    few = TrajectoryDataset.open(collect(settings_of("rb-v0", episodes=2), tmp_path / "few"))
    many = TrajectoryDataset.open(small_dataset("rb-v0"))
    assert np.array_equal(few.observations, many.observations[:2])
    assert np.array_equal(few.actions, many.actions[:2])


@pytest.mark.parametrize("task", list(TASKS))
def test_replaying_the_recorded_actions_gives_the_recorded_world(task):
    dataset = TrajectoryDataset.open(small_dataset(task, "mixed"))
    simulator = dataset.make_simulator(dataset.num_episodes)
    seen = simulator.reset(dataset.seeds)
    for t in range(dataset.num_steps):
        assert np.array_equal(seen, dataset.observations[:, :, t])
        step = simulator.step(np.asarray(dataset.actions[:, :, t]))
        seen = step.observations
        assert np.array_equal(step.rewards, dataset.rewards[:, :, t])
        for name, values in step.metrics.items():
            assert np.array_equal(values.astype(np.float32), dataset.metric(name)[:, :, t])
    assert np.array_equal(seen, dataset.observations[:, :, -1])
    assert step.truncated.all()


def test_without_random_actions_the_expert_acts_alone(tmp_path):
    path = collect(settings_of("rb-v0", epsilon=0.0), tmp_path / "pure")
    dataset = TrajectoryDataset.open(path)
    simulator = dataset.make_simulator(5)
    policy = make_policy("expert", simulator)
    seen = simulator.reset(dataset.seeds)
    for t in range(dataset.num_steps):
        actions = policy(seen, simulator.privileged(policy.information))
        assert np.array_equal(actions, dataset.actions[:, :, t])
        seen = simulator.step(actions).observations


def test_epsilon_is_the_share_of_random_actions(tmp_path):
    # A rule that always asks for 10 RBs (40 RBs / 4 nodes): every other action is random.
    settings = settings_of("rb-v0", "round-robin", episodes=4, steps=2000, epsilon=0.3)
    actions = TrajectoryDataset.open(collect(settings, tmp_path / "mixed")).actions
    other = (actions != 10).mean()
    expected = 0.3 * 10 / 11
    assert abs(other - expected) < 5 * np.sqrt(expected * (1 - expected) / actions.size)
    counts = np.bincount(actions[actions != 10].ravel(), minlength=10)
    assert (np.abs(counts / counts.sum() - 0.1) < 0.02).all()


def test_random_episodes_are_uniform_whatever_epsilon():
    actions = TrajectoryDataset.open(small_dataset("rb-v0", "random")).actions
    counts = np.bincount(actions.ravel(), minlength=11)
    assert actions.size == 800
    assert (np.abs(counts / 800 - 1 / 11) < 5 * np.sqrt(1 / 11 / 800)).all()


def test_replay_plays_its_rule_with_falling_shares_of_random_actions(tmp_path):
    settings = settings_of("rb-v0", "replay", episodes=6, steps=400, epsilon=None)
    replay = TrajectoryDataset.open(collect(settings, tmp_path / "replay", num_envs=4))
    shares = [1.0, 0.7, 0.4, 0.1, 1.0, 0.7]
    assert replay.description.episode_policies == tuple(f"rule+{share}" for share in shares)
    assert set(replay.metadata.statistics["returns"]["per_policy"]) == {
        "rule+1.0", "rule+0.7", "rule+0.4", "rule+0.1"
    }  # fmt: skip
    for episode, share in enumerate(shares):
        # The very episode that the rule plays with this share.
        alone = settings_of(
            "rb-v0", "rule", episodes=1, steps=400, epsilon=share, seed=settings.seed + episode
        )
        single = TrajectoryDataset.open(collect(alone, tmp_path / f"alone-{episode}"))
        assert np.array_equal(replay.actions[episode], single.actions[0])
    rewards = replay.rewards.mean((1, 2))
    assert min(rewards[2:4]) > max(rewards[0], rewards[4])


def test_replay_has_shares_of_its_own():
    with pytest.raises(ValueError, match="--epsilon does not go with the tier replay"):
        CollectionSettings(env="rb-v0", policy="replay", epsilon=0.3)


def test_mixed_plays_its_tiers_in_turn_with_the_same_episodes_as_each_tier_alone(tmp_path):
    mixed = TrajectoryDataset.open(small_dataset("rb-v0", "mixed"))
    assert mixed.description.episode_policies == (*MIXED_SHARES, *MIXED_SHARES[:2])
    seed = default_seed("mixed")
    alone = collect(settings_of("rb-v0", "medium", seed=seed), tmp_path / "medium")
    medium = TrajectoryDataset.open(alone)
    assert np.array_equal(mixed.observations[[1, 4]], medium.observations[[1, 4]])
    assert not np.array_equal(mixed.observations[0], medium.observations[0])


def test_tiers_are_ordered_by_reward():
    rewards = {
        tier: TrajectoryDataset.open(small_dataset("rb-v0", tier)).rewards.mean()
        for tier in ("expert", "genie", "random")
    }
    assert rewards["random"] < rewards["expert"] < rewards["genie"]


@pytest.mark.parametrize("task", list(TASKS))
def test_every_tier_names_a_policy_of_the_task(task):
    config = TASKS[task].config.from_preset()
    for tier in TIERS:
        if tier not in ("mixed", "replay"):
            assert tier_policy(TASKS[task], tier, config) in TASKS[task].policies


# ------------------------------------------------------------------------- seeds
def test_a_further_task_has_the_tiers_that_its_policies_are_named_after(monkeypatch):
    package = ModuleType("further_task")
    package.POLICIES = {"random": Wanderer, "greedy": Wanderer, "expert": Wanderer}
    monkeypatch.setitem(sys.modules, "further_task", package)
    task = Task("further-v0", "wirelessenvs/Further-v0", "further_task", "Further", "hit", "toy")
    for name in ("expert", "greedy", "random"):
        assert tier_policy(task, name, None) == name
    package.POLICIES["medium"] = Wanderer
    assert tier_policy(task, "mixed", None) == "mixed"
    del package.POLICIES["expert"]
    for name in ("expert", "genie", "mixed"):
        with pytest.raises(ValueError, match="must be one of 'medium', 'random', 'greedy', got"):
            tier_policy(task, name, None)


def test_tiers_start_at_different_seeds_far_from_evaluation():
    starts = sorted(default_seed(tier) for tier in TIERS)
    assert min(np.diff(starts)) >= 100_000
    assert starts[-1] < EVALUATION_SEEDS.start


@pytest.mark.parametrize(("seed", "episodes"), [(1_000_000, 1), (999_999, 2), (1_999_999, 5)])
def test_seeds_of_evaluation_are_refused(seed, episodes):
    with pytest.raises(ValueError, match=r"reserved for evaluation\.$"):
        CollectionSettings(env="rb-v0", seed=seed, episodes=episodes)


@pytest.mark.parametrize(("seed", "episodes"), [(999_999, 1), (2_000_000, 5)])
def test_seeds_beside_evaluation_are_allowed(seed, episodes):
    settings = CollectionSettings(env="rb-v0", seed=seed, episodes=episodes)
    assert not set(settings.seeds) & set(EVALUATION_SEEDS)


# ------------------------------------------------------- graph and forms of actions
@pytest.mark.parametrize("task", list(TASKS))
def test_the_graph_is_that_of_the_environment(task):
    dataset = TrajectoryDataset.open(small_dataset(task))
    assert dataset.graph == dataset.make_env().graph


def test_a_graph_that_changes_is_recorded_at_every_step(tmp_path):
    settings = settings_of("cbf-v0", episodes=2, steps=15, **CBF_DYNAMIC)
    dataset = TrajectoryDataset.open(collect(settings, tmp_path / "dynamic"), verify="full")
    assert dataset.graph is None
    simulator = dataset.make_simulator(2)
    simulator.reset(dataset.seeds)
    for t in range(15):
        assert np.array_equal(simulator.adjacency, dataset.array("adjacency")[:, t])
        simulator.step(np.asarray(dataset.actions[:, :, t]))
    assert np.array_equal(simulator.adjacency, dataset.array("adjacency")[:, 15])


@pytest.mark.parametrize("case", [SMALL["cbf-v0"], CBF_BEAM], ids=["codebook", "beam"])
def test_beams_are_those_on_air(case, tmp_path):
    # Random continuous actions often exceed the power limit, where the sent beam differs.
    settings = settings_of("cbf-v0", "mixed", episodes=3, steps=12, epsilon=0.5, **case)
    dataset = TrajectoryDataset.open(collect(settings, tmp_path / "beams"), verify="full")
    simulator = dataset.make_simulator(3)
    simulator.reset(dataset.seeds)
    central = make_policy("expert", simulator).information
    for t in range(12):
        simulator.step(np.asarray(dataset.actions[:, :, t]))
        sent = simulator.privileged(central).beams
        reals = np.concatenate([sent.real, sent.imag], -1)
        np.testing.assert_allclose(dataset.array("beams")[:, :, t], reals, rtol=1e-5, atol=1e-4)


def test_continuous_beams_come_with_the_nearest_codebook_action(tmp_path):
    settings = settings_of("cbf-v0", episodes=2, steps=10, **CBF_BEAM)
    dataset = TrajectoryDataset.open(collect(settings, tmp_path / "beams"))
    assert dataset.actions.shape == (2, 7, 10, 6)
    indices = dataset.array("indices")
    assert indices.shape == (2, 7, 10)
    assert len(np.unique(indices)) > 3
    assert indices.max() < make_simulator("cbf-v0").config.num_actions


# -------------------------------------------------------------------------- shares
def test_blocks_hold_every_episode_once_and_one_policy_each():
    policies = [MIXED_SHARES[e % 3] for e in range(50)]
    missing = [e for e in range(50) if e % 7]
    blocks = plan_blocks(missing, policies, 6, 2)
    assert sorted(e for block in blocks for e in block) == missing
    assert all(len(block) <= 6 for block in blocks)
    assert all(len({policies[e] for e in block}) == 1 for block in blocks)


def test_sources_of_the_same_settings_describe_the_same():
    settings = settings_of("slicing-v0")
    assert EpisodeSource(settings).describe() == EpisodeSource(settings).describe()


@pytest.mark.long
def test_memory_does_not_grow_with_the_number_of_episodes(tmp_path):
    program = (
        "import resource, sys\n"
        "from networld_agent.collecting import CollectionSettings, collect\n"
        "settings = CollectionSettings(env='rb-v0', episodes=int(sys.argv[1]), steps=2000)\n"
        "collect(settings, sys.argv[2], num_envs=32)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks_mb = []
    for episodes in (32, 640):
        arguments = [sys.executable, "-c", program, str(episodes), str(tmp_path / str(episodes))]
        answer = subprocess.run(arguments, check=True, capture_output=True, cwd=ROOT)
        peaks_mb.append(int(answer.stdout) / 1024)
    assert peaks_mb[1] < 1000
    assert peaks_mb[1] < peaks_mb[0] + 50


def test_a_task_without_a_context_is_collected_and_judged(tmp_path, monkeypatch):
    """One of somebody's own need not declare any."""
    monkeypatch.setattr(Simulator, "_declare_context", lambda self, context: None)
    path = collect(settings_of("rb-v0", "random", episodes=1, steps=5), tmp_path / "data")
    dataset = TrajectoryDataset.open(path)
    assert dataset.description.observation.names == ("generated", "queue", "granted", "age")
    worlds = make_worlds("rb-v0", 1, 5, None, {})
    policy = SimpleNamespace(label="it", spec=SimpleNamespace(observation_size=9))
    with pytest.raises(ValueError, match="another preset or observation"):
        check_fit(policy, worlds)
    assert worlds.simulator.context.names == ()


def test_a_task_without_a_context_earns_a_reward_of_one_s_own(monkeypatch):
    monkeypatch.setattr(Simulator, "_declare_context", lambda self, context: None)
    simulator = make_simulator("rb-v0", 2, reward=lambda metrics: metrics["served"] + 100.0)
    simulator.reset(0)
    step = simulator.step(np.zeros((2, simulator.num_agents), np.int64))
    np.testing.assert_array_equal(step.rewards, step.metrics["served"] + 100.0)
