"""MA-DT: what it asks for is what it gets, resumed runs, memories, returns ahead."""

import dataclasses

import numpy as np
import pytest
import torch

from benchmarks.baselines import OfflineData, load_policy, make_baseline
from benchmarks.baselines.dt.method import DTConfig, DTLearner
from benchmarks.baselines.dt.windows import DecisionWindows
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.returns import (
    ReturnScale,
    discounted_means,
    scoped_rewards,
    window_means,
)
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset

torch.set_num_threads(1)

AGENTS, STEPS, CHOICES = 4, 60, 11
TINY = DTConfig(
    steps=12, batch_size=8, hidden_size=16, layers=2, context=6, save_every=4, log_every=4
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Eight episodes of random requests of four nodes."""
    settings = CollectionSettings(
        env="rb-v0", policy="random", episodes=8, steps=STEPS, overrides={"num_nodes": AGENTS}
    )
    return TrajectoryDataset.open(collect(settings, tmp_path_factory.mktemp("data") / "rb"))


@pytest.fixture(scope="module")
def two_behaviours(recorded):
    """Observations without meaning; half of the agents mostly choose 8, the others 2.

    The reward is a tenth of the choice, so the mean reward of a behaviour is about 0.74 or 0.26.
    """
    rng = np.random.default_rng(0)
    shape = recorded.actions.shape
    favourite = rng.permuted(np.repeat([8, 2], shape[0] * shape[1] // 2)).reshape(*shape[:2], 1)
    other = rng.integers(CHOICES, size=shape)
    actions = np.where(rng.random(shape) < 0.8, favourite, other).astype(recorded.actions.dtype)
    arrays = {
        "observations": rng.normal(size=recorded.observations.shape).astype(np.float32),
        "actions": actions,
        "rewards": actions / 10,
    }
    return TrajectoryDataset(recorded.path, recorded.metadata, arrays, recorded.episodes)


def achieved(policy, target, steps=40):
    """Mean reward where the reward is a tenth of the choice."""
    rng = np.random.default_rng(1)
    policy.target_return = target
    policy.begin([0, 1])
    taken = [
        policy.act_on(rng.normal(size=(2, AGENTS, 4)).astype(np.float32)) for _ in range(steps)
    ]
    return np.stack(taken).mean() / 10


def test_achieved_return_rises_with_the_return_asked_for(two_behaviours, tmp_path):
    config = DTConfig(
        steps=120,
        batch_size=32,
        hidden_size=32,
        layers=2,
        context=5,
        learning_rate=3e-3,
        return_scope="agent",
    )
    policy = make_baseline("dt").fit(OfflineData(two_behaviours), config, tmp_path, progress=False)
    low, high = achieved(policy, 0.26), achieved(policy, 0.74)
    assert low == pytest.approx(0.2, abs=0.05)
    assert high == pytest.approx(0.8, abs=0.05)
    # By default the best trajectory's return is asked for.
    asked = load_policy(tmp_path / "policy").target_return
    assert asked == pytest.approx(two_behaviours.rewards.mean(-1).max())
    assert achieved(policy, asked) == pytest.approx(high, abs=0.05)


@pytest.mark.parametrize("mean_field", [False, True])
def test_interrupted_training_ends_as_uninterrupted(recorded, tmp_path, monkeypatch, mean_field):
    config = dataclasses.replace(TINY, mean_field=mean_field)
    data, method = OfflineData(recorded, 3), make_baseline("dt")
    whole = method.fit(data, config, tmp_path / "whole", progress=False)
    update = DTLearner.update

    def killed(self, batch, step):
        if step == 9:
            raise RuntimeError("killed")
        return update(self, batch, step)

    with monkeypatch.context() as patch:
        patch.setattr(DTLearner, "update", killed)
        with pytest.raises(RuntimeError, match="killed"):
            method.fit(data, config, tmp_path / "cut", progress=False)
    cut = method.fit(data, config, tmp_path / "cut", progress=False)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, cut.network.state_dict()[name]), name
    assert cut.information == ("neighbors" if mean_field else "local")


def test_stored_policy_acts_as_before_and_keeps_a_tuned_target(recorded, tmp_path):
    policy = make_baseline("dt").fit(OfflineData(recorded, 2), TINY, tmp_path, progress=False)
    policy.target_return = -3.5
    policy.save(tmp_path / "tuned")
    again = load_policy(tmp_path / "tuned")
    assert again.target_return == -3.5
    observations = np.random.default_rng(0).uniform(0, 9, (10, 2, AGENTS, 4)).astype(np.float32)
    for one in observations:
        np.testing.assert_array_equal(policy.act_on(one), again.act_on(one))
    with pytest.raises(ValueError, match="call begin first"):
        again.act_on(observations[0][:1])
    again.begin([0])
    assert again.act_on(observations[0][:1]).shape == (1, AGENTS)


def test_both_memories_decide_alike_within_the_context(recorded, tmp_path):
    policy = make_baseline("dt").fit(OfflineData(recorded, 2), TINY, tmp_path, progress=False)
    spec = dataclasses.replace(
        policy.spec, config=dataclasses.replace(policy.spec.config, memory="window")
    )
    window = type(policy)(spec).fill(policy.network, policy.scaling)
    outputs = {policy: [], window: []}
    for player, seen in outputs.items():
        best = player.network.best
        player.network.best = lambda out, seen=seen, best=best: (seen.append(out), best(out))[1]
    rng = np.random.default_rng(0)
    for _ in range(TINY.context + 3):
        one = rng.uniform(0, 9, (2, AGENTS, 4)).astype(np.float32)
        policy.act_on(one), window.act_on(one)
    cached, anew = (torch.stack(seen) for seen in outputs.values())
    inside = TINY.context
    torch.testing.assert_close(cached[:inside], anew[:inside], rtol=1e-5, atol=1e-6)
    # Beyond it, a cached step's own context reaches further back.
    assert (cached[inside + 1 :] - anew[inside + 1 :]).abs().max() > 1e-6


def test_windows_at_the_start_of_an_episode_are_padded(recorded):
    data = OfflineData(recorded, 2, 20)
    returns = np.arange(2 * AGENTS * 20, dtype=np.float32).reshape(2, AGENTS, 20)
    windows = DecisionWindows(data, ObservationScaling.of_data(data), returns, 8)
    batch = windows.draw(500, np.random.default_rng(0))
    counts = batch.real.sum(1)
    assert set(counts.tolist()) == set(range(1, 9))
    for row in torch.nonzero(counts < 8)[:20, 0]:
        # A short window begins with its episode: returns count from a multiple of T.
        assert batch.returns[row, 0] % 20 == 0
        assert not batch.real[row, counts[row] :].any()
    ends = batch.returns[torch.arange(500), counts - 1]
    assert ends.unique().numel() > 150  # of 160 steps, each as likely as any other
    short = DecisionWindows(
        OfflineData(recorded, 1, 3), ObservationScaling(4), returns[:1, :, :3], 8
    )
    assert short.draw(4, np.random.default_rng(0)).inputs.shape == (4, 3, 4)


def test_truncation_does_not_look_like_a_low_return():
    rewards = np.full((2, 50), -3.0)
    np.testing.assert_allclose(discounted_means(rewards, 0.99), -3.0)
    np.testing.assert_allclose(window_means(rewards, 7), -3.0)


def test_returns_ahead_by_hand():
    rewards = np.array([4.0, 2.0, 0.0, 1.0])
    np.testing.assert_allclose(window_means(rewards, 3), [2.0, 1.0, 0.5, 1.0])
    weights = 0.9 ** np.arange(4)
    expected = [rewards[t:] @ weights[: 4 - t] / weights[: 4 - t].sum() for t in range(4)]
    np.testing.assert_allclose(discounted_means(rewards, 0.9), expected)


def test_rewards_of_the_team_are_the_mean_over_its_agents(recorded):
    data = OfflineData(recorded.select([3, 1]), None, 30)
    own, team = scoped_rewards(data, "agent"), scoped_rewards(data, "team")
    np.testing.assert_array_equal(own, recorded.rewards[[3, 1], :, :30])
    assert team.shape == own.shape
    for agent in range(AGENTS):
        np.testing.assert_allclose(team[:, agent], own.mean(1))


def test_scales_of_returns():
    returns = np.arange(101.0)
    assert ReturnScale.standard(returns).scaled(returns).std() == pytest.approx(1)
    scale = ReturnScale.between(returns, 0.01, 0.99)
    assert scale.scaled(np.array([1.0, 50.0, 99.0])).tolist() == [0.0, 0.5, 1.0]
    assert ReturnScale.between(np.ones(9), 0.01, 0.99).unit == 1.0


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("context=0", "context must be at least 1, got 0"),
        ("heads=3", "hidden_size must be a multiple of twice the heads"),
        ("dropout=1", "dropout must be between 0 and 0.9, got 1"),
        ("return_kind=sum", "return_kind must be one of 'discounted', 'windowed'"),
        ("target_return=high", "target_return must be a number"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(option, message):
    with pytest.raises((ValueError, TypeError), match=message):
        DTConfig.from_overrides([option])
