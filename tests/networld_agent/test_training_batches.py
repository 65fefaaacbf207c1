"""Batches: which windows, whose share, and what is held out."""

import dataclasses

import numpy as np
import pytest
import torch
from dataset_cases import small_dataset
from training_cases import TINY

from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import Places, WindowSource, held_out_split
from networld_agent.model.world_model import WorldModel
from networld_agent.training.batches import BatchSampler, Share
from networld_agent.training.config import TrainingConfig, learning_rate
from networld_agent.training.task_specs import make_task_spec


def dataset(task="rb-v0"):
    return TrajectoryDataset.open(small_dataset(task))


def sampler(seed=0, share=None, batch_size=64, tasks=("rb-v0", "slicing-v0")):
    return BatchSampler([WindowSource(dataset(t)) for t in tasks], TINY, batch_size, seed, share)


def places_of(windows, data, horizon):
    """Episode and first step of each joint window, by searching for its observations."""
    found = []
    for window in windows:
        found += [
            (e, t)
            for e in range(len(data.observations))
            for t in range(data.num_steps + 2 - horizon)
            if np.array_equal(data.observations[e, :, t : t + horizon], window)
        ]
    return found


def test_windows_hold_the_actions_and_rewards_between_their_observations():
    data = dataset()
    windows = WindowSource(data).gather(Places(np.array([3]), np.array([5])), 8)
    assert np.array_equal(windows.observations[0], data.observations[3, :, 5:13])
    assert np.array_equal(windows.actions[0], data.actions[3, :, 5:12])
    assert np.array_equal(windows.rewards[0], data.rewards[3, :, 5:12])


def test_labels_are_discounted_sums_of_the_rewards_in_the_window():
    data, batch = dataset(), sampler(tasks=("rb-v0",))(0)
    part = batch.parts[0]
    (e, t), *_ = places_of(part.observations[:1].numpy(), data, 8)
    expected = sum(TINY.gamma**k * data.rewards[e, :, t + k] for k in range(7))
    np.testing.assert_allclose(part.returns[0].numpy(), expected)


def test_every_window_of_every_episode_can_be_drawn():
    data = dataset()
    drawn = WindowSource(data).draw(4000, 36, seed=0)
    starts = set(places_of(drawn.observations[:300], data, 36))
    assert starts == {(e, t) for e in range(5) for t in range(6)}


def test_segments_limit_what_is_drawn():
    data = dataset()
    source = WindowSource(data, [(1, 10, 20), (4, 0, 7)])
    assert source.starts(8).tolist() == [3, 0]
    drawn = source.draw(50, 8, seed=0)
    assert set(places_of(drawn.observations, data, 8)) == {(1, 10), (1, 11), (1, 12)}


def test_batches_depend_on_seed_and_step_alone():
    first, again = sampler(), sampler()
    again(7)
    for step in (0, 5):
        one, two = first(step), again(step)
        assert torch.equal(one.noise, two.noise)
        assert torch.equal(one.parts[1].observations, two.parts[1].observations)
    assert not torch.equal(first(0).noise, first(1).noise)
    assert not torch.equal(first(0).noise, sampler(seed=1)(0).noise)


def test_tasks_share_a_batch_equally_whatever_their_number_of_agents():
    batch = sampler(batch_size=128)(0)
    sizes = [part.num_sequences for part in batch.parts]
    assert all(abs(size - 64) <= 10 for size in sizes)
    for part in batch.parts:
        assert part.weight * part.num_sequences == pytest.approx(0.5)


@pytest.mark.parametrize("world", [2, 3])
def test_shares_of_the_processes_make_up_the_whole_batch(world):
    whole = sampler()(3)
    parts = [sampler(share=Share(rank, world))(3) for rank in range(world)]
    assert sum(len(part.noise) for part in parts) == len(whole.noise)
    for task in ("rb-v0", "slicing-v0"):
        pieces = [p for part in parts for p in part.parts if p.task == task]
        (all_of_it,) = [p for p in whole.parts if p.task == task]
        assert sum(p.weight * p.num_sequences for p in pieces) == pytest.approx(0.5)
        total = sum(p.observations.double().sum() for p in pieces)
        torch.testing.assert_close(total, all_of_it.observations.double().sum())
    rows = torch.cat([part.noise for part in parts]).flatten(1)
    assert set(map(tuple, rows.tolist())) == set(map(tuple, whole.noise.flatten(1).tolist()))


def test_each_sequence_keeps_its_noise_when_the_batch_is_shared():
    whole, half = sampler()(0), sampler(share=Share(1, 2))(0)
    agents = whole.parts[0].observations.shape[1]
    assert torch.equal(half.parts[0].observations[0], whole.parts[0].observations[1])
    assert torch.equal(half.noise[:agents], whole.noise[agents : 2 * agents])
    assert torch.equal(half.tau[:agents], whole.tau[agents : 2 * agents])


def test_more_processes_than_windows_is_one_sentence():
    with pytest.raises(ValueError, match="fewer than the 99 processes"):
        sampler(share=Share(0, 99))


def test_data_shorter_than_the_horizon_is_one_sentence():
    with pytest.raises(ValueError, match="too short for the horizon: 41 observations"):
        WindowSource(dataset()).starts(42)


def test_last_trajectory_is_held_out():
    train, held_out = held_out_split(dataset(), 8, 4, None)
    assert train.segments[:, 0].tolist() == [0, 1, 2]
    assert held_out.segments.tolist() == [[3, 0, 41]]


