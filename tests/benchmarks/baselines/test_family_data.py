"""Data of several deployments as baselines read it."""

import pytest

from benchmarks.baselines import OfflineData, fit
from benchmarks.baselines.shared.offline_pool import OfflinePool
from networld_agent.collecting import FamilySettings, collect_family
from networld_agent.data.family import open_datasets

TRAIN = {"family": "rb", "split": "train", "policy": "mixed", "episodes": 3, "steps": 40}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    settings = FamilySettings(indices=range(3, 5), **TRAIN)
    return collect_family(settings, tmp_path_factory.mktemp("family") / "rb")


def test_the_command_takes_the_folder_and_nothing_that_is_judged_on(folder, tmp_path, capsys):
    out = ["--out", str(tmp_path / "run"), "--steps", "3"]
    words = ["--method", "bc", "--set", "hidden_size=8", *out]
    assert fit.main([*words, "--data", str(folder)]) == 0
    assert "is complete: bc on " in capsys.readouterr().out
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


def test_data_sets_that_do_not_fit_are_refused(folder, tmp_path):
    settings = FamilySettings(indices=(5,), **{**TRAIN, "overrides": {"context": True}})
    other = collect_family(settings, tmp_path / "other")
    with pytest.raises(
        ValueError,
        match=r"000005 does not fit .*000003: it has another number of observation entries",
    ):
        OfflinePool([OfflineData(each) for each in open_datasets([folder, other])])
