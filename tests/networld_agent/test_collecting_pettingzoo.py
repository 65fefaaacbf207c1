"""Collection from environments of other projects."""

from typing import ClassVar

import gymnasium
import numpy as np
import pytest
from dataset_cases import contents
from pettingzoo import ParallelEnv

from networld_agent.adapters import PaddedAgents
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset

SPREAD = "mpe2.simple_spread_v3:parallel_env"
HERE = "test_collecting_pettingzoo"

pytestmark = pytest.mark.filterwarnings("ignore:.*has no graph:UserWarning")


class Walkers(ParallelEnv):
    """Agents on a line; the action is the step, the observation the place, twice."""

    metadata: ClassVar = {"name": "walkers"}
    possible_agents: ClassVar = ["a", "b", "c"]

    def __init__(self, unlike=False, loses=False, moves=2, length=30, graph=None):
        sizes = {agent: 1 + (unlike and agent == "b") for agent in self.possible_agents}
        box = gymnasium.spaces.Box
        self._seen = {a: box(-np.inf, np.inf, (sizes[a], 2)) for a in sizes}
        self._loses, self._moves, self._length = loses, moves, length
        if graph is not None:
            self.graph = graph

    def observation_space(self, agent):
        return self._seen[agent]

    def action_space(self, agent):
        return gymnasium.spaces.MultiDiscrete([self._moves, 3])

    def _observe(self):
        agents = self.agents[:-1] if self._loses and self._time > 2 else self.agents
        return {a: np.full((1, 2), self._places[a], np.float32) for a in agents}

    def reset(self, seed=None, options=None):
        self.agents = self.possible_agents[:]
        rng = np.random.default_rng(seed)
        self._places = {a: float(rng.integers(10)) for a in self.agents}
        self._time = 0
        return self._observe(), {a: {} for a in self.agents}

    def step(self, actions):
        self._time += 1
        for agent, action in actions.items():
            self._places[agent] += int(action[0])
        over = self._time >= self._length
        infos = {a: {"moved": int(actions[a][0]), "note": "x"} for a in self.agents}
        rewards = dict(self._places)
        flags = dict.fromkeys(self.agents, over)
        return self._observe(), rewards, dict.fromkeys(self.agents, False), flags, infos


def walk_right(observations, rng):
    """A policy: always on, with luck in the second component."""
    return np.stack([np.ones(len(observations)), rng.integers(3, size=len(observations))], 1)


def open_collected(tmp_path, name="x", **changes):
    arguments = {"env": f"{HERE}:Walkers", "policy": "random", "episodes": 4, "steps": 20}
    path = collect(CollectionSettings(**{**arguments, **changes}), tmp_path / name, num_envs=2)
    return TrajectoryDataset.open(path, verify="full")


def test_actions_places_rewards_and_metrics_fit_together(tmp_path):
    dataset = open_collected(tmp_path)
    assert dataset.observations.shape == (4, 3, 21, 2)
    assert dataset.actions.shape == (4, 3, 20, 2)
    steps = np.diff(dataset.observations[..., 0], axis=2)
    assert np.array_equal(steps, dataset.actions[..., 0])
    assert np.array_equal(dataset.rewards, dataset.observations[:, :, 1:, 0])
    assert np.array_equal(dataset.metric("moved"), dataset.actions[..., 0])
    assert set(np.unique(dataset.actions[..., 1])) == {0, 1, 2}


def test_without_a_graph_all_hear_all_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="has no graph: every agent hears every other one"):
        dataset = open_collected(tmp_path)
    assert not dataset.description.graph_given
    assert dataset.graph.degrees.tolist() == [2, 2, 2]


def test_a_policy_function_plays_with_random_actions_mixed_in(tmp_path):
    policy = f"{HERE}:walk_right"
    pure = open_collected(tmp_path, "pure", policy=policy, epsilon=0.0)
    assert (pure.actions[..., 0] == 1).all()
    assert set(np.unique(pure.actions[..., 1])) == {0, 1, 2}
    noisy = open_collected(tmp_path, "noisy", policy=policy, epsilon=0.5, steps=30)
    assert 0.15 < (noisy.actions[..., 0] == 0).mean() < 0.35


def test_a_task_through_its_pettingzoo_environment_keeps_graph_and_metrics(tmp_path):
    settings = {"env": "wirelessenvs.rb_v0:parallel_env", "overrides": {"num_nodes": 6}}
    dataset = open_collected(tmp_path, **settings)
    assert dataset.graph.degrees.tolist() == [4] * 6
    served = dataset.metric("served") - dataset.metric("dropped") * 100
    assert np.allclose(dataset.rewards, 0.1 * served - dataset.metric("waited"), atol=1e-5)


