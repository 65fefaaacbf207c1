"""Actions, scaling, data and options of the baselines."""

import gymnasium
import numpy as np
import pytest
import torch
from baseline_cases import tiny_config, tiny_data
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.baselines import BASELINES, OfflineData, make_baseline, method_class
from benchmarks.baselines.bc import BCConfig
from benchmarks.baselines.cql.method import CQLConfig
from benchmarks.baselines.iql import IQLConfig
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.networks import Ensemble, SquashedGaussianActor, TanhMeanActor, mlp
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.transitions import OfflineTransitions
from networld_agent.data.trajectory_weights import trajectory_weights
from networld_agent.model.action_spec import spec_of_space
from networld_agent.model.task_spec import ActionSpec

BOX = ActionSpec("box", low=(0.1, -3.0), high=(0.3, 1e7))


# ----------------------------------------------------------------------- actions
@given(start=st.integers(-3, 3), choices=st.integers(1, 50), seed=st.integers(0, 99))
def test_discrete_actions_come_back(start, choices, seed):
    codec = ActionCodec(ActionSpec("discrete", sizes=(choices,), start=start))
    actions = np.random.default_rng(seed).integers(start, start + choices, (4, 3))
    encoded = codec.encode(actions)
    assert encoded.dtype == torch.int64
    assert 0 <= int(encoded.min()) <= int(encoded.max()) < choices
    np.testing.assert_array_equal(codec.decode(encoded), actions)


def test_multidiscrete_actions_are_one_index_each():
    codec = ActionCodec(ActionSpec("multidiscrete", sizes=(3, 4)))
    actions = np.stack(np.meshgrid(np.arange(3), np.arange(4), indexing="ij"), -1)
    encoded = codec.encode(actions)
    assert sorted(encoded.ravel().tolist()) == list(range(12))
    np.testing.assert_array_equal(codec.decode(encoded), actions)


@given(values=st.lists(st.floats(-2, 2, width=32), min_size=2, max_size=2))
def test_decoded_reals_lie_within_bounds_that_float32_cannot_hold(values):
    action = ActionCodec(BOX).decode(torch.tensor(values))
    assert action.dtype == np.float32
    assert all(
        low <= float(x) <= high for x, low, high in zip(action, BOX.low, BOX.high, strict=True)
    )


def test_reals_are_scaled_to_one_and_come_back():
    codec = ActionCodec(BOX)
    assert codec.encode(np.array([[0.1, -3.0], [0.3, 1e7]])).tolist() == [[-1, -1], [1, 1]]
    actions = np.array([[0.15, 4e6], [0.29, 17.0]])
    np.testing.assert_allclose(codec.decode(codec.encode(actions)), actions, rtol=1e-6, atol=1.0)


def test_too_many_combinations_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="5 components have 100000 combinations: at most 4096"):
        ActionCodec(ActionSpec("multidiscrete", sizes=(10,) * 5))


def test_spaces_are_described():
    spaces = gymnasium.spaces
    assert spec_of_space(spaces.Discrete(5, start=2)) == ActionSpec("discrete", (5,), 2)
    assert spec_of_space(spaces.MultiDiscrete([2, 3])).sizes == (2, 3)
    assert spec_of_space(spaces.Box(-1.0, 2.0, (2,))).high == (2.0, 2.0)
    with pytest.raises(ValueError, match="Discrete, MultiDiscrete or a Box"):
        spec_of_space(spaces.MultiBinary(3))


