"""Whose rewards an action answers for, and whether an agent knows which one it is."""

import gymnasium
import numpy as np
import pytest
import torch
from baseline_cases import METHODS, tiny_config, tiny_data
from pettingzoo import ParallelEnv

from benchmarks.baselines import OfflineData, load_policy, make_baseline
from benchmarks.baselines.bc import BCConfig
from benchmarks.baselines.cql.method import CQLConfig
from benchmarks.baselines.iql import IQLConfig
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.offline_pool import OfflinePool
from benchmarks.baselines.shared.transitions import OfflineTransitions
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset
from networld_agent.data.credit import CREDITS
from networld_agent.evaluation.episodes import play
from networld_agent.worlds.make import make_worlds

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore:.*has no graph:UserWarning")


class Choice(ParallelEnv):
    """Three agents, all observations alike, two actions.

    "place": action 1 earns something for the first agent alone, action 0 for the others.
    "common": action 1 earns 1 for oneself and takes 1 of each of the others.
    """

    metadata = {"name": "choice_v0"}  # noqa: RUF012

    def __init__(self, kind):
        self.possible_agents, self.kind = ["a", "b", "c"], kind

    def observation_space(self, agent):
        return gymnasium.spaces.Box(0, 1, (2,), np.float32)

    def action_space(self, agent):
        return gymnasium.spaces.Discrete(2)

    def _seen(self):
        return {a: np.float32(self.rng.random(2)) for a in self.possible_agents}

    def reset(self, seed=None, options=None):
        self.rng, self.t, self.agents = np.random.default_rng(seed), 0, self.possible_agents[:]
        return self._seen(), {a: {} for a in self.agents}

    def step(self, actions):
        self.t += 1
        taken = [int(actions[a]) for a in self.possible_agents]
        if self.kind == "place":
            earned = [float(action == (i == 0)) for i, action in enumerate(taken)]
        else:
            earned = [float(2 * action - sum(taken)) for action in taken]
        over = dict.fromkeys(self.possible_agents, self.t >= 40)
        if self.t >= 40:
            self.agents = []
        rewards = dict(zip(self.possible_agents, earned, strict=True))
        never = dict.fromkeys(self.possible_agents, False)
        return self._seen(), rewards, never, over, {a: {} for a in self.possible_agents}


NAME = "test_credit_and_ids:Choice"


@pytest.fixture(scope="module", params=["place", "common"])
def chosen(request, tmp_path_factory):
    """Random actions in one kind of choice, and its worlds."""
    arguments = {"kind": request.param}
    settings = CollectionSettings(
        env=NAME, overrides=arguments, policy="random", episodes=20, steps=40
    )
    folder = collect(settings, tmp_path_factory.mktemp(request.param) / "x")
    worlds = make_worlds(NAME, 2, None, None, arguments)
    return request.param, OfflineData(TrajectoryDataset.open(folder)), worlds


@pytest.mark.parametrize("name", ["cql", "iql"])
@pytest.mark.parametrize("better", [False, True])
def test_what_cannot_be_seen_without_it_is_learnt_with_it(name, better, chosen, tmp_path):
    kind, data, worlds = chosen
    options = {"place": {"agent_ids": better}, "common": {"credit": "team" if better else "own"}}
    method = make_baseline(name)
    config = method.config_type(
        steps=300, batch_size=64, hidden_size=32, gamma=0.0, learning_rate=3e-3, **options[kind]
    )
    policy = method.fit(data, config, tmp_path / "run", progress=False)
    actions = policy.act_on(np.random.default_rng(0).random((50, 3, 2)).astype(np.float32))
    reward = float(play(worlds, load_policy(tmp_path / "run"), [7, 8], 35, 0).rewards.mean())
    if kind == "place":
        # Without an index all must do alike: 0 is right for two of three.
        assert np.all(actions == ([1, 0, 0] if better else 0))
        assert reward == pytest.approx(1 if better else 2 / 3)
    else:
        assert np.all(actions == (0 if better else 1))
        assert reward == pytest.approx(0 if better else -1)


