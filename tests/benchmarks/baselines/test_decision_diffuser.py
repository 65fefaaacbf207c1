"""MA-DD: samples land on the mode that is asked for; history, segments, resumed runs."""

import dataclasses

import numpy as np
import pytest
import torch

from benchmarks.baselines import OfflineData, load_policy, make_baseline
from benchmarks.baselines.dd.guidance import ReturnConditioning, guided_estimate
from benchmarks.baselines.dd.method import DDConfig, DDLearner
from benchmarks.baselines.dd.network import DecisionDiffuserNetwork, DiffuserLoss
from benchmarks.baselines.dd.segments import Segments
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.returns import scoped_rewards
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.task_spec import ActionSpec
from networld_agent.planning.samplers import sampler_steps, trailing_levels

torch.set_num_threads(1)

AGENTS = 4
TINY = DDConfig(
    steps=10, batch_size=8, hidden_size=16, horizon=8, history=3, channels=8, diffusion_steps=10,
    sampler_steps=2, save_every=4, log_every=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    settings = CollectionSettings(
        env="rb-v0", policy="random", episodes=4, steps=40, overrides={"num_nodes": AGENTS}
    )
    return TrajectoryDataset.open(collect(settings, tmp_path_factory.mktemp("data") / "rb"))


# --------------------------------------------------------------------- a toy with two modes
def two_modes(count, generator):
    """Straight lines from 0 that end near 1 (return 1, choice 1) or near -1 (return 0, choice 0).

    Slopes differ within a mode, so that a sampler has a spread to narrow.
    """
    upwards = torch.randint(2, (count,), generator=generator)
    slope = (2 * upwards - 1) + 0.2 * torch.randn(count, generator=generator)
    lines = slope[:, None, None] * torch.linspace(0, 1, 8)[:, None]
    return lines, upwards


@pytest.fixture(scope="module", params=["x0", "velocity"])
def toy(request):
    config = WorldModelConfig(
        horizon=8, latent_size=1, channels=16, multipliers=(1, 2), embedding_size=16,
        inverse_size=16, diffusion_steps=50, prediction=request.param,
    )  # fmt: skip
    torch.manual_seed(0)
    network = DecisionDiffuserNetwork(config, ActionSpec("discrete", sizes=(2,)), history=1)
    adam = torch.optim.Adam(network.parameters(), 3e-3, fused=True)
    generator = torch.Generator().manual_seed(1)
    for step in range(300):
        adam.param_groups[0]["lr"] = 3e-3 * (1 - step / 300)
        lines, upwards = two_modes(64, generator)
        losses = network.losses(
            lines,
            upwards[:, None].expand(-1, 7),
            upwards.float(),
            (torch.rand(64, generator=generator) >= 0.25).float(),
            torch.randint(50, (64,), generator=generator),
            torch.randn(lines.shape, generator=generator),
            DiffuserLoss(1.0, 1.0),
        )
        adam.zero_grad()
        losses["loss"].backward()
        adam.step()
    return network.requires_grad_(False).eval()


def drawn(network, asked, weight, temperature=1.0, steps=10, rows=400):
    """Ends `(rows,)` of plans, and the plans."""
    levels = trailing_levels(50, steps)
    generator = torch.Generator().manual_seed(2)
    plans = network.plan(
        torch.zeros(rows, 1, 1),
        torch.full((rows,), asked),
        sampler_steps("ddim", network.schedule.alpha_bar.double(), levels),
        lambda _: temperature * torch.randn(rows, 8, 1, generator=generator),
        weight,
    )
    return plans[:, -1, 0], plans


def test_samples_land_on_the_mode_that_is_asked_for(toy):
    for asked, sign in ((1.0, 1), (0.0, -1)):
        for weight in (1.0, 1.4):
            ends = sign * drawn(toy, asked, weight)[0]
            assert (ends > 0.3).float().mean() > 0.97
            assert ends.mean().item() == pytest.approx(1, abs=0.25)
    # Not asked, it knows both modes.
    free = drawn(toy, 1.0, 0.0)[0]
    assert 0.25 < (free > 0).float().mean() < 0.75


def test_low_temperature_narrows_the_spread(toy):
    wide, narrow = (drawn(toy, 1.0, 1.0, temperature)[0].std() for temperature in (1.0, 0.5))
    assert 0 < narrow < 0.75 * wide
    if toy.config.prediction == "velocity":
        # The data's spread is 0.2. Plans of "x0" lean so much towards their mode's mean that they
        # have next to none.
        assert wide.item() == pytest.approx(0.2, abs=0.1)


def test_plans_begin_with_the_history_and_decode_to_their_mode(toy):
    for asked in (0.0, 1.0):
        _, plans = drawn(toy, asked, 1.2, temperature=0.5)
        assert (plans[:, 0] == 0).all()
        choices = toy.inverse.decode(plans[:, 0], plans[:, 1], "mode")
        assert (choices == asked).float().mean() > 0.9


# ---------------------------------------------------------------------------------- guidance
def test_a_withheld_return_has_no_influence():
    conditioning = ReturnConditioning(8)
    tau, returns = torch.tensor([3, 3]), torch.tensor([0.0, 0.9])
    withheld = conditioning(tau, returns, torch.zeros(2))
    told = conditioning(tau, returns, torch.ones(2))
    assert torch.equal(withheld[0], withheld[1])
    assert (withheld[:, 8:] == 0).all()
    assert not torch.allclose(told[0], told[1])


def test_guidance_extrapolates_from_the_free_to_the_conditioned_estimate():
    def denoise(x, tau, returns, given):
        return x + (given * returns)[:, None, None]

    x, tau, asked = torch.zeros(2, 3, 1), torch.zeros(2), torch.tensor([1.0, 2.0])
    for weight in (0.0, 0.5, 1.0, 1.8):
        out = guided_estimate(denoise, x, tau, asked, weight)
        torch.testing.assert_close(out, (weight * asked)[:, None, None].expand(-1, 3, 1))


# ---------------------------------------------------------------------------------- segments
def test_segments_repeat_the_first_observation_and_sum_the_rewards_of_their_future(recorded):
    data = OfflineData(recorded, 2, 12)
    scaling = ObservationScaling.of_data(data)
    rewards = scoped_rewards(data, "agent")
    segments = Segments(data, scaling, horizon=8, history=3, rewards=rewards, gamma=0.9)
    assert segments.returns.shape == (2, AGENTS, 8)
    batch = segments.draw(300, np.random.default_rng(0))
    padded = 0
    for inputs, actions, value in zip(batch.inputs, batch.actions, batch.returns, strict=True):
        (episode,), (agent,), (present,) = np.nonzero(segments.returns == value)
        file = int(data.episodes[episode])
        times = np.maximum(np.arange(present - 2, present + 6), 0)
        raw = torch.from_numpy(recorded.observations[file, agent][times])
        torch.testing.assert_close(inputs, scaling(raw))
        np.testing.assert_array_equal(actions, recorded.actions[file, agent, present : present + 5])
        following = recorded.rewards[file, agent, present : present + 5]
        assert value == pytest.approx(following @ 0.9 ** np.arange(5))
        padded += present < 2
    assert padded > 20
    with pytest.raises(ValueError, match="gives 4 steps in a row, 5 are needed"):
        Segments(OfflineData(recorded, 1, 4), scaling, 8, 3, rewards, 0.9)
    # Less data than a whole segment, but enough for its future.
    short = Segments(OfflineData(recorded, 1, 5), scaling, 8, 3, rewards[:1, :, :5], 0.9)
    assert short.draw(2, np.random.default_rng(0)).inputs.shape == (2, 8, 4)


# ------------------------------------------------------------------------------------- runs
@pytest.mark.parametrize("mean_field", [False, True])
def test_interrupted_training_ends_as_uninterrupted(recorded, tmp_path, monkeypatch, mean_field):
    config = dataclasses.replace(TINY, mean_field=mean_field)
    data, method = OfflineData(recorded, 3), make_baseline("dd")
    whole = method.fit(data, config, tmp_path / "whole", progress=False)
    update = DDLearner.update

    def killed(self, batch, step):
        if step == 7:
            raise RuntimeError("killed")
        return update(self, batch, step)

    with monkeypatch.context() as patch:
        patch.setattr(DDLearner, "update", killed)
        with pytest.raises(RuntimeError, match="killed"):
            method.fit(data, config, tmp_path / "cut", progress=False)
    cut = method.fit(data, config, tmp_path / "cut", progress=False)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, cut.network.state_dict()[name]), name


