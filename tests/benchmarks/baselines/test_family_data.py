"""Data of several deployments as baselines read it."""

import numpy as np
import pytest
import torch
from baseline_cases import METHODS, tiny_config

from benchmarks.baselines import OfflineData, fit, make_baseline
from benchmarks.baselines.dima import fit as dima_fit
from benchmarks.baselines.shared.family_data import FamilyData
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.returns import scoped_rewards
from networld_agent.collecting import FamilySettings, collect_family
from networld_agent.data import TrajectoryDataset
from networld_agent.data.family import open_datasets
from networld_agent.worlds.make import deployment_worlds
from wirelessenvs import deployments

TRAIN = {"family": "rb", "split": "train", "policy": "mixed", "episodes": 3, "steps": 40}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    settings = FamilySettings(indices=range(3, 5), **TRAIN)
    return collect_family(settings, tmp_path_factory.mktemp("family") / "rb")


@pytest.fixture(scope="module")
def data(folder):
    return FamilyData(open_datasets([folder]), 2, 30)


def test_rows_are_the_agents_of_every_episode(data):
    sizes = [part.num_agents for part in data.parts]
    assert sizes == [10, 8]
    assert len(data.episodes) == 2 * 10 + 2 * 8
    expected = [
        part.dataset.rewards[episode, agent, :30]
        for part in data.parts
        for episode in range(2)
        for agent in range(part.num_agents)
    ]
    np.testing.assert_array_equal(data.joint_rewards()[:, 0], expected)
    team = scoped_rewards(data, "team")[:, 0]
    for index, part in enumerate(data.parts):
        mean = part.dataset.rewards[1, :, :30].mean(0)
        row = 20 * index + part.num_agents
        np.testing.assert_allclose(
            team[row : row + part.num_agents], np.tile(mean, (sizes[index], 1))
        )


def test_windows_are_those_of_the_files_with_the_mean_over_their_neighbours(data):
    places = data.places(300, 5, np.random.default_rng(0))
    assert not places.agents.any()
    scaling = ObservationScaling.of_data(data, mean_field=True)
    inputs = scaling.inputs(data, places, 6)
    rows = [
        (part.dataset, episode, agent)
        for part in data.parts
        for episode in range(2)
        for agent in range(part.num_agents)
    ]
    read = [data.observations(places, 6), data.actions(places, 5), data.rewards(places, 5)]
    seen = set()
    for b, (row, start) in enumerate(zip(places.episodes, places.starts, strict=True)):
        dataset, episode, agent = rows[row]
        seen.add(dataset.path)
        window = dataset.observations[episode, :, start : start + 6]
        np.testing.assert_array_equal(read[0][b], window[agent])
        np.testing.assert_array_equal(
            read[1][b], dataset.actions[episode, agent, start : start + 5]
        )
        np.testing.assert_array_equal(
            read[2][b], dataset.rewards[episode, agent, start : start + 5]
        )
        heard = scaling(tensor(window))[tensor(dataset.graph.adjacency[agent])].mean(0)
        np.testing.assert_allclose(inputs[b, :, :4], scaling(tensor(window[agent])), rtol=1e-5)
        np.testing.assert_allclose(inputs[b, :, 4:], heard, rtol=1e-4, atol=1e-5)
    assert len(seen) == 2
    assert int(places.starts.max()) == 25


def tensor(array):
    return torch.from_numpy(np.array(array))


def test_one_data_set_as_a_family_is_that_data_set(folder):
    dataset = TrajectoryDataset.open(folder / "000003")
    alone, family = OfflineData(dataset, 2, 30), FamilyData([dataset], 2, 30)
    assert family.reward_scale() == alone.reward_scale()
    np.testing.assert_array_equal(family.sample_rows(), alone.sample_rows())
    one, other = (x.places(50, 3, np.random.default_rng(1)) for x in (alone, family))
    np.testing.assert_array_equal(alone.observations(one, 4), family.observations(other, 4))


def test_good_trajectories_are_preferred_within_their_deployment(data):
    assert data.preferences == pytest.approx(np.full(36, 1 / 36))
    chosen = data.preferring(0.1).preferences
    assert chosen.sum() == pytest.approx(1)
    # Of the tiers expert and medium; each deployment keeps its share of agents and steps.
    assert chosen[:20].sum() == pytest.approx(20 / 36)
    for first, agents in ((0, 10), (20, 8)):
        better, worse = chosen[first], chosen[first + agents]
        means = data.joint_rewards()[first : first + 2 * agents, 0].mean(1)
        assert (better > worse) == (means[:agents].mean() > means[agents:].mean())
        assert better != worse


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_from_it_and_plays_another_deployment(name, data, tmp_path):
    config = tiny_config(name, mean_field=True)
    policy = make_baseline(name).fit(data, config, tmp_path / name, progress=False)
    site = deployments("rb", "test")[2]
    worlds = deployment_worlds(site, 1, 5, {})
    policy.begin([0])
    actions = policy.act(worlds, worlds.reset([0]))
    assert actions.shape == (1, site.config.num_nodes)
    again = make_baseline(name).fit(data, config, tmp_path / name, progress=False)
    assert again.spec == policy.spec


def test_the_command_takes_the_folder_and_nothing_that_is_judged_on(folder, tmp_path, capsys):
    out = ["--out", str(tmp_path / "run"), "--steps", "3"]
    words = ["--method", "bc", "--set", "hidden_size=8", *out]
    assert fit.main([*words, "--data", str(folder)]) == 0
    assert "is complete: bc on 54 " in capsys.readouterr().out
    for split, count, sentence in (
        ("test", 2, "000000 is of the deployments of 'test': pre-training, and training on"),
        ("test", 1, None),
    ):
        settings = FamilySettings(indices=range(count), **{**TRAIN, "split": split, "episodes": 1})
        judged = collect_family(settings, tmp_path / f"{split}-{count}")
        words[words.index("--out") + 1] = str(tmp_path / f"run-{count}")
        assert fit.main([*words, "--data", str(judged)]) == (2 if sentence else 0)
        if sentence:
            error = capsys.readouterr().err
            assert sentence in error
            assert error.count("\n") == 1
    assert dima_fit.main(["--data", str(folder), "--out", str(tmp_path / "dima")]) == 2
    assert "learns from all agents at once, of a single data set" in capsys.readouterr().err


def test_data_sets_that_do_not_fit_are_refused(folder, tmp_path):
    settings = FamilySettings(indices=(5,), **{**TRAIN, "overrides": {"context": True}})
    other = collect_family(settings, tmp_path / "other")
    with pytest.raises(ValueError, match=r"000005 does not fit .*000003: other observations\.$"):
        FamilyData(open_datasets([folder, other]))
