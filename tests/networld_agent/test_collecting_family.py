"""Data over the deployments of a family: what is recorded, resumed, read and refused."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from dataset_cases import contents, overwrite
from tiny_models import tiny_model

from benchmarks.baselines import fit
from networld_agent import pretrain as pretrain_command
from networld_agent.collect import main
from networld_agent.collecting import (
    CollectionSettings,
    FamilySettings,
    collect,
    collect_family,
)
from networld_agent.collecting.tiers import TIERS
from networld_agent.config import get_preset
from networld_agent.data import DatasetError, TrajectoryDataset
from networld_agent.data import __main__ as data_command
from networld_agent.data.family import open_datasets, read_family
from networld_agent.documents import write_document
from networld_agent.training import adapt, pretrain
from wirelessenvs import deployments, make_policy
from wirelessenvs.families import FAMILIES
from wirelessenvs.seeds import EVALUATION_SEEDS

ROOT = Path(__file__).parents[2]
PARTS = {"family": "rb", "split": "train", "indices": range(3, 5), "episodes": 2, "steps": 20}


def settings_of(**changes):
    return FamilySettings(**{**PARTS, **changes})


def command(out, *words, split="train", chosen="3:5"):
    return main(["--family", "rb", "--split", split, "--deployments", chosen,
                 "--episodes-per-deployment", "2", "--steps", "20", "--jobs", "1",
                 "--out", str(out), *words])  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return collect_family(settings_of(), tmp_path_factory.mktemp("families") / "rb")


@pytest.fixture(scope="module")
def test_folder(tmp_path_factory):
    settings = settings_of(split="test", indices=range(17, 18))
    return collect_family(settings, tmp_path_factory.mktemp("families") / "test")


# ---------------------------------------------------------------------------- what is recorded
def test_every_deployment_has_a_data_set_of_its_own_environment(folder):
    for index in (3, 4):
        site = deployments("rb", "train")[index]
        dataset = TrajectoryDataset.open(folder / f"{index:06d}", verify="full")
        assert dataset.description.environment["deployment"] == {
            "family": "rb", "version": FAMILIES["rb"].version, "split": "train", "index": index
        }  # fmt: skip
        assert dataset.make_simulator().config == site.configure(max_steps=20)
        assert dataset.make_env().simulator.config == site.configure(max_steps=20)
        assert dataset.graph == site.make().graph
        assert dataset.num_episodes == 2


@pytest.mark.parametrize("family", ["cbf", "slicing"])
def test_families_of_other_tasks_are_rebuilt_from_their_data_as_well(family, tmp_path):
    settings = settings_of(family=family, indices=(1,), policy="random", episodes=1, steps=2)
    dataset = TrajectoryDataset.open(collect_family(settings, tmp_path / family) / "000001")
    site = deployments(family, "train")[1]
    assert dataset.make_simulator().config == site.configure(max_steps=2)
    assert dataset.make_env().simulator.config == site.configure(max_steps=2)


def test_the_expert_is_the_family_s(tmp_path):
    out = collect_family(settings_of(indices=(3,), epsilon=0.0), tmp_path / "rb")
    dataset = TrajectoryDataset.open(out / "000003")
    played = {}
    for name in ("bayes", "expert"):
        simulator = dataset.make_simulator(2)
        policy = make_policy(name, simulator)
        seen, actions = simulator.reset(dataset.seeds), []
        for _ in range(20):
            actions.append(policy(seen, simulator.privileged(policy.information)))
            seen = simulator.step(actions[-1]).observations
        played[name] = np.stack(actions, -1)
    assert np.array_equal(dataset.actions, played["bayes"])
    assert not np.array_equal(dataset.actions, played["expert"])


def test_bytes_depend_on_neither_processes_nor_batches(folder, tmp_path):
    two = collect_family(settings_of(), tmp_path / "two", num_envs=1, jobs=2)
    assert contents_of(two) == contents_of(folder)
    alone = settings_of(indices=(3,))
    inner = collect_family(alone, tmp_path / "inner", num_envs=1, jobs=2)
    assert contents(inner / "000003") == contents(folder / "000003")


def contents_of(folder):
    """Every file, whatever it is."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_seeds_differ_between_deployments_tiers_and_seeds_and_are_never_evaluated():
    seen = set()
    for split in FAMILIES["rb"].splits:
        for seed in (*range(7), 2**18 - 1):
            last = settings_of(split=split, indices=(0, 2**24 - 1), seed=seed)
            for index in last.indices:
                seeds = {*last.at(index).seeds}
                assert not seeds & seen
                assert min(seeds) > EVALUATION_SEEDS.stop
                assert max(seeds) < 2**63
                seen |= seeds
    assert len({settings_of(policy=tier).seed for tier in (*TIERS, "demand")}) == len(TIERS) + 1