def test_particles_of_another_project_are_the_same_from_worker_processes(tmp_path):
    pytest.importorskip("mpe2")
    settings = CollectionSettings(
        env=SPREAD, overrides={"N": 3}, policy="random", episodes=4, steps=25
    )
    one = collect(settings, tmp_path / "one")
    two = collect(settings, tmp_path / "two", num_envs=1, jobs=2)
    assert contents(one) == contents(two)
    dataset = TrajectoryDataset.open(one, verify="full")
    assert dataset.observations.shape == (4, 3, 26, 18)
    env = dataset.make_env(trusted=True)
    seen, _ = env.reset(seed=dataset.seeds[1])
    for t in range(25):
        assert np.array_equal(np.stack(list(seen.values())), dataset.observations[1, :, t])
        actions = dict(zip(env.agents, dataset.actions[1, :, t].tolist(), strict=True))
        seen, rewards, *_ = env.step(actions)
        assert list(rewards.values()) == dataset.rewards[1, :, t].tolist()


def test_data_sets_do_not_run_the_code_that_they_name(tmp_path):
    dataset = open_collected(tmp_path)
    with pytest.raises(ValueError, match="pass trusted=True if you trust it"):
        dataset.make_env()


class Legs(ParallelEnv):
    """Two agents of unlike size; the observation is the action's sum in every entry."""

    metadata: ClassVar = {"name": "legs"}
    possible_agents: ClassVar = ["left", "right", "tail"]
    sizes: ClassVar = {"left": 2, "right": 1, "tail": 1}

    def observation_space(self, agent):
        return gymnasium.spaces.Box(-9, 9, (2 * self.sizes[agent],))

    def action_space(self, agent):
        return gymnasium.spaces.Box(-1, self.sizes[agent], (self.sizes[agent],))

    def reset(self, seed=None, options=None):
        self.agents = self.possible_agents[:]
        return {a: np.zeros(2 * self.sizes[a], np.float32) for a in self.agents}, {}

    def step(self, actions):
        for agent, action in actions.items():
            assert action.shape == (self.sizes[agent],)
        seen = {a: np.full(2 * self.sizes[a], x.sum(), np.float32) for a, x in actions.items()}
        flags = dict.fromkeys(actions, False)
        return seen, dict.fromkeys(actions, 1.0), flags, flags, {a: {} for a in actions}


def padded_legs(graph="complete"):
    return PaddedAgents(Legs(), graph)


def test_padded_agents_are_alike_and_use_what_they_have(tmp_path):
    settings = {"env": f"{HERE}:padded_legs", "overrides": {"graph": "chain"}}
    dataset = open_collected(tmp_path, **settings)
    assert dataset.observations.shape == (4, 3, 21, 4)
    assert dataset.graph.degrees.tolist() == [1, 2, 1]
    left, right = dataset.actions[:, 0], dataset.actions[:, 1]
    assert np.allclose(dataset.observations[:, 0, 1:, 3], left.sum(-1), atol=1e-6)
    assert np.array_equal(dataset.observations[:, 1, 1:, 1], right[..., 0])
    assert (dataset.observations[:, 1:, :, 2:] == 0).all()
    assert -1 <= dataset.actions.min() < dataset.actions.max() <= 2


def test_agents_that_cannot_be_padded_are_refused():
    with pytest.raises(ValueError, match="action space of a must be a box of one axis"):
        PaddedAgents(FlatWalkers())


class FlatWalkers(Walkers):
    """Walkers that see one axis but still choose from lists."""

    def observation_space(self, agent):
        return gymnasium.spaces.Box(-1, 1, (2,))


@pytest.mark.interop
def test_bodies_of_multi_agent_mujoco_are_collected_and_replayed(tmp_path):
    pytest.importorskip("gymnasium_robotics")
    overrides = {"scenario": "HalfCheetah", "agent_conf": "6x1", "graph": "chain"}
    settings = {"env": "networld_agent.adapters:mamujoco", "overrides": overrides}
    dataset = open_collected(tmp_path, **settings)
    assert dataset.num_agents == 6
    env = dataset.make_env(trusted=True)
    seen, _ = env.reset(seed=dataset.seeds[2])
    for t in range(20):
        stacked = np.stack(list(seen.values())).astype(np.float32)
        assert np.array_equal(stacked, dataset.observations[2, :, t])
        actions = dict(zip(env.possible_agents, dataset.actions[2, :, t], strict=True))
        seen = env.step(actions)[0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"overrides": {"unlike": True}}, "agents must share one observation space: a has"),
        ({"overrides": {"loses": True}}, "agent c has no observation at step 3"),
        ({"steps": 31}, "ended after 30 steps: --steps must be at most 30"),
        ({"policy": "expert"}, "must be 'random' or module:function, got 'expert'"),
        ({"policy": f"{HERE}:nothing"}, "cannot be loaded"),
        ({"env": "no.such.module:env"}, "cannot be loaded"),
        ({"env": f"{HERE}:SPREAD"}, "cannot be called"),
        ({"preset": "paper"}, "--preset is for this project's tasks"),
    ],
)
def test_what_cannot_be_recorded_is_one_sentence(tmp_path, changes, sentence):
    with pytest.raises(ValueError, match=sentence) as fault:
        open_collected(tmp_path, **changes)
    assert str(fault.value).count("\n") == 0
