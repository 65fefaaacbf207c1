"""What a GPU needs of training, tested on a CPU: no host in a step, recordings, equal batches."""

import dataclasses
import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from dataset_cases import small_dataset
from device_cases import CONFIG, CPU, parts, sources
from recorded_graphs import HostReadError, NoHostReads, RecordedGraphs
from torch._dynamo.testing import CompileCounter
from training_cases import TINY

from networld_agent import keyed_random
from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import WindowSource
from networld_agent.model import cuda_layers, temporal_layers
from networld_agent.training import batches, feeds
from networld_agent.training.batches import BatchSampler, Share
from networld_agent.training.capture import Capture
from networld_agent.training.ema import AveragedModel
from networld_agent.training.resident import ResidentBatches, resident_bytes
from networld_agent.training.step import TrainingStep
from networld_agent.training.trainer import Trainer, TrainingError


@pytest.fixture
def plain_operations(monkeypatch):
    """What a GPU without Triton would run: kernels of Numba are invisible to a recording."""
    for name in ("_halves", "_hashed"):
        monkeypatch.setattr(keyed_random, name, getattr(keyed_random, f"{name}_by_torch"))

    def norm_mish(self, x, added=None):
        y = torch.nn.functional.group_norm(x.permute(1, 2, 0), self.groups, self.gain, self.bias)
        y = torch.nn.functional.mish(y).permute(2, 0, 1)
        return y if added is None else y + added

    monkeypatch.setattr(temporal_layers.NormMish, "forward", norm_mish)
    monkeypatch.setattr(
        temporal_layers.TemporalConv,
        "forward",
        lambda self, x: cuda_layers.convolution(x, self.weight, self.bias),
    )


def assert_equal_batches(one, two):
    assert torch.equal(one.tau, two.tau)
    assert torch.equal(one.noise, two.noise)
    assert len(one.parts) == len(two.parts)
    for mine, other in zip(one.parts, two.parts, strict=True):
        assert (mine.task, mine.weight) == (other.task, other.weight)
        for a, b in zip(mine.tensors, other.tensors, strict=True):
            assert a.dtype == b.dtype
            assert torch.equal(a, b)


# ---------------------------------------------------------------------- data on the device
TASKS = ("rb-v0", "slicing-v0", "cbf-v0")


@pytest.mark.parametrize("share", [Share(), Share(1, 2)])
def test_batches_from_the_device_are_those_of_the_host_bit_for_bit(share):
    sampler = BatchSampler(sources(*TASKS), TINY, 96, seed=5, share=share)
    resident = ResidentBatches(sampler, CPU)
    for step in (0, 1, 1000):
        assert_equal_batches(resident(torch.tensor(step)), sampler(step))


def test_segments_and_preferences_hold_on_the_device():
    data = TrajectoryDataset.open(small_dataset("rb-v0"))
    # Episode 2 is held twice, others not at all: only what is drawn from is uploaded.
    source = WindowSource(data, [(2, 0, 15), (4, 3, 30), (2, 20, 41)], temperature=0.3)
    sampler = BatchSampler([source], TINY, 64, seed=1)
    assert_equal_batches(ResidentBatches(sampler, CPU)(torch.tensor(3)), sampler(3))
    assert resident_bytes(sampler) == 2 * sum(
        data.array(name)[0].nbytes for name in ("observations", "actions", "rewards")
    )


def test_a_graph_that_changes_is_averaged_on_the_device(changing_graph):
    sampler = BatchSampler([WindowSource(changing_graph)], TINY, 32, seed=1)
    batch = sampler(0)
    assert batch.parts[0].mean_weights.dim() == 4
    assert_equal_batches(ResidentBatches(sampler, CPU)(torch.tensor(0)), batch)


