"""Minari for libraries of single agents: an episode per agent, reference scores, lengths."""

import gymnasium
import numpy as np
import pytest
from dataset_cases import SMALL, small_dataset

from networld_agent.collecting import CollectionSettings, FamilySettings, collect, collect_family
from networld_agent.data import TrajectoryDataset
from networld_agent.data.__main__ import main
from networld_agent.data.minari_agents import agent_arguments
from networld_agent.data.minari_scores import reference_scores
from wirelessenvs import make_policy, make_simulator, run_policy
from wirelessenvs.seeds import EVALUATION_SEEDS
from wirelessenvs.tasks import TASKS

minari = pytest.importorskip("minari")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return tmp_path / "minari"


def export(source, name, *options):
    assert main(["export", str(source), "--minari-id", name, "--per-agent", *options]) == 0
    return minari.load_dataset(name)


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.filterwarnings("ignore:Package wirelessenvs is not installed")
def test_every_agent_is_an_episode_in_plain_spaces(task):
    source = TrajectoryDataset.open(small_dataset(task, "mixed"))
    loaded, n = export(source.path, "wireless/agents-v0"), source.num_agents
    simulator = source.make_simulator()
    assert loaded.observation_space == simulator.observation_space
    assert loaded.action_space == simulator.action_space
    assert loaded.total_episodes == 5 * n
    labels = list(loaded.storage.get_episode_metadata(range(5 * n)))
    for episode in loaded.iterate_episodes():
        e, i = divmod(episode.id, n)
        label = labels[episode.id]
        assert (label["agent"], label["team_episode"]) == (source.description.agents[i], e)
        assert label["seed"] == source.seeds[e]
        assert np.array_equal(episode.observations, source.observations[e, i])
        assert np.array_equal(episode.actions, source.actions[e, i])
        assert np.array_equal(episode.rewards, source.rewards[e, i])
        assert episode.truncations.tolist() == [False] * 39 + [True]
        assert not episode.terminations.any()
        for metric in source.description.metrics:
            assert np.array_equal(episode.infos[metric.name], source.metric(metric.name)[e, i])
    env = loaded.recover_environment()
    assert env.observation_space == loaded.observation_space
    assert env.action_space == loaded.action_space
    assert env.spec.max_episode_steps == 40


@pytest.mark.filterwarnings("ignore:Package wirelessenvs is not installed")
def test_the_recovered_environment_replays_the_first_agent(tmp_path):
    settings = CollectionSettings(
        env="rb-v0", policy="demand", epsilon=0.0, episodes=2, steps=30, overrides={"num_nodes": 4}
    )
    loaded = export(collect(settings, tmp_path / "source"), "x-v0")
    env = loaded.recover_environment()
    labels = list(loaded.storage.get_episode_metadata(range(8)))
    for episode in loaded.iterate_episodes([0, 4]):
        seen, _ = env.reset(seed=int(labels[episode.id]["seed"]))
        for t in range(30):
            assert np.array_equal(seen, episode.observations[t])
            seen, reward, _, over, _ = env.step(episode.actions[t])
            assert (reward, over) == (episode.rewards[t], episode.truncations[t])


def test_an_episode_per_agent_is_not_taken_for_a_whole_one(home, tmp_path, capsys):
    export(small_dataset("rb-v0"), "x-v0")
    assert main(["import", str(home / "x-v0"), "--out", str(tmp_path / "back")]) == 2
    told = capsys.readouterr().err
    assert "holds an episode per agent" in told
    assert told.count("\n") == 1


def test_data_of_another_project_has_no_environment_but_its_spaces(tmp_path, capsys):
    pytest.importorskip("mpe2")
    settings = CollectionSettings(
        env="mpe2.simple_spread_v3:parallel_env", policy="random", episodes=2, steps=5
    )
    with pytest.warns(UserWarning, match="has no graph"):
        source = collect(settings, tmp_path / "source")
    loaded = export(source, "spread-v0")
    assert loaded.observation_space.shape == (18,)
    assert loaded.action_space == gymnasium.spaces.Discrete(5)
    assert loaded.total_episodes == 6
    assert "ref_max_score" not in loaded.storage.metadata
    arguments = ["--minari-id", "y-v0", "--reference-episodes", "2"]
    assert main(["export", str(source), *arguments]) == 2
    assert "--reference-episodes needs an expert" in capsys.readouterr().err


