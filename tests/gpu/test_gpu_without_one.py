"""What only a GPU reaches, reached without one; and sentences on devices that are not there."""

import pytest
import torch
import torch.distributed
from baseline_cases import tiny_data
from dataset_cases import small_dataset
from model_cases import CONFIGS, batch_for, gradients_of, random_model
from parity import Other, assert_close, on_side
from training_cases import QUICK, tiny_model

from benchmarks.baselines import fit as fit_baseline
from benchmarks.baselines.dima import fit as fit_dima
from benchmarks.baselines.mappo import train as train_mappo
from networld_agent import adapt, diagnose, evaluate, pretrain
from networld_agent.device import pick_device
from networld_agent.planning import Planner
from networld_agent.training.distributed import process_group

#: A device that no machine of these tests has.
ABSENT = "cuda:7" if torch.cuda.device_count() < 8 else "cuda:99"


def losses(device, name):
    model = random_model(device, **CONFIGS[name])
    found = model.loss(batch_for(model, device))
    found["loss"].backward()
    return {**found, "gradients": gradients_of(model)}


@pytest.mark.parametrize("name", ["default", "separate classifier", "two blocks"])
def test_the_formulas_of_the_gpu_give_the_losses_of_the_cpu(name, monkeypatch):
    """Layers that choose by device are told that tensors are on a GPU; kernels are PyTorch's."""
    here = on_side(lambda device: losses(device, name), Other("cpu"))
    monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda _: True))
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    there = on_side(lambda device: losses(device, name), Other("cpu"))
    assert_close(here, there, 1e-4)
    with pytest.raises(AssertionError):
        # They are other formulas: the same bits would mean that the same ones were compared.
        assert_close(here, there, 0.0)


def test_auto_takes_a_gpu_where_there_is_one_and_multiplies_in_tf32(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", lambda *_, device: chosen.append(device))
    monkeypatch.setattr(torch, "set_float32_matmul_precision", chosen.append)
    assert pick_device("auto") == torch.device("cuda")
    assert chosen == [torch.device("cuda"), "high"]


def test_auto_takes_the_cpu_where_there_is_none_and_leaves_the_precision(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch, "set_float32_matmul_precision", lambda _: pytest.fail("was set"))
    assert pick_device("auto") == torch.device("cpu")


def test_a_planner_takes_a_gpu_where_there_is_one(monkeypatch):
    from networld_agent.model import WorldModel

    chosen, model = [], tiny_model()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("networld_agent.device.torch.zeros", lambda *_, device: None)
    monkeypatch.setattr(
        torch, "set_float32_matmul_precision", lambda _: pytest.fail("a planner sets its own")
    )
    monkeypatch.setattr(WorldModel, "load", lambda _, device: chosen.append(device) or model)
    Planner.load("somewhere", "rb-v0")
    Planner.load("somewhere", "rb-v0", device="cpu")
    assert [torch.device(device).type for device in chosen] == ["cuda", "cpu"]


@pytest.mark.parametrize(("device", "backend"), [("cuda", "nccl"), ("cpu", "gloo")])
def test_processes_talk_by_the_device_s_own_library(device, backend, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    started = []
    group = torch.distributed
    monkeypatch.setattr(group, "init_process_group", lambda name, *_, **__: started.append(name))
    monkeypatch.setattr(group, "get_rank", lambda: 1)
    monkeypatch.setattr(group, "get_world_size", lambda: 2)
    monkeypatch.setattr(group, "destroy_process_group", lambda: started.append("over"))
    with process_group(torch.device(device)) as share:
        assert (share.rank, share.world) == (1, 2)
    assert started == [backend, "over"]


def commands(tmp_path, device):
    """Every command that takes a device, told to use this one."""
    data, model = str(small_dataset("rb-v0")), str(tmp_path / "model")
    tiny_model().save(model)
    stored, out = str(tiny_data("discrete").dataset.path), ["--out", str(tmp_path / "out")]
    world = ["--env", "rb-v0", "--env-set", "num_nodes=4", *out, "--steps", "4"]
    chosen = ["--device", device]
    setting = ["--set", f"device={device}"]
    return {
        "pretrain": (pretrain, ["--data", data, *QUICK, *out, *chosen]),
        "adapt": (adapt, ["--model", model, "--data", data, *out, *chosen]),
        "diagnose": (diagnose, ["--model", model, "--data", data, *out, *chosen]),
        "evaluate": (evaluate, ["--model", model, "--env", "rb-v0", *chosen]),
        "baseline": (fit_baseline, ["--method", "bc", "--data", stored, *out, *setting]),
        "dima": (fit_dima, ["--data", stored, *out, "--set", "model=tiny", *setting]),
        "mappo": (train_mappo, [*world, *setting]),
    }


@pytest.mark.parametrize(
    "name", ["pretrain", "adapt", "diagnose", "evaluate", "baseline", "dima", "mappo"]
)
@pytest.mark.parametrize("device", ["cuda", pytest.param(ABSENT, marks=pytest.mark.gpu), "cuda:x"])
def test_a_device_that_is_not_there_is_named_in_one_sentence(device, name, tmp_path, capsys):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("it is there")
    module, words = commands(tmp_path, device)[name]
    capsys.readouterr()
    assert module.main(words) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert f"--device {device!r} cannot be used" in said[-1]
    assert not any("Traceback" in line for line in said)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_planner_without_a_gpu_says_so(tmp_path):
    tiny_model().save(tmp_path)
    with pytest.raises(ValueError, match="torch finds no GPU"):
        Planner.load(tmp_path, "rb-v0", device="cuda")