@pytest.fixture(scope="module")
def changing_graph(tmp_path_factory):
    from networld_agent.collecting import CollectionSettings, collect

    settings = CollectionSettings(
        env="cbf-v0", policy="random", episodes=2, steps=12,
        overrides={"num_cells": 7, "layout_seed": None, "graph": "interferers"},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("data") / "cbf"
    return TrajectoryDataset.open(collect(settings, folder, num_envs=2))


@pytest.mark.parametrize("where", ["device", "host"])
def test_every_feed_trains_the_same_weights(tmp_path, where):
    def trained(**options):
        model, sampler = parts("rb-v0", "slicing-v0")
        config = dataclasses.replace(CONFIG, **options)
        folder = tmp_path / options.get("data", "auto")
        folder.mkdir()
        trainer = Trainer(model, sampler, config, folder, CPU)
        assert trainer.run()
        return trainer.averaged.model.state_dict()

    expected, found = trained(), trained(data=where)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_card_too_small_for_the_data_streams_and_says_so(monkeypatch, capsys):
    _, sampler = parts("rb-v0")
    needed = resident_bytes(sampler)
    for free, kind in ((2 * needed, feeds.ResidentFeed), (2 * needed - 1, feeds.StreamedFeed)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 2 * free))
        assert feeds._fits(sampler, torch.device("cuda")) == (kind is feeds.ResidentFeed)
    assert "it is streamed from the host" in capsys.readouterr().err


def test_a_streamed_batch_stays_where_a_recording_reads_it():
    _, sampler = parts("rb-v0")
    with ThreadPoolExecutor(1) as reader:
        feed = feeds.StreamedFeed(sampler, CPU, reader)
        feed.prepare(0)
        place = feed.batch(torch.tensor(0)).parts[0].observations
        feed.prepare(1)
        assert feed.batch(torch.tensor(1)).parts[0].observations is place
        assert_equal_batches(feed.batch(torch.tensor(1)), sampler(1))


# ------------------------------------------------------------------------ several processes
@pytest.mark.parametrize("world", [2, 4])
def test_a_process_draws_its_own_share_and_no_more(monkeypatch, world):
    drawn = []
    draw = batches.normals

    def counted(keys, *more):
        drawn.append(len(keys))
        return draw(keys, *more)

    monkeypatch.setattr(batches, "normals", counted)
    found = sources("rb-v0", "slicing-v0")
    for rank in range(world):
        # Weak scaling: as many sequences for every process, however many there are.
        share = Share(rank, world)
        batch = BatchSampler(found, TINY, 48 * world, seed=0, share=share)(0)
        assert drawn.pop() == len(batch.noise)
        assert len(batch.noise) == pytest.approx(48, abs=8)
        assert not drawn


# ------------------------------------------------------------- a step without the host
def test_a_step_reads_nothing_from_the_device(plain_operations):
    model, sampler = parts(*TASKS)
    averaged = AveragedModel(model, CONFIG.ema_decay)
    step = TrainingStep(model, averaged, CONFIG, recordable=True)
    resident = ResidentBatches(sampler, CPU)
    with NoHostReads():
        for _ in range(2):
            step(resident(step.step))
    assert step.read().sums["loss"] > 0


def test_the_check_for_host_reads_finds_one():
    with NoHostReads(), pytest.raises(HostReadError, match="reads a value"):
        torch.ones(3).sum().item()


def test_the_first_loss_that_is_not_finite_is_remembered(tmp_path):
    model, sampler = parts("rb-v0")
    trainer = Trainer(model, sampler, CONFIG, tmp_path, CPU)
    count = itertools.count()

    def poison(module, inputs):
        if next(count) == 2:
            with torch.no_grad():
                module.weight[0, 0] = float("inf")

    model.unet.out.register_forward_pre_hook(poison)
    with pytest.raises(TrainingError, match="not finite at step 2"):
        trainer.run()
    assert [path.name for path in tmp_path.glob("bad-batch-*")] == ["bad-batch-2-0.safetensors"]
    # Found at the line of the log of step 4: nothing that came of it was saved.
    assert not (tmp_path / "checkpoint.json").exists()


# ------------------------------------------------------------------------- recorded steps
def run(folder, graphs, **options):
    model, sampler = parts("rb-v0", "slicing-v0")
    folder.mkdir(exist_ok=True)
    config = dataclasses.replace(CONFIG, **options)
    validation = [sampler(10**6 + i) for i in range(2)]
    trainer = Trainer(model, sampler, config, folder, CPU, validation=validation, graphs=graphs)
    assert trainer.run()
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return trainer, [json.loads(line) for line in lines]