def test_last_fifth_of_a_single_trajectory_is_held_out():
    train, held_out = held_out_split(dataset(), 4, 1, None)
    assert train.segments.tolist() == [[0, 0, 33]]
    assert held_out.segments.tolist() == [[0, 33, 41]]


def test_steps_are_cut_before_anything_is_held_out():
    train, held_out = held_out_split(dataset(), 8, 2, 20)
    assert train.segments.tolist() == [[0, 0, 21]]
    assert held_out.segments.tolist() == [[1, 0, 21]]


def test_a_trajectory_of_one_window_holds_nothing_out():
    train, held_out = held_out_split(dataset(), 8, 1, 10)
    assert train.segments.tolist() == [[0, 0, 11]]
    assert held_out is None


@pytest.mark.parametrize(
    ("trajectories", "steps", "sentence"), [(9, None, "5 trajectories"), (1, 99, "40 steps")]
)
def test_more_data_than_there_is_is_one_sentence(trajectories, steps, sentence):
    with pytest.raises(ValueError, match=sentence):
        held_out_split(dataset(), 8, trajectories, steps)


def test_task_spec_standardises_the_returns_of_all_windows():
    data = dataset()
    spec = make_task_spec("rb-v0", 0, [WindowSource(data)], TINY)
    returns = [
        sum(TINY.gamma**k * data.rewards[e, i, t + k] for k in range(7))
        for e in range(5)
        for i in range(data.num_agents)
        for t in range(34)
    ]
    assert spec.return_mean == pytest.approx(np.mean(returns))
    assert spec.return_std == pytest.approx(np.std(returns))
    assert spec.action.sizes == (11,)
    assert spec.num_agents == (4,)


def test_task_spec_of_real_actions_takes_the_bounds_of_the_space():
    spec = make_task_spec("slicing-v0", 1, [WindowSource(dataset("slicing-v0"))], TINY)
    assert spec.action.kind == "box"
    assert len(spec.action.low) == 3
    assert max(spec.action.high) > 1e6


def test_learning_rate_warms_up_then_falls_to_a_tenth():
    config = TrainingConfig(steps=1000, warmup_steps=100, learning_rate=1.0)
    rates = [learning_rate(config, step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[99] == 1.0
    assert np.all(np.diff(rates[100:]) <= 0)
    assert rates[-1] == pytest.approx(0.1, abs=0.001)


def test_encoders_see_observations_of_mean_0_and_variance_1():
    source = WindowSource(dataset("slicing-v0"))
    free = dataclasses.replace(TINY, observation_limit=0.0)
    spec = make_task_spec("slicing-v0", 1, [source], free)
    model = WorldModel(free, [spec])
    scaled = model.scaled_observations(spec.name, torch.tensor(source.dataset.observations))
    entries = scaled.double().flatten(0, -2)
    torch.testing.assert_close(entries.mean(0), torch.zeros(12).double(), atol=1e-4, rtol=0)
    spread = entries.std(0, correction=0)
    constant = source.dataset.observations.reshape(-1, 12).std(0) < 1e-6
    torch.testing.assert_close(spread, torch.from_numpy(~constant).double(), atol=1e-3, rtol=0)


def test_what_lies_far_outside_the_data_is_held_at_the_limit():
    spec = make_task_spec("rb-v0", 0, [WindowSource(dataset())], TINY)
    model = WorldModel(TINY, [spec])
    far = torch.tensor([[1e30, -1e30, 1e9, -1e9]])
    assert model.scaled_observations("rb-v0", far).tolist() == [[3.0, -3.0, 3.0, -3.0]]
    assert model.encode("rb-v0", far).isfinite().all()


def test_beyond_the_limit_a_tail_keeps_entries_apart():
    tailed = dataclasses.replace(TINY, observation_tail="log")
    spec = make_task_spec("rb-v0", 0, [WindowSource(dataset())], TINY)
    flat, log = WorldModel(TINY, [spec]), WorldModel(tailed, [spec])
    seen = torch.tensor(dataset().observations[0, :, :20])
    inside = (flat.scaled_observations("rb-v0", seen).abs() < 3).all(-1)
    assert inside.any()
    both = (model.scaled_observations("rb-v0", seen[inside]) for model in (flat, log))
    assert torch.equal(*both)
    far = torch.tensor([10.0, 11.0, 1e3, 1e9, 1e30]).outer(torch.tensor([1.0, -1.0, 1.0, -1.0]))
    scaled = log.scaled_observations("rb-v0", 1e3 * far)
    assert (scaled.abs() > 3).all()
    assert (scaled.abs().diff(dim=0) > 0).all()
    assert scaled.abs().max() < 10


def test_moments_come_from_the_segments_alone():
    data = dataset()
    seen = np.sign(data.observations) * np.log1p(np.abs(data.observations))
    spec = make_task_spec("rb-v0", 0, [WindowSource(data, [(2, 5, 20)])], TINY)
    expected = seen[2, :, 5:20].reshape(-1, 4).mean(0)
    np.testing.assert_allclose(spec.observation_mean, expected, rtol=1e-5)


def test_without_standardisation_no_moments_are_kept():
    config = dataclasses.replace(TINY, standardise=False)
    spec = make_task_spec("rb-v0", 0, [WindowSource(dataset())], config)
    assert spec.observation_mean == spec.observation_std == ()