def test_equal_seeds_give_equal_episodes_and_others_give_others(folder, tmp_path):
    same = collect_family(settings_of(seed=0), tmp_path / "same")
    assert contents_of(same) == contents_of(folder)
    few = collect_family(settings_of(seed=9, episodes=1), tmp_path / "few")
    more = collect_family(settings_of(seed=9, episodes=3), tmp_path / "more")
    old, one, three = (TrajectoryDataset.open(path / "000003") for path in (folder, few, more))
    assert np.array_equal(one.observations, three.observations[:1])
    for episode in three.observations:
        assert not any(np.array_equal(episode, other) for other in old.observations)


def test_context_and_units_are_named(tmp_path):
    overrides = {"context": True, "units": "fair-share"}
    out = collect_family(settings_of(indices=(3,), overrides=overrides), tmp_path / "context")
    dataset = TrajectoryDataset.open(out / "000003")
    context = dataset.make_simulator().context
    observation = dataset.description.observation
    assert observation.names == ("generated", "queue", "granted", "age", *context.names)
    assert observation.units[:3] == ("fair share",) * 3
    assert observation.units[4:] == context.units
    assert dataset.description.action.units == ("fair share",)
    assert (dataset.observations[0, :, :, 4:] == context.values[:, None]).all()


# ---------------------------------------------------------------------------------- stopping
def test_a_killed_collection_goes_on_to_the_same_bytes(tmp_path):
    out, words = tmp_path / "killed", ["--deployments", "12", "--steps", "300", "--jobs", "1"]
    words = [*words, "--family", "rb", "--split", "train", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "networld_agent.collect", *words],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (out / "000002").exists():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = (out / "000000" / "metadata.json").stat().st_mtime_ns
    with pytest.raises(DatasetError, match=r"of 12 deployments are missing, 0000\d\d first"):
        open_datasets([out])
    told = []
    settings = settings_of(indices=range(12), steps=300)
    collect_family(settings, out, report=lambda what, done, total: told.append((done, total)))
    assert told[0][0] >= 3 * 600
    assert told[-1] == (12 * 600, 12 * 600)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert (out / "000000" / "metadata.json").stat().st_mtime_ns == kept
    whole = collect_family(settings, tmp_path / "whole")
    assert contents_of(out) == contents_of(whole)


def test_complete_already_is_said_of_a_whole_folder_alone(folder, tmp_path, capsys):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert command(copy) == 0
    assert "is complete already: 2 data sets, 4 episodes, 8 to 10 agents" in capsys.readouterr().out
    shutil.rmtree(copy / "000004")
    assert command(copy) == 0
    assert "is complete: 2 data sets" in capsys.readouterr().out
    assert contents_of(copy) == contents_of(folder)
    overwrite(copy / "000003" / "rewards.npy", 200, b"\x01")
    assert command(copy) == 2
    assert "000003 is damaged: rewards.npy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--seed", "1"], "with other settings: seed is 0 there, 1 here."),
        (["--steps", "21"], "with other settings: steps is 20 there, 21 here."),
        (["--set", "context=true"], "overrides.context is None there, True here."),
        (["--deployments", "3:6"], "deployments has 2 entries there, 3 here."),
        (["--split", "test"], "split is 'train' there, 'test' here."),
    ],
)
def test_other_settings_are_refused_with_the_difference(folder, words, sentence, capsys):
    assert command(folder, *words) == 2
    assert_one_sentence(capsys, sentence)