# ------------------------------------------------------------------ observations
@pytest.mark.parametrize("kind", ["discrete", "box"])
def test_scaled_observations_are_standard_on_the_data_and_limited_to_three(kind):
    data = tiny_data(kind)
    rows, scaling = data.sample_rows(), ObservationScaling.of_data(data)
    logs = np.sign(rows) * np.log1p(np.abs(rows.astype(np.float64)))
    moving = logs.std(0) > 1e-6
    assert moving.any()
    expected = np.where(moving, (logs - logs.mean(0)) / np.where(moving, logs.std(0), 1), 0)
    assert np.abs(expected).max() > 3
    scaled = scaling(torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(scaled, np.clip(expected, -3, 3), atol=1e-4)


@pytest.mark.parametrize("kind", ["discrete", "box"])
def test_inputs_of_training_are_those_of_acting(kind):
    data = tiny_data(kind)
    scaling = ObservationScaling.of_data(data, mean_field=True)
    places = data.places(40, 3, np.random.default_rng(0))
    inputs = scaling.inputs(data, places, 3)
    graph = data.dataset.graph
    for row in range(40):
        e, i, t = places.episodes[row], places.agents[row], places.starts[row] + 2
        joint = data.dataset.observations[e, :, t][None]
        heard = graph.adjacency if graph is not None else data.dataset.array("adjacency")[e, t]
        acting = scaling.joint_inputs(joint, np.asarray(heard, bool)[None])[0, i]
        torch.testing.assert_close(inputs[row, 2], acting, atol=1e-5, rtol=1e-5)


# -------------------------------------------------------------------------- data
def test_windows_stay_within_what_is_given_and_reach_its_last_observation():
    data = tiny_data("discrete")
    places = data.places(20_000, 1, np.random.default_rng(0))
    assert set(places.episodes) == {0, 1, 2, 3}
    assert set(places.agents) == set(range(data.num_agents))
    assert (places.starts.min(), places.starts.max()) == (0, 39)
    assert data.observations(places, 2).shape == (20_000, 2, 4)
    last = data.places(5, 40, np.random.default_rng(0))
    assert (last.starts == 0).all()
    with pytest.raises(ValueError, match="40 steps in a row, 41 are needed"):
        data.places(1, 41, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("trajectories", "first_steps", "sentence"),
    [(7, None, "has 6 trajectories, not 7"), (0, None, "not 0"), (None, 51, "50 first steps")],
)
def test_more_data_than_there_is_is_refused(trajectories, first_steps, sentence):
    with pytest.raises(ValueError, match=sentence):
        OfflineData(tiny_data("discrete").dataset, trajectories, first_steps)


def test_transitions_are_those_of_the_file_with_standard_rewards():
    data = tiny_data("discrete")
    scaling = ObservationScaling.of_data(data)
    source = OfflineTransitions(data, scaling, BCConfig(batch_size=4000, seed=3))
    batch, again, other = source(5), source(5), source(6)
    assert torch.equal(batch.inputs, again.inputs)
    assert not torch.equal(batch.inputs, other.inputs)
    assert abs(float(batch.rewards.mean())) < 0.1
    assert abs(float(batch.rewards.std()) - 1) < 0.1
    assert bool((batch.continues == 1).all())
    # Each is found in the file, with its successor.
    whole = data.dataset
    scaled = scaling(torch.from_numpy(np.array(whole.observations[:4, :, :41]))).numpy()
    pairs = np.concatenate([scaled[:, :, :-1], scaled[:, :, 1:]], -1).reshape(-1, 8)
    actions = whole.actions[:4, :, :40].ravel()
    rewards = (whole.rewards[:4, :, :40].ravel() - source.reward_mean) / source.reward_deviation
    known = {
        (*pair.round(4).tolist(), int(a), round(float(r), 3))
        for pair, a, r in zip(pairs, actions, rewards, strict=True)
    }
    drawn = torch.cat([batch.inputs, batch.next_inputs], 1).numpy()
    for row in range(200):
        key = (*drawn[row].round(4).tolist(), int(batch.actions[row]))
        assert (*key, round(float(batch.rewards[row]), 3)) in known


# ---------------------------------------------------------------------- networks
def test_values_of_several_actions_are_those_of_one_network_each():
    torch.manual_seed(0)
    ensemble = Ensemble(2, 5, 16, 1, extra=3)
    inputs, actions = torch.randn(4, 5), torch.randn(4, 7, 3)
    joined = torch.cat([inputs[:, None].expand(-1, 7, -1), actions], -1)
    for net, values in zip(ensemble.nets, ensemble(inputs, actions), strict=True):
        torch.testing.assert_close(values, net(joined))


def test_squashed_densities_integrate_to_one_and_gaussian_ones_are_torchs():
    torch.manual_seed(0)
    codec = ActionCodec(ActionSpec("box", low=(-1.0,), high=(1.0,)))
    actor = SquashedGaussianActor(3, 8, codec)
    actions, log_density = actor.sample(torch.randn(1, 3), 200_000)
    # The mean of 1 / density over samples is the length of [-1, 1].
    assert float((-log_density.detach()).exp().mean()) == pytest.approx(2.0, rel=0.03)
    plain = TanhMeanActor(3, 8, codec)
    plain.log_std.data.fill_(-0.7)
    inputs = torch.randn(6, 3)
    expected = torch.distributions.Normal(plain(inputs), np.exp(-0.7)).log_prob(actions[0, :6])
    torch.testing.assert_close(plain.log_prob(inputs, actions[0, :6]), expected.sum(-1))
    assert sum(p.numel() for p in mlp(3, 8, 1).parameters()) == 3 * 8 + 8 + 72 + 9


# ----------------------------------------------------------------------- options
def test_defaults_are_those_of_the_references():
    iql, cql = IQLConfig(), CQLConfig()
    assert (iql.expectile, iql.beta, iql.greatest_weight, iql.tau) == (0.7, 3.0, 100.0, 0.005)
    assert (cql.weight(discrete=True), cql.weight(discrete=False)) == (1.0, 5.0)
    assert (cql.learning_rate, cql.actor_learning_rate, cql.num_samples) == (3e-4, 1e-4, 10)
    assert all(c.gamma == 0.99 and c.batch_size == 256 and c.hidden_size == 256 for c in (iql, cql))


@pytest.mark.parametrize(
    ("pairs", "error", "sentence"),
    [
        (
            ["alpah=2"],
            TypeError,
            "unknown option 'alpah'; known: actor_learning_rate, agent_ids, alpha,",
        ),
        (["alpha=-1"], ValueError, "alpha must be at least 0, got -1"),
        (["steps=1.5"], TypeError, "steps must be an integer, got 1.5"),
        (["gamma=1.5"], ValueError, "gamma must be between 0 and 1, got 1.5"),
        (["learning_rate=0"], ValueError, "learning_rate must be greater than 0"),
        (["mean_field=1"], TypeError, "mean_field must be True or False"),
        (["steps=10", "snapshots=11"], ValueError, r"snapshots must be at most steps \(10\)"),
        (["alpha"], ValueError, "NAME=VALUE"),
    ],
)
def test_wrong_options_are_refused_in_a_sentence(pairs, error, sentence):
    with pytest.raises(error, match=sentence):
        CQLConfig.from_overrides(pairs)


def test_options_survive_json_and_name_the_run():
    config = CQLConfig.from_overrides(["alpha=2", "threads=1", "save_every=7"])
    assert config.alpha == 2.0
    assert CQLConfig.from_json(config.to_json()) == config
    assert not {"threads", "save_every", "device"} & config.identity().keys()


def test_an_unknown_method_lists_those_that_exist():
    assert BASELINES == ("bc", "cql", "iql", "dt", "dd")
    assert method_class("dima").name == "dima"
    with pytest.raises(ValueError, match=r"method must be one of 'bc', 'cql', 'iql', 'dt', 'dd'"):
        make_baseline("sac")


# ------------------------------------------------------- preferring good trajectories
def shares_of(episodes, data):
    return np.bincount(episodes, minlength=len(data.episodes)) / len(episodes)


def test_preferred_trajectories_are_drawn_as_often_as_their_shares_say():
    data = tiny_data("discrete").preferring(0.5)
    means = np.array([data.dataset.rewards[e, :, : data.num_steps].mean() for e in data.episodes])
    expected = trajectory_weights(means, 0.5)
    assert np.ptp(expected) > 0.2, "no preference to be seen"
    places = data.places(40_000, 3, np.random.default_rng(0))
    np.testing.assert_allclose(shares_of(places.episodes, data), expected, atol=0.01)
    assert np.bincount(places.agents).min() > 9_500
    assert (places.starts.min(), places.starts.max()) == (0, 37)


@pytest.mark.parametrize("horizon", [1, 5])
def test_without_preference_a_window_is_one_uniform_index(horizon):
    data, rng = tiny_data("discrete"), np.random.default_rng(3)
    places = data.places(200, horizon, np.random.default_rng(3))
    shape = (4, data.num_agents, 40 - horizon + 1)
    expected = [np.unravel_index(i, shape) for i in rng.integers(np.prod(shape), size=200)]
    found = zip(places.episodes, places.agents, places.starts, strict=True)
    assert [tuple(map(int, e)) for e in expected] == [tuple(map(int, f)) for f in found]


@pytest.mark.parametrize("method", ["bc", "cql", "iql", "dt", "dd"])
def test_every_baseline_trains_on_what_it_prefers(method, tmp_path, monkeypatch):
    drawn = []
    whole = OfflineData.positions

    def noted(self, count, starts, rng):
        found = whole(self, count, starts, rng)
        drawn.extend(found[0])
        return found

    monkeypatch.setattr(OfflineData, "positions", noted)
    data = tiny_data("discrete")
    config = tiny_config(method, trajectory_temperature=0.001, steps=3)
    make_baseline(method).fit(data, config, tmp_path / "run", progress=False)
    means = [data.dataset.rewards[e, :, : data.num_steps].mean() for e in data.episodes]
    assert len(drawn) >= 3 * config.batch_size
    assert np.mean(np.array(drawn) == np.argmax(means)) > 0.9