def test_decisions_depend_on_the_episode_alone_not_on_its_batch(recorded, tmp_path):
    policy = make_baseline("dd").fit(OfflineData(recorded, 2), TINY, tmp_path, progress=False)
    policy.target_return = 0.7
    policy.save(tmp_path / "tuned")
    again = load_policy(tmp_path / "tuned")
    assert again.target_return == 0.7
    observations = np.random.default_rng(0).uniform(0, 9, (6, 3, AGENTS, 4)).astype(np.float32)
    policy.begin([5, 6, 7])
    together = np.stack([policy.act_on(one) for one in observations])
    again.begin([6])
    alone = np.stack([again.act_on(one[1:2]) for one in observations])
    np.testing.assert_array_equal(together[:, 1:2], alone)
    assert together.min() >= 0
    assert together.max() <= 10
    with pytest.raises(ValueError, match="call begin first"):
        again.act_on(observations[0])
    again.begin([1, 2])
    with pytest.raises(ValueError, match="begin was given 2 seeds for 3 environments"):
        again.act_on(observations[0])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("horizon=12", "horizon must be a multiple of 8"),
        ("history=32", "history must be between 1 and 31, got 32"),
        ("sampler_steps=101", "sampler_steps must be between 1 and 100, got 101"),
        ("prediction=noise", "prediction must be one of 'x0', 'velocity'"),
        ("temperature=2", "temperature must be between 0 and 1, got 2"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(option, message):
    with pytest.raises((ValueError, TypeError), match=message):
        DDConfig.from_overrides([option])
