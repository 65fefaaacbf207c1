"""`python -m networld_agent.data`: inspect, verify, subset, and exchange with Minari."""

import json
import re
import shutil
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from dataset_cases import SMALL, change_metadata, contents, copy_of, overwrite, small_dataset
from PIL import Image

from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset
from networld_agent.data.__main__ import main
from networld_agent.data.inspection import magnitudes
from networld_agent.data.labels import action_labels, metric_labels, observation_labels
from wirelessenvs.tasks import TASKS, make_simulator

LABELLED = [
    ("cbf-v0", {}),
    ("cbf-v0", {"preset": "general"}),
    ("cbf-v0", {"observation": "log", "action": "beam", "num_antennas": 4}),
    ("rb-v0", {}),
    ("rb-v0", {"observation": "paper"}),
    ("slicing-v0", {"preset": "small"}),
    ("slicing-v0", {"preset": "small", "observation": "paper", "history": 3}),
    ("slicing-v0", {"preset": "small", "action": "discrete"}),
    *[(task, {"context": True}) for task in TASKS],
    ("rb-v0", {"units": "fair-share"}),
]


# ------------------------------------------------------------------------------- inspect
@pytest.mark.parametrize(("task", "arguments"), LABELLED)
def test_every_entry_has_a_name(task, arguments):
    simulator = make_simulator(task, **arguments)
    size = simulator.observation_space.shape[0]
    labels = observation_labels(task, simulator.config, size, simulator.context)
    names = [label.name for label in labels]
    assert len(set(names)) == size
    assert names[0] != "entry_0"
    parts = simulator.action_space.shape[0] if simulator.action_space.shape else 1
    assert action_labels(task, simulator.config, parts)[0].name != "action_0"
    assert len(metric_labels(task, simulator.metric_names)) == len(simulator.metric_names)


@pytest.mark.parametrize("task", list(TASKS))
def test_inspect_tells_and_draws(task, tmp_path, capsys):
    picture = tmp_path / "picture.png"
    assert main(["inspect", str(small_dataset(task, "mixed")), "--plot", str(picture)]) == 0
    text = capsys.readouterr().out
    assert f"{task}, 5 episodes x" in text
    assert "episodes of medium:" in text
    assert ("Beam magnitude per antenna" in text) == (task == "cbf-v0")
    with Image.open(picture) as image:
        assert image.size == (1440, 840)


def test_statistics_are_those_of_the_arrays():
    dataset = TrajectoryDataset.open(small_dataset("cbf-v0", "mixed"))
    found = dataset.metadata.statistics
    seen = dataset.observations.reshape(-1, 62).astype(np.float64)
    for name, values in (("min", seen.min(0)), ("max", seen.max(0)), ("mean", seen.mean(0)),
                         ("std", seen.std(0))):  # fmt: skip
        np.testing.assert_allclose(found["observations"][name], values, rtol=1e-6, atol=1e-12)
    means = dataset.rewards.mean((1, 2))
    np.testing.assert_allclose(found["episode_mean_rewards"], means, rtol=1e-7)
    assert found["returns"]["median"] == pytest.approx(np.median(means))
    assert found["returns"]["per_policy"]["expert"] == pytest.approx(means[[0, 3]].mean())
    assert found["negative_rewards"] == pytest.approx((dataset.rewards < 0).mean())
    repeated = (np.diff(dataset.actions, axis=2) == 0).mean()
    assert found["repeated_actions"] == pytest.approx(repeated)
    assert found["action_histogram"] == np.bincount(dataset.actions.ravel(), minlength=40).tolist()


def test_magnitudes_are_shares_and_quantiles():
    dataset = TrajectoryDataset.open(small_dataset("rb-v0", "random"))
    sizes = magnitudes(dataset, "observations", 20_000)
    queues = dataset.observations[:, :, :, 1]
    assert abs(sizes.below_10[1] - (queues < 10).mean()) < 0.02
    assert abs(sizes.quantiles[1, 1] - np.median(queues)) <= 1


# ------------------------------------------------------------------------ verify, subset
def test_verify_reads_everything_and_answers_with_its_status(tmp_path, capsys):
    path = small_dataset("rb-v0")
    assert main(["verify", str(path), str(small_dataset("cbf-v0"))]) == 0
    assert capsys.readouterr().out.count("all values and checksums are right") == 2
    damaged = copy_of(path, tmp_path)
    overwrite(damaged / "metrics.npy", 2000, b"\x01")
    assert main(["verify", str(damaged)]) == 2
    assert capsys.readouterr().err.startswith("error: metrics.npy: the checksum of episode ")


