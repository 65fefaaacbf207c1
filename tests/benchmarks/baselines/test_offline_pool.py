"""Baselines on the data of several networks: what is drawn, what is heard, who plays it."""

import numpy as np
import pytest
import torch
from baseline_cases import METHODS, tiny_config, tiny_data

from benchmarks.baselines import OfflineData, fit, make_baseline
from benchmarks.baselines.play import main as play
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.offline_data import Places
from benchmarks.baselines.shared.offline_pool import OfflinePool
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three networks of 4, 6 and 9 nodes, with 2, 2 and 3 episodes."""
    shelf = tmp_path_factory.mktemp("family")
    for nodes, episodes in ((4, 2), (6, 2), (9, 3)):
        settings = CollectionSettings(
            env="rb-v0", overrides={"num_nodes": nodes}, policy="mixed", episodes=episodes,
            steps=30, seed=nodes,
        )  # fmt: skip
        collect(settings, shelf / str(nodes))
    return shelf


def parts_of(folder, steps=20, temperature=0.0):
    names = ("4", "6", "9")
    sets = [TrajectoryDataset.open(folder / name) for name in names]
    return [OfflineData(dataset, None, steps, temperature) for dataset in sets]


def rows_of(parts):
    """Part, episode and agent of every row, as the pool numbers them."""
    return [(p, e, i) for p in parts for e in p.episodes for i in range(p.num_agents)]


def test_a_row_reads_what_its_agent_saw_heard_and_did(folder):
    parts = parts_of(folder)
    pool = OfflinePool(parts)
    rows = rows_of(parts)
    assert len(pool.episodes) == len(rows) == 2 * 4 + 2 * 6 + 3 * 9
    scaling = ObservationScaling.of_data(pool, mean_field=True)
    rng = np.random.default_rng(0)
    chosen, starts = rng.integers(len(rows), size=40), rng.integers(16, size=40)
    places = Places(chosen, starts, np.zeros(40, np.int64))
    inputs = scaling.inputs(pool, places, 5)
    for k, (row, start) in enumerate(zip(chosen, starts, strict=True)):
        part, episode, agent = rows[row]
        one = Places(np.array([episode]), np.array([start]), np.array([agent]))
        # Read from the data set itself, the mean over a neighbour list in a plain loop.
        seen = scaling(torch.from_numpy(part.dataset.observations[episode].copy()))
        near = np.flatnonzero(part.dataset.graph.adjacency[agent])
        mean = torch.stack([seen[j, start : start + 5] for j in near]).mean(0)
        expected = torch.cat([seen[agent, start : start + 5], mean], -1)
        torch.testing.assert_close(inputs[k], expected)
        np.testing.assert_array_equal(
            pool.actions(Places(chosen[k : k + 1], starts[k : k + 1], places.agents[:1]), 5),
            part.actions(one, 5),
        )
        np.testing.assert_array_equal(
            pool.rewards(Places(chosen[k : k + 1], starts[k : k + 1], places.agents[:1]), 5),
            part.rewards(one, 5),
        )


def test_every_network_has_an_equal_share(folder):
    parts = parts_of(folder)
    pool, rows = OfflinePool(parts), rows_of(parts)
    positions, agents, starts = pool.positions(30_000, 20, np.random.default_rng(1))
    assert not agents.any()
    assert (starts.min(), starts.max()) == (0, 19)
    owner = np.array([parts.index(part) for part, _, _ in rows])[positions]
    # Three shares of one third each, within four standard deviations.
    shares = np.bincount(owner) / len(owner)
    np.testing.assert_allclose(shares, 1 / 3, atol=4 * np.sqrt(2 / 9 / 30_000))
    assert len(np.unique(positions)) == len(rows)


def test_good_trajectories_are_preferred_within_their_network(folder):
    parts = parts_of(folder, temperature=0.1)
    pool, rows = OfflinePool(parts), rows_of(parts)
    positions, _, _ = pool.positions(30_000, 20, np.random.default_rng(1))
    for part in parts:
        drawn = [rows[p][1] for p in positions if rows[p][0] is part]
        shares = [drawn.count(e) / len(drawn) for e in part.episodes]
        np.testing.assert_allclose(shares, part.preferences, atol=4 * np.sqrt(0.25 / 9_000))


def test_the_reward_of_a_team_is_the_mean_of_its_own_network(folder):
    parts = parts_of(folder)
    pool = OfflinePool(parts)
    own, team = pool.joint_rewards(), pool.joint_rewards("team")
    for row, (part, episode, agent) in enumerate(rows_of(parts)):
        rewards = part.dataset.rewards[episode, :, :20]
        np.testing.assert_array_equal(own[row, 0], rewards[agent])
        np.testing.assert_allclose(team[row, 0], rewards.mean(0))


@pytest.mark.parametrize("method", METHODS)
def test_every_baseline_trains_on_several_networks_and_plays_another(method, folder, tmp_path):
    options = tiny_config(method, mean_field=True, trajectory_temperature=0.1) if method in (
        "bc", "dt", "dd"
    ) else tiny_config(method, mean_field=True)  # fmt: skip
    policy = make_baseline(method).fit(
        OfflinePool(parts_of(folder)), options, tmp_path / "run", progress=False
    )
    assert policy.spec.observation_size == 4
    words = ["--env", "rb-v0", "--set", "num_nodes=12", "--episodes", "1", "--steps", "5"]
    assert play(["--policy", str(tmp_path / "run"), *words]) == 0


def test_a_folder_of_data_sets_is_a_pool_and_its_contents_are_its_identity(
    folder, tmp_path, capsys
):
    words = ["--method", "bc", "--data", str(folder), "--steps", "5", "--set", "batch_size=8"]
    assert fit.main([*words, "--out", str(tmp_path / "run")]) == 0
    assert "bc on 7 trajectories of 30 steps" in capsys.readouterr().out
    other = [*words[:3], str(folder / "4"), *words[4:]]
    assert fit.main([*other, "--out", str(tmp_path / "run")]) == 2
    assert "holds a run with other settings" in capsys.readouterr().err


def test_what_does_not_fit_is_refused(folder, tmp_path, capsys):
    parts = parts_of(folder)
    with pytest.raises(ValueError, match=r"/4 does not fit .*/6: it has another number of steps"):
        OfflinePool([parts[1], OfflineData(parts[0].dataset, None, 10)])
    with pytest.raises(ValueError, match="has another task"):
        OfflinePool([parts[0], tiny_data("box")])
    with pytest.raises(ValueError, match="graph changes within an episode"):
        OfflinePool([tiny_data("box")])
    words = ["--method", "dima", "--data", str(folder), "--out", str(tmp_path / "dima")]
    assert fit.main(words) == 2
    assert "DIMA models one team of a fixed number of agents" in capsys.readouterr().err