# ----------------------------------------------------------------- reference scores
def test_known_scores_go_with_an_export_and_normalise_returns(tmp_path):
    source = collect(CollectionSettings(env="rb-v0", episodes=2, steps=20), tmp_path / "source")
    loaded = export(source, "x-v0")
    known = {s.policy: s.value for s in TASKS["rb-v0"].reference if s.preset == "rb-8"}
    metadata = loaded.storage.metadata
    assert metadata["ref_min_score"] == known["random"] * 20
    assert metadata["ref_max_score"] == known["expert"] * 20
    returns = np.array([known["random"], known["expert"]]) * 20
    assert minari.get_normalized_score(loaded, returns).tolist() == [0, 1]


def test_the_expert_of_a_deployment_is_that_of_its_family(tmp_path):
    """In rb that is `bayes`, with which its data is made, and not the task's `expert`."""
    settings = FamilySettings(family="rb", split="train", indices=(3,), episodes=1, steps=30)
    folder = collect_family(settings, tmp_path / "rb") / "000003"
    dataset = TrajectoryDataset.open(folder)
    assert agent_arguments(dataset.description) == {"others": "bayes"}
    simulator = dataset.make_simulator(2)
    seeds = [EVALUATION_SEEDS.start, EVALUATION_SEEDS.start + 1]
    mean = run_policy(simulator, make_policy("bayes", simulator), 30, seeds)["reward"].mean()
    assert reference_scores(dataset, 2)["ref_max_score"] == pytest.approx(30 * float(mean))
    # What is known of a preset says nothing of it.
    assert reference_scores(dataset) == {}


def test_scores_of_another_configuration_are_played_or_left_out():
    dataset = TrajectoryDataset.open(small_dataset("rb-v0"))
    assert reference_scores(dataset) == {}
    scores = reference_scores(dataset, 3)
    simulator = make_simulator("rb-v0", 3, max_steps=40, **SMALL["rb-v0"]["overrides"])
    seeds = [EVALUATION_SEEDS.start + e for e in range(3)]
    for key, name in (("ref_min_score", "random"), ("ref_max_score", "expert")):
        played = run_policy(simulator, make_policy(name, simulator), 40, seeds)
        assert scores[key] == pytest.approx(played["reward"].mean() * 40)
    assert scores["num_episodes_average_score"] == 3
    assert scores["ref_min_score"] < scores["ref_max_score"]
    with pytest.raises(ValueError, match="--reference-episodes must be between 1"):
        reference_scores(dataset, 0)


# --------------------------------------------------------------------------- d3rlpy
@pytest.mark.parametrize("task", ["rb-v0", "slicing-v0"])
@pytest.mark.filterwarnings("ignore")
def test_d3rlpy_reads_trains_and_plays(task):
    """As docs/data.md shows it; `pip install 'wirelessenvs[validation]'`."""
    pytest.importorskip("d3rlpy")
    import d3rlpy

    source = TrajectoryDataset.open(small_dataset(task, "expert"))
    loaded, discrete = export(source.path, "agents-v0"), task == "rb-v0"
    episodes = list(loaded)
    buffer = d3rlpy.dataset.MDPDataset(
        np.concatenate([episode.observations[:-1] for episode in episodes]),
        np.concatenate([episode.actions for episode in episodes]),
        np.concatenate([episode.rewards for episode in episodes]),
        np.concatenate([episode.terminations for episode in episodes]),
        np.concatenate([episode.truncations for episode in episodes]),
        action_space=d3rlpy.ActionSpace.DISCRETE if discrete else d3rlpy.ActionSpace.CONTINUOUS,
    )
    assert len(buffer.episodes) == 5 * source.num_agents
    for k, episode in enumerate(buffer.episodes):
        e, i = divmod(k, source.num_agents)
        assert np.array_equal(episode.observations, source.observations[e, i, :-1])
        assert np.array_equal(episode.actions.reshape(source.actions[e, i].shape),
                              source.actions[e, i])  # fmt: skip
        assert np.array_equal(episode.rewards.ravel(), source.rewards[e, i])
        assert not episode.terminated
    # Its own loader makes the environment, too; its first episode is right (see docs/data.md).
    theirs, env = d3rlpy.datasets.get_minari("agents-v0")
    assert np.array_equal(theirs.episodes[0].observations, buffer.episodes[0].observations)
    kind = d3rlpy.algos.DiscreteBCConfig if discrete else d3rlpy.algos.BCConfig
    learner = kind(batch_size=8).create(device="cpu:0")
    learner.fit(buffer, n_steps=2, n_steps_per_epoch=2, show_progress=False, save_interval=9,
                logger_adapter=d3rlpy.logging.NoopAdapterFactory())  # fmt: skip
    observation, _ = env.reset(seed=1)
    action = learner.predict(observation[None])[0]
    if not discrete:
        action = np.clip(action, env.action_space.low, env.action_space.high)
    assert np.isfinite(env.step(action)[1])