def test_the_first_episodes_are_a_data_set_of_their_own(tmp_path):
    source, out = small_dataset("rb-v0", "mixed"), tmp_path / "few"
    assert main(["subset", str(source), "--first", "3", "--out", str(out)]) == 0
    settings = CollectionSettings(
        env="rb-v0", policy="mixed", episodes=3, steps=40, **SMALL["rb-v0"]
    )
    assert contents(out) == contents(collect(settings, tmp_path / "collected"))


def test_a_range_of_episodes_is_a_data_set_of_its_own(tmp_path):
    source, out = small_dataset("cbf-v0"), tmp_path / "few"
    assert main(["subset", str(source), "--episodes", "1:4", "--out", str(out)]) == 0
    few, whole = TrajectoryDataset.open(out, "full"), TrajectoryDataset.open(source)
    assert few.seeds == whole.seeds[1:4]
    assert np.array_equal(few.array("beams"), whole.array("beams")[1:4])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["inspect", "{tmp}/no"], "metadata.json: the file is missing"),
        (["inspect", "{set}", "--plot", "{tmp}/no/x.png"], "does not exist"),
        (["subset", "{set}", "--out", "{tmp}/x"], "say which episodes"),
        (["subset", "{set}", "--first", "9", "--out", "{tmp}/x"], "--first must be between 1 and"),
        (["subset", "{set}", "--episodes", "a:b", "--out", "{tmp}/x"], "takes FROM:TO"),
        (["subset", "{set}", "--episodes", "3:9", "--out", "{tmp}/x"], "must be between 0 and 4"),
        (["subset", "{set}", "--first", "1", "--out", "{set}"], "exists already"),
        (["export", "{set}", "--minari-id", "??", "--root", "{tmp}"], "Malformed dataset ID"),
        (["import", "{tmp}", "--out", "{tmp}/x"], "is no Minari data set"),
    ],
)
def test_faults_end_in_one_sentence_and_status_two(tmp_path, arguments, sentence, capsys):
    if "minari" in sentence.lower() or "dataset ID" in sentence:
        pytest.importorskip("minari")
    places = {"tmp": tmp_path, "set": small_dataset("rb-v0")}
    assert main([argument.format(**places) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert sentence in error


@pytest.mark.parametrize("key", ["returns", "observations", "repeated_actions"])
def test_statistics_that_lack_a_key_are_one_sentence(tmp_path, key, capsys):
    damaged = copy_of(small_dataset("rb-v0"), tmp_path)
    change_metadata(damaged, lambda document: document["statistics"].pop(key))
    assert main(["inspect", str(damaged)]) == 2
    assert f"metadata.json: key 'statistics.{key}' is missing." in capsys.readouterr().err


# -------------------------------------------------------------------------------- Minari
@pytest.fixture
def minari_home(tmp_path, monkeypatch):
    pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return tmp_path / "minari"


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.filterwarnings("ignore:Package wirelessenvs is not installed")
def test_minari_loads_the_export_and_replays_it(task, minari_home):
    import minari

    source = TrajectoryDataset.open(small_dataset(task, "mixed"))
    assert main(["export", str(source.path), "--minari-id", "wireless/mixed-v0"]) == 0
    loaded = minari.load_dataset("wireless/mixed-v0")
    assert loaded.total_episodes == 5
    assert loaded.total_steps == 200
    env = loaded.recover_environment()
    assert env.observation_space == loaded.observation_space
    assert env.action_space == loaded.action_space
    metadata = list(loaded.storage.get_episode_metadata(range(5)))
    for episode in loaded.iterate_episodes():
        seen, _ = env.reset(seed=metadata[episode.id]["seed"])
        assert metadata[episode.id]["seed"] == source.seeds[episode.id]
        for t in range(40):
            assert np.array_equal(seen, episode.observations[t])
            seen, reward, _, over, info = env.step(episode.actions[t])
            assert reward == episode.rewards[t]
            assert np.array_equal(info["agent_rewards"], episode.infos["agent_rewards"][t])
            assert over == episode.truncations[t]
        assert np.array_equal(seen, episode.observations[40])


@pytest.mark.parametrize("task", list(TASKS))
def test_import_gives_back_the_same_data_set(task, minari_home, tmp_path):
    source, back = small_dataset(task, "mixed"), tmp_path / "back"
    assert main(["export", str(source), "--minari-id", "mixed-v3"]) == 0
    assert main(["import", str(minari_home / "mixed-v3"), "--out", str(back)]) == 0
    assert contents(back) == contents(source)


def test_a_graph_that_changes_survives_the_exchange(minari_home, tmp_path):
    overrides = {"num_cells": 7, "graph": "interferers", "action": "beam"}
    settings = CollectionSettings(env="cbf-v0", overrides=overrides, episodes=2, steps=6)
    source = collect(settings, tmp_path / "source")
    assert main(["export", str(source), "--minari-id", "x-v0"]) == 0
    assert main(["import", str(minari_home / "x-v0"), "--out", str(tmp_path / "back")]) == 0
    assert contents(tmp_path / "back") == contents(source)


def test_a_part_is_exported_to_a_folder_of_choice(minari_home, tmp_path, monkeypatch):
    import minari

    path = str(small_dataset("rb-v0"))
    root = tmp_path / "elsewhere"
    arguments = ["--minari-id", "rb/few-v1", "--root", str(root)]
    assert main(["export", path, *arguments, "--episodes", "2:4"]) == 0
    assert not minari_home.exists()
    assert sorted(entry.name for entry in root.iterdir()) == ["rb"]
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
    loaded = minari.load_dataset("rb/few-v1")
    assert [m["seed"] for m in loaded.storage.get_episode_metadata(range(2))] == [2, 3]
    assert main(["export", path, *arguments]) == 2


def test_data_of_another_project_is_exported_with_its_spaces(minari_home, tmp_path):
    pytest.importorskip("mpe2")
    import minari

    settings = CollectionSettings(
        env="mpe2.simple_spread_v3:parallel_env", policy="random", episodes=2, steps=5
    )
    with pytest.warns(UserWarning, match="has no graph"):
        source = collect(settings, tmp_path / "source")
    assert main(["export", str(source), "--minari-id", "spread-v0"]) == 0
    loaded = minari.load_dataset("spread-v0")
    assert loaded.observation_space.shape == (3, 18)
    assert loaded.action_space == gymnasium.spaces.MultiDiscrete([5, 5, 5])
    assert main(["import", str(minari_home / "spread-v0"), "--out", str(tmp_path / "b")]) == 0
    assert contents(tmp_path / "b") == contents(source)


def test_a_minari_data_set_that_is_not_ours_is_refused(minari_home, tmp_path, capsys):
    source = small_dataset("rb-v0")
    assert main(["export", str(source), "--minari-id", "x-v0"]) == 0
    file = minari_home / "x-v0" / "data" / "metadata.json"
    file.write_text(file.read_text().replace("networld_description", "something_else"))
    assert main(["import", str(minari_home / "x-v0"), "--out", str(tmp_path / "b")]) == 2
    assert "was not exported by this package" in capsys.readouterr().err
    shutil.rmtree(minari_home / "x-v0")


def exported(minari_home, name="x-v0", task="rb-v0"):
    assert main(["export", str(small_dataset(task)), "--minari-id", name]) == 0
    return minari_home / name


def test_a_changed_description_is_not_imported(minari_home, tmp_path, capsys):
    """Even where it is still one: another traffic, an integer more."""
    file = exported(minari_home) / "data" / "metadata.json"
    document = json.loads(file.read_text())
    for old, new in (('"mmpp"', '"mmpP"'), ('"rb-v0"', '"rb-v1"'), ('"expert"', '"expers"')):
        assert old in document["networld_description"]
        changed = document["networld_description"].replace(old, new)
        file.write_text(json.dumps(document | {"networld_description": changed}))
        assert main(["import", str(file.parents[1]), "--out", str(tmp_path / "b")]) == 2
        error = capsys.readouterr().err
        assert "key 'networld_description' does not fit its checksum" in error
        assert not (tmp_path / "b").exists()


def test_nothing_that_a_folder_names_is_called(minari_home, tmp_path, capsys):
    """Minari itself would make the environment of `env_spec`, here by `os.system`."""
    folder = exported(minari_home)
    file, mark = folder / "data" / "metadata.json", tmp_path / "called"
    spec = gymnasium.spec("wirelessenvs/RB-v0").to_json()
    evil = json.loads(spec) | {"entry_point": "os:system", "kwargs": {"command": f"touch {mark}"}}
    document = json.loads(file.read_text()) | {"env_spec": json.dumps(evil)}
    for name in ("observation_space", "action_space"):
        document.pop(name, None)
    file.write_text(json.dumps(document))
    assert main(["import", str(folder), "--out", str(tmp_path / "b")]) == 0
    file.write_text(json.dumps({"data_format": "hdf5", "env_spec": json.dumps(evil)}))
    assert main(["import", str(folder), "--out", str(tmp_path / "c")]) == 2
    assert "was not exported by this package" in capsys.readouterr().err
    assert not mark.exists()


def _without(name):
    def change(file):
        del file[name]

    return change


def _set(name, value):
    def change(file):
        if name in file:
            del file[name]
        file[name] = value

    return change


def _flip(file):
    file["episode_1/observations"][3, 1, 1] += 64


def _link(file):
    import h5py

    # The very values, in another file: only that they are elsewhere tells them.
    with h5py.File(Path(file.filename).with_name("other.hdf5"), "w") as other:
        other["rewards"] = file["episode_1/rewards"][()]
    del file["episode_1/rewards"]
    file["episode_1/rewards"] = h5py.ExternalLink("other.hdf5", "/rewards")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_flip, r"episode 1 does not fit its checksum"),
        (_without("episode_1"), "episode 1 is missing"),
        (_without("episode_1/rewards"), "episode 1 has no array 'rewards'"),
        (_without("episode_1/truncations"), "episode 1 has no array 'truncations'"),
        (_without("episode_1/infos"), "episode 1 has no array 'infos/agent_rewards'"),
        (_set("episode_1/rewards", np.zeros(3)), r"episode 1, rewards: shape \(3,\) instead of"),
        (_set("episode_1/rewards", "text"), "episode 1, rewards: shape"),
        (_set("episode_1", np.zeros(3)), "episode 1 is missing"),
        (_set("episode_0/more", 1.0), "episode 0 holds an unknown array 'more'"),
        (_set("episode_0/infos/more", 1.0), "episode 0 holds an unknown array 'more'"),
        (_link, "episode 1: rewards is no array of this file"),
    ],
)
def test_a_changed_export_is_not_imported(change, sentence, minari_home, tmp_path, capsys):
    import h5py

    folder = exported(minari_home)
    with h5py.File(folder / "data" / "main_data.hdf5", "r+") as file:
        change(file)
    assert main(["import", str(folder), "--out", str(tmp_path / "b")]) == 2
    assert re.search(sentence, capsys.readouterr().err)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_cut_hdf5_file_is_one_sentence(share, minari_home, tmp_path, capsys):
    path = exported(minari_home) / "data" / "main_data.hdf5"
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert main(["import", str(path.parent.parent), "--out", str(tmp_path / "b")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_relative_root_is_a_root(minari_home, tmp_path, monkeypatch):
    source = str(small_dataset("rb-v0").resolve())
    monkeypatch.chdir(tmp_path)
    assert main(["export", source, "--minari-id", "rb/a-v0", "--root", "mm"]) == 0
    assert (tmp_path / "mm/rb/a-v0/data/main_data.hdf5").exists()
    monkeypatch.setenv("MINARI_DATASETS_PATH", "other place")
    assert main(["export", source, "--minari-id", "rb/a-v0"]) == 0
    assert (tmp_path / "other place/rb/a-v0/data/main_data.hdf5").exists()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["export", source, "--minari-id", "rb/a-v0", "--root", "~/home"]) == 0
    assert (tmp_path / "home/rb/a-v0/data/main_data.hdf5").exists()


def test_a_namespace_may_be_deep(minari_home):
    folder = exported(minari_home, "labs/radio/rb/expert-v0")
    assert (folder / "data" / "main_data.hdf5").exists()


def test_a_full_disk_is_noticed_before_hdf5_does(minari_home, monkeypatch, capsys):
    usage = shutil.disk_usage("/")._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert main(["export", str(small_dataset("rb-v0")), "--minari-id", "x-v0"]) == 2
    assert "the disk has 0.0 MB left" in capsys.readouterr().err
    assert list(minari_home.iterdir()) == []


def test_what_a_killed_export_left_goes_with_the_next(minari_home):
    left = minari_home / ".export-killed"
    left.mkdir(parents=True)
    (left / "main_data.hdf5").write_bytes(b"half")
    exported(minari_home)
    assert not list(minari_home.glob(".export-*"))


def test_an_export_names_the_length_of_its_episodes(minari_home):
    """Loaders of other packages ask the environment's spec for it."""
    import minari

    exported(minari_home)
    loaded = minari.load_dataset("x-v0")
    assert loaded.spec.env_spec.max_episode_steps == 40
    assert loaded.recover_environment().spec.max_episode_steps == 40
