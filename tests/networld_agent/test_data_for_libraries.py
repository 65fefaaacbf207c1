"""Data sets as tables of pandas and as batches of PyTorch's `DataLoader`."""

import copy
import dataclasses
import sys

import numpy as np
import pytest
import torch
from dataset_cases import small_dataset
from torch.utils.data import DataLoader

from networld_agent.data import TrajectoryDataset
from networld_agent.data.torch_windows import WindowBatches
from networld_agent.data.windows import Places, WindowSource
from wirelessenvs.tasks import TASKS


# ---------------------------------------------------------------------------- pandas
@pytest.mark.parametrize("task", list(TASKS))
def test_a_table_has_a_row_per_episode_agent_and_step(task):
    pytest.importorskip("pandas")
    dataset = TrajectoryDataset.open(small_dataset(task, "mixed")).select([3, 1])
    table, about = dataset.to_pandas(), dataset.description
    e, n, t = 2, dataset.num_agents, dataset.num_steps
    size = len(about.observation.names) + len(about.action.names) + len(about.metrics)
    assert table.shape == (e * n * t, 5 + size + 2)
    assert table.notna().all().all()
    row = table.iloc[(1 * n + 2) * t + 7]  # of episode 1 of the two, agent 2, step 7
    assert (row.episode, row.agent, row.step) == (1, about.agents[2], 7)
    assert (row.seed, row.policy) == (dataset.seeds[1], about.episode_policies[1])
    for k, name in enumerate(about.observation.names):
        assert row[f"observation.{name}"] == dataset.observations[1, 2, 7, k]
    actions = dataset.actions[1, 2, 7].reshape(-1)
    for k, name in enumerate(about.action.names):
        assert row[f"action.{name}"] == actions[k]
    for metric in about.metrics:
        assert row[f"metric.{metric.name}"] == dataset.metric(metric.name)[1, 2, 7]
    means = table.groupby(["episode", "agent"], observed=True)["reward"].mean()
    assert np.allclose(means.to_numpy().reshape(e, n), dataset.rewards[[3, 1]].mean(2))
    assert not table["terminated"].any()


def test_a_table_never_drops_one_of_two_columns_of_a_name():
    pytest.importorskip("pandas")
    dataset = TrajectoryDataset.open(small_dataset("rb-v0"))
    about = dataset.description
    first, *others = about.observation.names
    twice = dataclasses.replace(about.observation, names=(first, first, *others[1:]))
    described = dataclasses.replace(about, observation=twice)
    changed = copy.copy(dataset)
    changed.metadata = dataclasses.replace(dataset.metadata, description=described)
    with pytest.raises(
        ValueError, match=rf"must differ to become columns, got 'observation.{first}'"
    ):
        changed.to_pandas()


def test_a_table_without_pandas_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    dataset = TrajectoryDataset.open(small_dataset("rb-v0"))
    with pytest.raises(ImportError, match=r"^pandas is not installed: pip install 'wirelessenvs\["):
        dataset.to_pandas()


# --------------------------------------------------------------------------- PyTorch
def source():
    return WindowSource(TrajectoryDataset.open(small_dataset("rb-v0")))


def stream(windows, workers, **options):
    return list(DataLoader(windows, batch_size=None, num_workers=workers, **options))


def equal(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


@pytest.mark.parametrize(("workers", "start"), [(1, "fork"), (2, "fork"), (2, "spawn")])
def test_workers_give_the_sequence_of_the_process_itself(workers, start):
    windows = WindowBatches(source(), 4, 9, seed=5, batches=7)
    alone = stream(windows, 0)
    shared = stream(windows, workers, multiprocessing_context=start)
    assert len(alone) == len(shared) == 7
    assert all(map(equal, alone, shared))


def test_a_seed_fixes_the_windows_and_another_gives_others():
    first, again, other = (
        stream(WindowBatches(source(), 16, 9, seed=seed, batches=3), 0) for seed in (1, 1, 2)
    )
    assert all(map(equal, first, again))
    assert not any(map(equal, first, other))
    assert not equal(first[0], first[1])


@pytest.mark.parametrize("per_agent", [False, True])
def test_batches_hold_what_was_recorded_at_their_places(per_agent):
    reader = source()
    (batch,) = stream(WindowBatches(reader, 64, 9, batches=1, per_agent=per_agent), 0)
    agents = batch["agents"].numpy() if per_agent else None
    places = Places(batch["episodes"].numpy(), batch["starts"].numpy(), agents)
    assert np.array_equal(batch["observations"], reader.observations(places, 9))
    assert np.array_equal(batch["actions"], reader.actions(places, 8))
    assert np.array_equal(batch["rewards"], reader.rewards(places, 8))
    assert batch["observations"].shape == ((64, 9, 4) if per_agent else (64, 4, 9, 4))
    # All places can be drawn: 5 episodes, 33 starts, 4 agents.
    assert {*places.episodes.tolist()} == set(range(5))
    assert 0 <= places.starts.min() < places.starts.max() <= 32
    if agents is not None:
        assert {*agents.tolist()} == set(range(4))


def test_a_stream_without_an_end_goes_on():
    stream = iter(WindowBatches(source(), 2, 5))
    assert len({tuple(next(stream)["starts"].tolist()) for _ in range(50)}) > 25


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((0, 9), "batch_size must be at least 1"),
        ((4, 1), "horizon must be at least 2"),
        ((4, 99), "is too short for the horizon"),
    ],
)
def test_windows_that_do_not_exist_are_refused_at_once(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        WindowBatches(source(), *arguments)
