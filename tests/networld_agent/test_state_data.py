"""Global states in data sets: recorded as they were, checked, summarised and exchanged."""

import numpy as np
import pytest
from dataset_cases import SMALL, change_metadata, contents, copy_of, overwrite

from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import DatasetError, TrajectoryDataset
from networld_agent.data.__main__ import main as data_main
from networld_agent.data.inspection import summary
from networld_agent.data.subset import write_subset
from networld_agent.data.windows import WindowSource
from wirelessenvs.tasks import TASKS

EPISODES, STEPS = 4, 25


def settings(task="rb-v0", **changed):
    return CollectionSettings(
        env=task, episodes=EPISODES, steps=STEPS, **{"state": True, **SMALL[task], **changed}
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return collect(settings(), tmp_path_factory.mktemp("data") / "rb", num_envs=3)


@pytest.mark.parametrize("task", list(TASKS))
def test_states_are_those_that_the_recorded_actions_lead_to(task, tmp_path):
    dataset = TrajectoryDataset.open(collect(settings(task), tmp_path / "data", num_envs=3), "full")
    simulator = dataset.make_simulator(EPISODES)
    states = dataset.array("state")
    assert states.shape == (EPISODES, STEPS + 1, *simulator.state_space.shape)
    simulator.reset(list(dataset.seeds))
    for t in range(STEPS):
        assert np.array_equal(states[:, t], simulator.state())
        simulator.step(dataset.actions[:, :, t])
    assert np.array_equal(states[:, STEPS], simulator.state())


def test_neither_batches_nor_processes_change_a_byte(recorded, tmp_path):
    for name, arguments in (("one", {"num_envs": 1}), ("two", {"num_envs": 2, "jobs": 2})):
        assert contents(collect(settings(), tmp_path / name, **arguments)) == contents(recorded)


def test_all_else_is_as_without_states(recorded, tmp_path):
    plain = collect(settings(state=False), tmp_path / "plain")
    with_state, without = contents(recorded), contents(plain)
    assert with_state.keys() - without.keys() == {"state.npy"}
    assert all(with_state[n] == data for n, data in without.items() if n != "metadata.json")
    # Data sets of earlier versions stay what they were.
    assert b"state" not in without["metadata.json"]
    pair = [WindowSource(TrajectoryDataset.open(path)).draw(8, 9, 3) for path in (recorded, plain)]
    assert np.array_equal(pair[0].observations, pair[1].observations)


def test_states_have_statistics_and_a_line_for_people(recorded):
    dataset = TrajectoryDataset.open(recorded)
    flat = dataset.array("state").reshape(-1, dataset.description.state_size).astype(np.float64)
    found = dataset.metadata.statistics["state"]
    for key in ("min", "max", "mean", "std"):
        assert found[key] == pytest.approx(getattr(flat, key)(0).tolist(), rel=1e-6, abs=1e-9)
    assert f"global state: {dataset.description.state_size} entries" in summary(dataset)


def test_a_part_keeps_its_states(recorded, tmp_path):
    part = write_subset(TrajectoryDataset.open(recorded).select([1, 3]), tmp_path / "part")
    states = [TrajectoryDataset.open(path).array("state") for path in (recorded, part)]
    assert np.array_equal(states[0][[1, 3]], states[1])


def test_a_wrong_state_is_named_by_its_place(recorded, tmp_path):
    folder = copy_of(recorded, tmp_path)
    layout = TrajectoryDataset.open(recorded).metadata.arrays["state"].layout
    place = layout.offset(2) + 4 * (7 * layout.shape[2] + 5)
    overwrite(folder / "state.npy", place, np.float32(np.nan).tobytes())
    with pytest.raises(DatasetError, match="episode 2, step 7, entry 5 is nan"):
        TrajectoryDataset.open(folder, "full")
    overwrite(folder / "state.npy", place, np.float32(123.25).tobytes())
    with pytest.raises(DatasetError, match=r"state\.npy: the checksum of episode 2"):
        TrajectoryDataset.open(folder, "full")


def test_metadata_and_file_must_agree_on_the_size(recorded, tmp_path):
    folder = copy_of(recorded, tmp_path)
    change_metadata(folder, lambda document: document.update(state_size=3))
    with pytest.raises(DatasetError, match=r"'statistics\.state\.min' must"):
        TrajectoryDataset.open(folder)

    def shorten(document):
        for key, values in document["statistics"]["state"].items():
            document["statistics"]["state"][key] = values[:3]

    change_metadata(folder, shorten)
    with pytest.raises(DatasetError, match=r"'arrays.state.shape' must be \[4, 26, 3\]"):
        TrajectoryDataset.open(folder)


def test_minari_carries_states_there_and_back(recorded, tmp_path, monkeypatch):
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    assert data_main(["export", str(recorded), "--minari-id", "rb/state-v0"]) == 0
    states = TrajectoryDataset.open(recorded).array("state")
    for episode in minari.load_dataset("rb/state-v0").iterate_episodes():
        assert np.array_equal(episode.infos["state"], states[episode.id])
    folder, back = tmp_path / "minari" / "rb" / "state-v0", tmp_path / "back"
    assert data_main(["import", str(folder), "--out", str(back)]) == 0
    assert contents(back) == contents(recorded)


# ---------------------------------------------------------- environments of others
FOREIGN = """
import numpy as np
from wirelessenvs import rb_v0


class Stateless(rb_v0.RBParallelEnv):
    def state(self):
        raise NotImplementedError


class Fickle(rb_v0.RBParallelEnv):
    steps = 0

    def step(self, actions):
        self.steps += 1
        return super().step(actions)

    def state(self):
        return np.full(3, np.nan if self.steps > 2 else 1.0)
"""


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    (tmp_path / "their_states.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_the_state_of_another_environment_is_recorded(tmp_path):
    pytest.importorskip("mpe2")
    given = {"env": "mpe2.simple_spread_v3:parallel_env", "policy": "random", "steps": 5}
    with pytest.warns(UserWarning, match="has no graph"):
        path = collect(CollectionSettings(**given, episodes=2, state=True), tmp_path / "spread")
    dataset = TrajectoryDataset.open(path, "full")
    # Its state is what all agents observe, one after the other.
    seen = dataset.observations.swapaxes(1, 2).reshape(2, 6, -1)
    assert np.array_equal(dataset.array("state"), seen)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Stateless", "--state records state(), which their_states:Stateless does not have."),
        ("Fickle", "state() must give 3 finite numbers in every step, as it does in the first."),
    ],
)
def test_no_state_or_a_wrong_one_ends_the_collection(name, sentence, foreign, tmp_path):
    asked = CollectionSettings(
        env=f"their_states:{name}", policy="random", episodes=1, steps=5, state=True
    )
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the sentence is compared below
        collect(asked, tmp_path / "data")
    assert sentence in str(caught.value)
