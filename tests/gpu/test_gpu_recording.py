"""Steps that a GPU repeats by itself; `test_training_on_device.py` has the same on a CPU."""

import dataclasses
from pathlib import Path

import pytest
import torch
from device_cases import CONFIG, parts

from networld_agent.training import feeds
from networld_agent.training.capture import Capture
from networld_agent.training.ema import AveragedModel
from networld_agent.training.resident import ResidentBatches
from networld_agent.training.step import TrainingStep
from networld_agent.training.trainer import Trainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
CUDA = torch.device("cuda")
TASKS = ("rb-v0", "slicing-v0", "cbf-v0")


@pytest.mark.parametrize("half", [False, True])
def test_a_step_never_waits_for_the_device(half):
    model, sampler = parts(*TASKS)
    step = TrainingStep(model.to(CUDA), AveragedModel(model, 0.9), CONFIG, half)
    resident = ResidentBatches(sampler, CUDA)
    step(resident(step.step))  # kernels compile, libraries make their handles
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            step(resident(step.step))
        with pytest.raises(RuntimeError, match="called a synchronizing CUDA operation"):
            step.step.item()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert step.read().bad_step is None


def trained(folder, capsys, **options):
    """The trainer after its run; every step of it was recorded if it should have been."""
    model, sampler = parts(*TASKS)
    folder.mkdir()
    config = dataclasses.replace(CONFIG, precision="fp32", **options)
    trainer = Trainer(model, sampler, config, folder, CUDA, validation=[sampler(10**6).to(CUDA)])
    assert trainer.run()
    assert "without a CUDA graph" not in capsys.readouterr().err
    return trainer


@pytest.mark.parametrize("data", ["device", "host"])
def test_recorded_steps_train_as_written_ones(tmp_path, capsys, data):
    recorded = trained(tmp_path / "recorded", capsys, data=data)
    written = trained(tmp_path / "written", capsys, data="device", graph=False)
    assert recorded.counters.step == written.counters.step == CONFIG.steps
    one, two = (
        torch.cat([p.detach().flatten() for p in run.model.parameters()])
        for run in (recorded, written)
    )
    start = torch.cat([p.detach().flatten() for p in parts(*TASKS)[0].parameters()]).to(CUDA)
    # Libraries may choose other algorithms while they are recorded: to 1 % of the way.
    assert (one - two).norm() < 0.01 * (two - start).norm()


def test_a_recorded_step_is_one_launch():
    model, sampler = parts(*TASKS)
    trainer = Trainer(model, sampler, CONFIG, Path(), CUDA)
    with feeds.open_feed(sampler, CUDA, "device") as feed:
        update = Capture(lambda: trainer._update(feed), "training", trainer._graphs)
        for _ in range(5):
            update()
        assert update.recorded
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
            for _ in range(10):
                update()
    launches = [e for e in seen.events() if "Launch" in e.name]
    assert len(launches) == 10
    assert {e.name for e in launches} == {"cudaGraphLaunch"}
