"""Models on disk: whole, checked, and nothing executed."""

import dataclasses
import json
import os
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_cases import DISCRETE, tiny_model

from networld_agent.documents import checksum
from networld_agent.model import ModelError, WorldModel


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    model = tiny_model()
    model.set_task(dataclasses.replace(DISCRETE, guidance_scale=0.3, num_agents=(8, 9)))
    return model, model.save(tmp_path_factory.mktemp("models") / "model")


def weights_file(folder):
    (path,) = folder.glob("model-*.safetensors")
    return path


def test_loaded_model_equals_the_saved_one(saved):
    model, path = saved
    loaded = WorldModel.load(path)
    assert loaded.config == model.config
    assert dict(loaded.tasks) == dict(model.tasks)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name


def test_loaded_model_is_frozen(saved):
    assert not any(p.requires_grad for p in WorldModel.load(saved[1]).parameters())


def test_saving_again_leaves_one_weights_file(tmp_path):
    tiny_model(0).save(tmp_path)
    tiny_model(1).save(tmp_path)
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".safetensors"]


def test_a_writer_killed_before_the_last_rename_leaves_the_old_model(saved, tmp_path):
    folder = shutil.copytree(saved[1], tmp_path / "m")
    other = tiny_model(1).save(tmp_path / "other")
    shutil.copy(weights_file(other), folder)
    (folder / ".partial-xyz").write_bytes(b"half")
    loaded = WorldModel.load(folder)
    assert torch.equal(loaded.unet.out.weight, saved[0].unet.out.weight)


def forged(folder, change):
    """Changes model.json with a checksum that fits."""
    path = folder / "model.json"
    document = json.loads(path.read_text())
    del document["sha256"]
    change(document)
    document["sha256"] = checksum(document)
    path.write_text(json.dumps(document))


FAULTS = {
    "missing folder": (lambda f: shutil.rmtree(f), "no such folder"),
    "missing description": (lambda f: (f / "model.json").unlink(), "file is missing"),
    "missing weights": (lambda f: weights_file(f).unlink(), "safetensors: the file is missing"),
    "cut weights": (
        lambda f: weights_file(f).write_bytes(weights_file(f).read_bytes()[:-100]),
        "the file is cut",
    ),
    "no JSON": (lambda f: (f / "model.json").write_text("{"), "not valid JSON"),
    "no object": (lambda f: (f / "model.json").write_text("[]"), "no description"),
    "newer format": (lambda f: forged(f, lambda d: d.update(format_version=9)), "upgrade it"),
    "other format": (lambda f: forged(f, lambda d: d.update(format="x")), "no description of"),
    "unknown option": (lambda f: forged(f, lambda d: d["config"].update(x=1)), "option 'x'"),
    "other sizes": (
        lambda f: forged(f, lambda d: d["config"].update(channels=16)), "instead of torch.float32"
    ),
    "missing task": (lambda f: forged(f, lambda d: d["tasks"].pop()), "unknown tensor"),
    "damaged task": (lambda f: forged(f, lambda d: d["tasks"][0].pop("action")), "damaged"),
    "a network larger than its weights": (
        lambda f: forged(f, lambda d: d["config"].update(channels=2**20)), "a network of more than"
    ),
    "a network deeper than its weights": (
        lambda f: forged(f, lambda d: d["config"].update(blocks_per_level=2**20)),
        "a network of more than",
    ),
    "a negative size": (
        lambda f: forged(f, lambda d: d["tasks"][0].update(observation_size=-1)),
        "observation_size must be at least 1",
    ),
    "a bound of 400 digits": (
        lambda f: forged(f, lambda d: d["tasks"][1]["action"]["low"].__setitem__(0, -(10**400))),
        "low and high must be finite",
    ),
    "weights without a checksum": (
        lambda f: forged(f, lambda d: d["weights"].pop("sha256")), "'weights.sha256' is missing"
    ),
    "weights of no size": (
        lambda f: forged(f, lambda d: d["weights"].update(bytes="all")), "must be an integer"
    ),
    "a pipe as description": (
        lambda f: ((f / "model.json").unlink(), os.mkfifo(f / "model.json")), "no regular file"
    ),
    "a link to a device as weights": (
        lambda f: (p := weights_file(f), p.unlink(), p.symlink_to("/dev/zero")), "no regular file"
    ),
    "path as weights": (
        lambda f: forged(f, lambda d: d["weights"].update(file="../../etc/passwd")), "that is none"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_sentence_naming_the_file(saved, tmp_path, fault):
    damage, sentence = FAULTS[fault]
    folder = shutil.copytree(saved[1], tmp_path / "m")
    damage(folder)
    with pytest.raises(ModelError, match=sentence) as caught:
        WorldModel.load(folder)
    assert str(folder) in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    model = tiny_model()
    with torch.no_grad():
        model.unet.out.weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match=r"'unet.out.weight' holds a number that is not finite"):
        WorldModel.load(model.save(tmp_path))


@settings(max_examples=40)
@given(st.data())
def test_any_flipped_bit_is_found(saved, tmp_path_factory, data):
    folder = shutil.copytree(saved[1], tmp_path_factory.mktemp("flipped") / "m")
    file = data.draw(st.sampled_from(sorted(folder.iterdir())))
    content = bytearray(file.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    if file.suffix == ".json":
        try:
            same = json.loads(content) == json.loads(file.read_bytes())
        except ValueError:
            same = False
        if same:  # another white space
            return
    file.write_bytes(content)
    with pytest.raises(ModelError):
        WorldModel.load(folder)
