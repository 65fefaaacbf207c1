"""Collection on a Ray cluster gives the same bytes."""

import pytest
from dataset_cases import SMALL, contents, small_dataset

from networld_agent import collect as command
from networld_agent.collecting import CollectionSettings, collect

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.mark.parametrize("task", ["rb-v0", "cbf-v0"])
def test_two_ray_workers_give_the_same_bytes(tmp_path, task):
    pytest.importorskip("ray")
    settings = CollectionSettings(env=task, policy="mixed", episodes=5, steps=40, **SMALL[task])
    path = collect(settings, tmp_path / "set", num_envs=2, jobs=2, ray_address="local")
    assert contents(path) == contents(small_dataset(task, "mixed"))


def test_no_cluster_is_one_sentence(tmp_path, capsys):
    pytest.importorskip("ray")
    arguments = ["--env", "rb-v0", "--episodes", "1", "--steps", "5", "--ray", "127.0.0.1:1"]
    assert command.main([*arguments, "--out", str(tmp_path / "x")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