@pytest.mark.parametrize("credit", CREDITS)
@pytest.mark.parametrize("kind", ["discrete", "box"])
def test_rewards_are_those_of_whom_an_action_answers_for(kind, credit):
    data = tiny_data(kind)
    found = data.joint_rewards(credit)
    whole, graph = data.dataset, data.dataset.graph
    assert (kind == "box") == (graph is None), "a graph that changes is among the cases"
    for e, i, t in np.ndindex(found.shape):
        rewards = whole.rewards[data.episodes[e], :, t]
        if credit == "own":
            wanted = rewards[i]
        elif credit == "team":
            wanted = np.mean(rewards)
        else:
            at = graph.adjacency if graph is not None else whole.array("adjacency")[e, t]
            heard = np.flatnonzero(np.asarray(at)[i])
            wanted = np.mean([rewards[i], *rewards[heard]])
        assert found[e, i, t] == pytest.approx(wanted, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("credit", CREDITS)
def test_batches_have_the_standardised_rewards_of_their_places(credit):
    # Drawn episodes: their order is not that of the file.
    dataset = tiny_data("discrete").dataset.drawn(3)
    data = OfflineData(dataset, 3, 30)
    assert list(data.episodes) != sorted(data.episodes)
    config = BCConfig(batch_size=200, seed=5)
    source = OfflineTransitions(data, ObservationScaling.of_data(data), config, credit)
    rewards = data.joint_rewards(credit)
    drawn = {}
    places = data.places

    def noted(*arguments):
        drawn["places"] = places(*arguments)
        return drawn["places"]

    data.places = noted
    batch = source(2)
    at = drawn["places"]
    position = [list(data.episodes).index(e) for e in at.episodes]
    wanted = (rewards[position, at.agents, at.starts] - rewards.mean()) / rewards.std()
    np.testing.assert_allclose(batch.rewards, wanted, rtol=1e-5, atol=1e-6)


def test_an_unknown_credit_lists_those_that_exist():
    for kind in (CQLConfig, IQLConfig):
        with pytest.raises(ValueError, match=r"credit must be one of .own., .neighbors., .team."):
            kind(credit="all")


def test_runs_from_before_these_options_are_still_what_they_were():
    assert not {"credit", "agent_ids"} & set(CQLConfig().identity())
    assert {"credit", "agent_ids"} <= set(CQLConfig(credit="team", agent_ids=True).identity())


@pytest.mark.parametrize("mean_field", [False, True])
@pytest.mark.parametrize("kind", ["discrete", "box"])
def test_indices_in_training_are_those_of_acting(kind, mean_field):
    data = tiny_data(kind)
    scaling = ObservationScaling.of_data(data, mean_field, agent_ids=True)
    n, d = data.num_agents, data.observation_size
    assert scaling.input_size == d * (1 + mean_field) + n
    places = data.places(40, 2, np.random.default_rng(0))
    inputs = scaling.inputs(data, places, 2)
    heard = np.zeros((1, n, n), bool)
    joint = scaling.joint_inputs(np.zeros((1, n, d), np.float32), heard)
    torch.testing.assert_close(inputs[:, 1, -n:], joint[0, places.agents, -n:], rtol=0, atol=0)
    torch.testing.assert_close(joint[0, :, -n:], torch.eye(n), rtol=0, atol=0)
    plain = ObservationScaling.of_data(data, mean_field).inputs(data, places, 2)
    torch.testing.assert_close(inputs[..., :-n], plain, rtol=0, atol=0)


@pytest.mark.parametrize("name", METHODS)
def test_agents_of_another_network_take_the_mean_of_the_indices(name, tmp_path):
    data = tiny_data("discrete")
    policy = make_baseline(name).fit(
        data, tiny_config(name, agent_ids=True), tmp_path / "run", progress=False
    )
    assert policy.scaling.places == data.num_agents == 4
    again = load_policy(tmp_path / "run")
    seen = np.random.default_rng(1).uniform(0, 9, (3, 9, 4)).astype(np.float32)
    wide = policy.scaling.joint_inputs(seen, None)
    torch.testing.assert_close(wide[..., 4:], torch.full((3, 9, 4), 0.25), rtol=0, atol=0)
    for played in (policy, again):
        played.begin([0, 1, 2])
    np.testing.assert_array_equal(policy.act_on(seen), again.act_on(seen))


def test_indices_say_nothing_of_data_of_many_networks(tmp_path):
    pool = OfflinePool([tiny_data("discrete")])
    with pytest.raises(ValueError, match="agent_ids takes a single data set"):
        make_baseline("bc").fit(pool, tiny_config("bc", agent_ids=True), tmp_path / "run")