def flat(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def model_of(trainer, kind):
    return trainer.model if kind == "model" else trainer.averaged.model


class Unrecorded(RecordedGraphs):
    """Does at every call what would be recorded."""

    def capture(self, call):
        return None, call


@pytest.mark.parametrize("data", ["device", "host"])
def test_recorded_steps_train_as_written_ones(plain_operations, tmp_path, data):
    graphs = RecordedGraphs()
    options = {"validate_every": 2, "patience": 0, "data": data}
    written, lines = run(tmp_path / "written", Unrecorded(), **options)
    recorded, again = run(tmp_path / "recorded", graphs, **options)
    # The step, and the look at held-out data.
    assert graphs.recordings == 2
    for name, tensor in written.averaged.model.state_dict().items():
        assert torch.equal(recorded.averaged.model.state_dict()[name], tensor), name
    # And as a CPU does, where rates and shares are numbers, not tensors.
    usual, third_lines = run(tmp_path / "usual", None, **options)
    for line, other, third in zip(lines, again, third_lines, strict=True):
        del line["time"], other["time"], third["time"]
        assert other == line
        assert third == pytest.approx(line, rel=1e-3)
    # Losses move too little to tell one average from another: compare how far the weights moved.
    # Together, since weights without a gradient follow the rounding of Adam's.
    start = flat(parts("rb-v0", "slicing-v0")[0])
    for kind in ("model", "averaged"):
        moved = [flat(model_of(run_, kind)) - start for run_ in (recorded, usual)]
        assert (moved[0] - moved[1]).norm() < 0.01 * moved[1].norm()


def test_a_recorded_run_goes_on_where_it_was_saved(plain_operations, tmp_path):
    options = {"data": "device", "decay": "none"}
    whole, _ = run(tmp_path / "whole", RecordedGraphs(), **options)
    for steps in (6, 12):
        rest, _ = run(tmp_path / "parts", RecordedGraphs(), steps=steps, **options)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(rest.model.state_dict()[name], tensor), name


def test_what_a_recording_takes_from_the_host_stays_as_it_was():
    """The stand-in is as blind as a CUDA graph: a Python number is recorded once."""
    total, number = torch.zeros(()), 1.0

    def work():
        total.add_(number)

    capture = Capture(work, "adding", RecordedGraphs(), warm_ups=1)
    for number in (1.0, 10.0, 100.0):  # noqa: B007
        capture()
    assert capture.recorded
    assert total == 21


def test_recording_itself_does_no_work():
    total = torch.zeros(())
    _, repeat = RecordedGraphs().capture(lambda: total.add_(1))
    assert total == 0
    repeat()
    assert total == 1


def test_work_that_cannot_be_recorded_goes_on_as_written(capsys):
    class Refusing(RecordedGraphs):
        def capture(self, call):
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

    count = itertools.count(1)
    capture = Capture(lambda: next(count), "training", Refusing(), warm_ups=2)
    for _ in range(5):
        capture()
    assert next(count) == 6
    assert not capture.recorded
    assert capsys.readouterr().err == (
        "warning: training runs without a CUDA graph: "
        "operation not permitted when stream is capturing\n"
    )


# ---------------------------------------------------------------------------- compilation
def test_the_loss_compiles_as_one_graph_and_stays_equal():
    model, sampler = parts("rb-v0", "slicing-v0")
    counter = CompileCounter()
    compiled = torch.compile(model.loss, fullgraph=True, dynamic=False, backend=counter)
    for step in range(3):
        batch = sampler(step)
        for name, value in compiled(batch).items():
            torch.testing.assert_close(value, model.loss(batch)[name])
    assert counter.frame_count == 1
    assert counter.op_count > 300


def test_the_option_compiles_what_a_step_calls(monkeypatch):
    compiled = []
    monkeypatch.setattr(
        torch, "compile", lambda function, **options: compiled.append(options) or function
    )
    model, _ = parts("rb-v0")
    config = dataclasses.replace(CONFIG, compile=True)
    step = TrainingStep(model, AveragedModel(model, config.ema_decay), config)
    assert compiled == [{"fullgraph": True, "dynamic": False}]
    assert step._loss == model.loss