def test_a_folder_of_something_else_is_left_alone(folder, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert command(tmp_path) == 2
    assert_one_sentence(capsys, "holds no data of a family")
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    text = (copy / "family.json").read_text()
    (copy / "family.json").write_text(text.replace('"steps": 20', '"steps": 30'))
    assert command(copy, "--steps", "30") == 2
    assert_one_sentence(capsys, "family.json: does not fit its checksum")


# ------------------------------------------------------------------------------------ options
def assert_one_sentence(capsys, sentence):
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert sentence in error


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--family", "lte"], "family must be one of 'rb', 'cbf', 'slicing', got 'lte'"),
        (["--split", "tests"], "--split must be one of 'train', 'validation', 'test', 'beyond-si"),
        (["--deployments", "0"], "--deployments takes a number, or FROM:TO"),
        (["--deployments", "5:5"], "--deployments takes a number, or FROM:TO"),
        (
            ["--deployments", "16777217"],
            "up to 16777216 and at most 100000 of them;",
        ),
        (["--deployments", "16000000"], "at most 100000 of them; got '16000000'"),
        (["--deployments", "9" * 5000], "at most 100000 of them; got '999"),
        (["--deployments", "-1"], "got '-1'"),
        (["--episodes-per-deployment", "0"], "--episodes-per-deployment must be between 1 and"),
        (["--steps", "0"], "--steps must be between 1"),
        (["--seed", "-1"], "--seed must be between 0 and 262143"),
        (["--policy", "best"], "--policy must be one of 'expert'"),
        (["--set", "num_nodes=5"], "num_nodes is fixed by deployment rb/train/3"),
        (["--set", "max_steps=5"], "give --steps 5 instead"),
        (["--set", "colour=red"], "unexpected keyword argument 'colour'"),
        (["--jobs", "0"], "--jobs must be between 1"),
    ],
)
def test_faults_are_one_sentence_and_leave_no_folder(words, sentence, tmp_path, capsys):
    assert command(tmp_path / "out", *words) == 2
    assert_one_sentence(capsys, sentence)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--env", "rb-v0"], "argument --env: not allowed with argument --family"),
        (["--ray"], "unrecognized arguments: --ray"),
        (["--preset", "rb-8"], "unrecognized arguments: --preset rb-8"),
    ],
)
def test_options_of_a_single_environment_are_no_options_of_a_family(words, sentence, capsys):
    with pytest.raises(SystemExit) as stop:
        command("out", *words)
    assert stop.value.code == 2
    assert sentence in capsys.readouterr().err


# ------------------------------------------------------------------------------------ readers
def test_pretraining_reads_the_folder_and_takes_nothing_that_is_judged_on(
    folder, test_folder, tmp_path, capsys
):
    preset = get_preset("smoke", {"steps": 1, "batch_size": 2, "horizon": 8})
    pretrain(folder, tmp_path / "run", preset, device="cpu")
    assert "data: 000003 (rb-v0), 000004 (rb-v0)" in capsys.readouterr().err
    sentence = r"000017 is of the deployments of 'test': pre-training, .* of 'train' alone\.$"
    with pytest.raises(ValueError, match=sentence):
        pretrain([folder, test_folder], tmp_path / "other", preset, device="cpu")
    assert not (tmp_path / "other").exists()


def test_adaptation_takes_one_data_set_of_any_split(folder, test_folder, tmp_path, capsys):
    preset = get_preset("smoke", {"steps": 1, "batch_size": 2})
    model = tiny_model().save(tmp_path / "model")
    adapt(model, test_folder / "000017", tmp_path / "run", preset, device="cpu")
    adapt(model, test_folder, tmp_path / "run", preset, device="cpu", report=print)
    assert "is complete already" in capsys.readouterr().out
    with pytest.raises(DatasetError, match=r"holds 2 data sets: name one, say .*000003\.$"):
        adapt(model, folder, tmp_path / "other", preset, device="cpu")
    with pytest.raises(DatasetError, match="a data set for each deployment of a family: name one"):
        TrajectoryDataset.open(folder)


def test_the_folder_is_inspected_and_verified(folder, capsys):
    assert data_command.main(["inspect", str(folder)]) == 0
    text = capsys.readouterr().out
    assert f"{folder}: 2 data sets, 4 episodes, 8 to 10 agents" in text
    assert "family rb, version 0, split train, policy expert, epsilon 0.05, seed 0" in text
    site = deployments("rb", "train")[4]
    mean = TrajectoryDataset.open(folder / "000004").rewards.mean()
    assert f"| 000004 | rb-v0 | expert | 8 | 2 | 20 | {mean:.4f} | 8 | " in text
    assert f"| {site.quantities['load']:.3g} |" in text
    assert data_command.main(["inspect", str(folder / "000004")]) == 0
    assert "deployment: rb/train/4" in capsys.readouterr().out
    assert data_command.main(["verify", str(folder)]) == 0
    assert capsys.readouterr().out.count("all values and checksums are right") == 2
    assert data_command.main(["inspect", str(folder), "--plot", "x.png"]) == 2
    assert_one_sentence(capsys, "--plot draws one data set")


def test_a_folder_of_any_data_sets_is_inspected(folder, tmp_path, capsys):
    shutil.copytree(folder / "000003", tmp_path / "some" / "one")
    assert data_command.main(["inspect", str(tmp_path / "some")]) == 0
    assert "some: 1 data sets, 2 episodes, 10 agents" in capsys.readouterr().out


def _replaced(folder):
    shutil.rmtree(folder / "000004")
    shutil.copytree(folder / "000003", folder / "000004")


def _rewritten(change):
    def rewrite(folder):
        document = {k: v for k, v in read_family(folder).items() if k != "sha256"}
        change(document)
        write_document(folder / "family.json", document)

    return rewrite


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_replaced, "000004 is of rb/train/3, and family.json says that it is of rb/train/4"),
        (lambda folder: (folder / "family.json").unlink(), "family.json, which says of which, is"),
        (_rewritten(lambda d: d.update(deployments=[])), "must name at least one, each once"),
        (
            _rewritten(lambda d: d.update(deployments=d["deployments"][:1] * 2)),
            "must name at least one, each once",
        ),
        (
            _rewritten(lambda d: d["deployments"][1].update(fingerprint="0" * 64)),
            "rb/train/4 is another deployment",
        ),
        (_rewritten(lambda d: d.update(split="validation")), "says that it is of rb/validation/3"),
    ],
)
def test_a_folder_is_of_the_deployments_that_its_record_names(
    damage, sentence, folder, tmp_path, capsys
):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    damage(copy)
    out = ["--preset", "smoke", "--out", str(tmp_path / "model")]
    for command in (
        lambda: data_command.main(["inspect", str(copy)]),
        lambda: data_command.main(["verify", str(copy)]),
        lambda: pretrain_command.main(["--data", str(copy), *out]),
    ):
        assert command() == 2
        error = capsys.readouterr().err
        assert sentence in error
        assert error.count("\n") == 1
    assert not (tmp_path / "model").exists()


def test_a_data_set_named_twice_would_count_twice(folder, tmp_path, capsys):
    words = ["--data", str(folder), str(folder / "000003"), "--preset", "smoke"]
    assert pretrain_command.main([*words, "--out", str(tmp_path / "model")]) == 2
    assert "000003 is named twice" in capsys.readouterr().err


def test_verify_says_which_of_several_is_damaged(folder, tmp_path, capsys):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    path = copy / "000004" / "rewards.npy"
    path.write_bytes(path.read_bytes()[:-8])
    assert data_command.main(["verify", str(copy)]) == 2
    assert f"{copy / '000004'}: rewards.npy" in capsys.readouterr().err


def test_what_means_something_else_is_not_learnt_from_together(tmp_path, capsys):
    """Equal numbers of entries in other units, or another reward, pass every check of shapes."""
    for observation in ("official", "log"):
        settings = CollectionSettings(
            env="cbf-v0", policy="random", episodes=1, steps=12,
            overrides={"num_cells": 7, "layout_seed": None, "observation": observation},
        )  # fmt: skip
        collect(settings, tmp_path / "cbf" / observation)
    words = ["--data", str(tmp_path / "cbf"), "--preset", "smoke", "--out", str(tmp_path / "m")]
    assert pretrain_command.main(words) == 2
    sentence = "it has another unit of observation entries"
    assert sentence in capsys.readouterr().err
    assert fit.main(["--method", "bc", "--data", str(tmp_path / "cbf"), "--out", words[-1]]) == 2
    assert sentence in capsys.readouterr().err


def test_the_record_of_the_folder_is_whole(folder):
    record = read_family(folder)
    sites = deployments("rb", "train")
    assert record["deployments"] == [
        {"index": index, "fingerprint": sites[index].fingerprint} for index in (3, 4)
    ]
    assert (record["family"], record["version"], record["split"]) == ("rb", 0, "train")
    assert (record["episodes_per_deployment"], record["steps"]) == (2, 20)
