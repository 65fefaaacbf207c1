"""Whole training runs: interruptions, several processes, adaptation, faults."""

import dataclasses
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from dataset_cases import small_dataset
from training_cases import (
    DISCRETE,
    QUICK,
    TINY,
    exit_status,
    in_child,
    kill_after_progress,
    tiny_model,
)

from networld_agent import adapt, pretrain, training
from networld_agent.config import PRESETS, get_preset
from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import WindowSource
from networld_agent.model import WorldModel
from networld_agent.training.batches import BatchSampler
from networld_agent.training.config import TrainingConfig
from networld_agent.training.ema import AveragedModel
from networld_agent.training.latent_health import effective_rank, latent_health
from networld_agent.training.task_specs import make_task_spec
from networld_agent.training.trainer import Trainer, TrainingError


def command(out, *more, tasks=("rb-v0",)):
    folders = [str(small_dataset(task)) for task in tasks]
    return ["--data", *folders, "--out", str(out), *QUICK, *more]


def log_of(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line["time"]
    return lines


def weights_of(folder):
    return WorldModel.load(folder).state_dict()


def assert_same_weights(one, two):
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, two[name]), name


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "pretrained"
    assert pretrain.main(command(folder, "--steps=40", tasks=("rb-v0", "slicing-v0"))) == 0
    return folder


# ------------------------------------------------------------------ interruption
def killed_run(tmp_path, kills, steps, seed):
    """Final folder of a run that was killed, and of one that was not."""
    options = [f"--steps={steps}", "--set=save_every=5", "--set=log_every=5"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    child = in_child(lambda: pretrain.main(command(whole, *options)))
    assert exit_status(child) == 0
    rng, killed = np.random.default_rng(seed), 0
    for _ in range(kills):
        wait = rng.uniform(0, 0.03)
        killed += kill_after_progress(broken, command(broken, *options), wait) == -signal.SIGKILL
    assert killed == kills
    child = in_child(lambda: pretrain.main(command(broken, *options)))
    assert exit_status(child) == 0
    return whole, broken


def test_killed_runs_end_with_the_weights_of_an_uninterrupted_one(tmp_path):
    whole, broken = killed_run(tmp_path, kills=3, steps=60, seed=0)
    assert_same_weights(weights_of(whole), weights_of(broken))
    assert log_of(whole) == log_of(broken)


@pytest.mark.long
def test_ten_kills_end_with_the_weights_of_an_uninterrupted_run(tmp_path):
    whole, broken = killed_run(tmp_path, kills=10, steps=600, seed=1)
    assert_same_weights(weights_of(whole), weights_of(broken))
    assert log_of(whole) == log_of(broken)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_saves_and_exits_with_130(tmp_path, number):
    arguments = command(tmp_path / "run", "--steps=100000", "--set=save_every=5")
    assert kill_after_progress(tmp_path / "run", arguments, 0.05, number) == 130
    step = json.loads((tmp_path / "run" / "checkpoint.json").read_text())["state"]["step"]
    assert step >= 5
    assert not (tmp_path / "run" / "model.json").exists()


def test_a_finished_run_is_left_alone(pretrained, capsys):
    before = {p.name: p.stat().st_mtime_ns for p in pretrained.iterdir()}
    assert pretrain.main(command(pretrained, "--steps=40", tasks=("rb-v0", "slicing-v0"))) == 0
    assert "complete already" in capsys.readouterr().out
    assert {p.name: p.stat().st_mtime_ns for p in pretrained.iterdir()} == before


# ------------------------------------------------------------- called from Python
def test_functions_train_as_the_commands_do_and_say_nothing_on_standard_output(tmp_path, capsys):
    data, preset = small_dataset("rb-v0"), get_preset("smoke", {"steps": 5, "seed": 3})
    said = []
    run = training.pretrain(data, tmp_path / "run", preset, trajectories=3, report=said.append)
    new = training.adapt(
        run, small_dataset("cbf-v0"), tmp_path / "new", preset, trajectories=2, first_steps=30
    )
    assert (run, new) == (tmp_path / "run", tmp_path / "new")
    assert list(WorldModel.load(new).tasks) == ["rb-v0", "cbf-v0"]
    # The run of a function is that of the same command, and the other way round.
    assert training.pretrain([data], run, preset, trajectories=3, report=said.append) == run
    assert said == [f"{run} is complete: 5 steps.", f"{run} is complete already."]
    assert capsys.readouterr().out == ""
    small = ["--preset=smoke", "--steps=5", "--seed=3"]
    first = ["--data", str(data), "--trajectories=3", "--out", str(run)]
    second = ["--model", str(run), "--data", str(small_dataset("cbf-v0")), "--out", str(new)]
    assert pretrain.main([*first, *small]) == 0
    assert adapt.main([*second, "--trajectories=2", "--first-steps=30", *small]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{run} is complete already.", f"{new} is complete already.",
    ]  # fmt: skip


def test_an_adaptation_draws_its_trajectories_by_a_seed(pretrained, tmp_path):
    data, preset = small_dataset("cbf-v0"), get_preset("smoke", {"steps": 2})
    order = TrajectoryDataset.open(data).drawn(1).episodes
    assert list(order[:3]) != [0, 1, 2]
    for name, draw, wanted in (("first", None, [0, 1, 2]), ("drawn", 1, list(order[:3]))):
        run = training.adapt(
            pretrained, data, tmp_path / name, preset, trajectories=3, draw=draw, device="cpu"
        )
        settings = json.loads((run / "config.json").read_text())["settings"]
        (source,), (held_out,) = settings["data"], settings["held_out"]
        segments = source["segments"] + held_out["segments"]
        assert [episode for episode, _, _ in segments] == wanted


def test_functions_raise_the_sentences_of_the_commands(tmp_path):
    with pytest.raises(ValueError, match=r"model\.json: the file is missing"):
        training.adapt(tmp_path, small_dataset(), tmp_path / "new")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "letter.txt").write_text("dear")
    with pytest.raises(ValueError, match="exists already and is no training run"):
        training.pretrain(small_dataset(), tmp_path / "run", PRESETS["smoke"])


def test_who_reads_options_of_training_imports_no_trainer():
    code = "import sys, networld_agent.config; print(*sys.modules, sep='\\n')"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = told.stdout.splitlines()
    assert "networld_agent.training.config" in modules
    assert "networld_agent.training.trainer" not in modules
    assert not hasattr(training, "dream")


# ------------------------------------------------------------- several processes
def distributed_run(folder, world, *options):
    """Exit status of each of `world` processes that train one model."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]

    def worker(rank):
        os.environ |= {
            "RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(rank),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        }  # fmt: skip
        return pretrain.main(command(folder, *options, tasks=("rb-v0", "slicing-v0")))

    children = [in_child(lambda rank=rank: worker(rank)) for rank in range(world)]
    return [exit_status(child) for child in children]


def test_two_processes_give_the_loss_curve_of_one(tmp_path):
    options = ["--steps=30", "--set=log_every=1", "--set=batch_size=48"]
    whole = command(tmp_path / "one", *options, tasks=("rb-v0", "slicing-v0"))
    assert exit_status(in_child(lambda: pretrain.main(whole))) == 0
    assert distributed_run(tmp_path / "two", 2, *options) == [0, 0]
    one, two = log_of(tmp_path / "one"), log_of(tmp_path / "two")
    assert len(one) == len(two) == 30
    for name in ("loss", "diffusion", "classifier", "inverse"):
        np.testing.assert_allclose(
            [line[name] for line in two], [line[name] for line in one], rtol=1e-4
        )


# --------------------------------------------------------------------- adaptation
def test_adaptation_adds_the_new_task_and_moves_the_shared_body_little(pretrained, tmp_path):
    arguments = ["--model", str(pretrained), "--data", str(small_dataset("cbf-v0"))]
    arguments += ["--trajectories=3", "--preset=smoke", "--steps=20", "--out", str(tmp_path / "a")]
    assert adapt.main(arguments) == 0
    before, after = WorldModel.load(pretrained), WorldModel.load(tmp_path / "a")
    assert list(after.tasks) == ["rb-v0", "slicing-v0", "cbf-v0"]
    assert after.tasks["cbf-v0"].index == 2
    old, new = before.state_dict(), after.state_dict()
    change = (new["unet.out.weight"] - old["unet.out.weight"]).norm()
    assert 0 < change < 0.5 * old["unet.out.weight"].norm()
    for name in old:
        if name.startswith(("encoders.task0", "encoders.task1", "inverses.task0")):
            assert torch.equal(old[name], new[name]), name
    embedding = "conditioning.task.weight"
    assert torch.equal(old[embedding][:2], new[embedding][:2])
    assert "held_out" in log_of(tmp_path / "a")[-1]


def test_from_scratch_trains_the_same_network_for_that_task_alone(pretrained, tmp_path):
    arguments = ["--model", str(pretrained), "--data", str(small_dataset("cbf-v0"))]
    arguments += ["--from-scratch", "--preset=smoke", "--steps=10", "--out", str(tmp_path / "a")]
    assert adapt.main(arguments) == 0
    model = WorldModel.load(tmp_path / "a")
    assert list(model.tasks) == ["cbf-v0"]
    assert model.config == WorldModel.load(pretrained).config


@pytest.mark.parametrize("temperature", [0.0, 0.1])
def test_adaptation_prefers_good_trajectories_if_told_to(
    pretrained, tmp_path, monkeypatch, temperature
):
    drawn = []
    gather = WindowSource.gather

    def noted(self, places, horizon):
        drawn.extend(places.episodes)
        return gather(self, places, horizon)

    monkeypatch.setattr(WindowSource, "gather", noted)
    data = TrajectoryDataset.open(small_dataset("rb-v0"))
    arguments = ["--model", str(pretrained), "--data", str(data.path), "--preset=smoke"]
    arguments += ["--steps=30", f"--set=trajectory_temperature={temperature}"]
    assert adapt.main([*arguments, "--out", str(tmp_path / "a")]) == 0
    best = int(np.argmax([data.rewards[e].mean() for e in data.episodes]))
    held_out = json.loads((tmp_path / "a" / "config.json").read_text())["settings"]["held_out"]
    assert held_out[0]["segments"] == ([[best, 33, 41]] if temperature else [[4, 0, 41]])
    shares = np.bincount(drawn, minlength=5) / len(drawn)
    if temperature:
        assert shares[best] == shares.max() > 0.35
    else:
        assert shares[:4].max() < 0.35


def test_adaptation_to_other_sizes_of_a_known_task_is_one_sentence(tmp_path, capsys):
    other = dataclasses.replace(DISCRETE, observation_size=2)
    tiny_model(tasks=[other]).save(tmp_path / "model")
    arguments = ["--model", str(tmp_path / "model"), "--data", str(small_dataset("rb-v0"))]
    assert adapt.main([*arguments, "--out", str(tmp_path / "a")]) == 2
    assert "does not fit the model" in capsys.readouterr().err


def test_killed_adaptation_ends_with_the_weights_of_an_uninterrupted_one(pretrained, tmp_path):
    def run(out):
        arguments = ["--model", str(pretrained), "--data", str(small_dataset("cbf-v0"))]
        options = ["--preset=smoke", "--steps=40", "--set=save_every=4", "--set=validate_every=3"]
        return adapt.main([*arguments, *options, "--out", str(tmp_path / out)])

    assert exit_status(in_child(lambda: run("whole"))) == 0
    child = in_child(lambda: run("broken"))
    while not (tmp_path / "broken" / "checkpoint.json").exists():
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    exit_status(child)
    assert exit_status(in_child(lambda: run("broken"))) == 0
    assert_same_weights(weights_of(tmp_path / "whole"), weights_of(tmp_path / "broken"))


def trainer(folder, config=None, validate=False, **options):
    source = WindowSource(TrajectoryDataset.open(small_dataset("rb-v0")))
    model = tiny_model(tasks=[make_task_spec("rb-v0", 0, [source], TINY)], **options)
    config = config or TrainingConfig(steps=30, batch_size=32, warmup_steps=5, log_every=10)
    sampler = BatchSampler([source], model.config, config.batch_size, config.seed)
    validation = [sampler(10**6)] if validate else []
    folder.mkdir(exist_ok=True)
    return Trainer(
        model, sampler, config, folder, torch.device("cpu"), validation=validation
    ), sampler


def test_training_stops_early_and_keeps_the_best_weights(tmp_path):
    # Every step makes it worse: the first look is the best.
    config = TrainingConfig(
        steps=500, batch_size=32, learning_rate=0.5, warmup_steps=0, clip=0.0, patience=3,
        validate_every=1, ema_decay=0.0, log_every=10,
    )  # fmt: skip
    run, sampler = trainer(tmp_path / "run", config, validate=True)
    assert run.run()
    assert run.counters.step == run.counters.best_step + 3
    assert run.counters.step < 500
    best = run.best_model()
    with torch.no_grad():
        loss = best.loss(sampler(10**6))["loss"].item()
    assert loss == pytest.approx(run.counters.best, rel=1e-6)


# ------------------------------------------------------------------------- health
def test_training_learns_actions_returns_and_dynamics(tmp_path):
    config = TrainingConfig(
        steps=250, batch_size=64, learning_rate=3e-3, warmup_steps=10, log_every=25
    )
    run, sampler = trainer(tmp_path / "run", config)
    with torch.no_grad():
        before = run.model.loss(sampler(10**6))
    run.run()
    with torch.no_grad():
        after = run.averaged.model.loss(sampler(10**6))
    assert after["diffusion"] < 0.8 * before["diffusion"]
    assert after["classifier"] < 0.9 * before["classifier"]
    assert after["inverse"] < 0.5 * before["inverse"]


def test_latents_keep_their_rank_while_they_are_trained(tmp_path):
    config = TrainingConfig(
        steps=250, batch_size=64, learning_rate=3e-3, warmup_steps=10, log_every=25
    )
    run, sampler = trainer(tmp_path / "run", config)
    before = latent_health(run.model, sampler(10**6))["latent_rank/rb-v0"]
    run.run()
    after = latent_health(run.model, sampler(10**6))["latent_rank/rb-v0"]
    assert after > 0.8 * before
    assert after > 2
    assert "latent_rank/rb-v0" in log_of(tmp_path / "run")[-1]


def test_effective_rank_counts_directions():
    torch.manual_seed(0)
    z = torch.randn(5000, 3) @ torch.randn(3, 16)
    assert effective_rank(torch.randn(5000, 16)) == pytest.approx(16, abs=0.2)
    assert effective_rank(z) <= 3
    assert effective_rank(torch.ones(100, 16)) == 0


@pytest.mark.parametrize("number", [int, torch.tensor], ids=["number", "tensor"])
def test_averaged_weights_follow_the_formula(number):
    model = tiny_model()
    averaged = AveragedModel(model, 0.9)
    start = averaged.model.unet.out.weight.clone()
    with torch.no_grad():
        model.unet.out.weight += 1
    averaged.update(number(10**6))
    torch.testing.assert_close(averaged.model.unet.out.weight, start + 0.1)
    averaged.update(number(0))
    torch.testing.assert_close(averaged.model.unet.out.weight, start + 0.1 + 0.9 * 0.9)


# ------------------------------------------------------------------------- faults
def test_a_loss_that_is_not_finite_stops_and_saves_step_and_batch(tmp_path):
    run, _ = trainer(tmp_path / "run")
    with torch.no_grad():
        run.model.unet.out.weight[0, 0] = float("nan")
    with pytest.raises(TrainingError, match="not finite at step 0") as caught:
        run.run()
    (saved,) = (tmp_path / "run").glob("bad-batch-0-*.safetensors")
    assert str(saved) in str(caught.value)


FAULTS = {
    "unknown preset": (["--preset=huge"], "--preset must be one of"),
    "unknown option": (["--set=hoizon=8"], "unknown option 'hoizon'"),
    "bad value": (["--set=horizon=7"], "horizon must be a multiple"),
    "no value": (["--set=horizon"], "OPTION=VALUE"),
    "missing data": (["--data", "/nowhere"], "/nowhere/metadata.json: the file is missing"),
    "short data": (["--set=horizon=64"], "too short for the horizon"),
    "bf16 on a CPU": (["--set=precision=bf16", "--device=cpu"], "needs a CUDA device"),
    "no such device": (["--device=quantum"], "'quantum' cannot be used"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_sentence_and_status_two(tmp_path, capsys, fault):
    options, sentence = FAULTS[fault]
    # Each option is given once: the faulty one stands in the place of the usual one.
    name = options[0].rpartition("=")[0] if options[0].startswith("--set") else "none"
    usual = [word for word in command(tmp_path / "run") if not word.startswith(f"{name}=")]
    assert pretrain.main([*usual, *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert sentence in error


def test_other_settings_in_the_same_folder_are_refused_by_name(pretrained, capsys):
    arguments = command(pretrained, "--steps=41", tasks=("rb-v0", "slicing-v0"))
    assert pretrain.main(arguments) == 2
    assert "training.steps is 40 there, 41 here" in capsys.readouterr().err


def test_a_folder_of_something_else_is_not_written_to(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert pretrain.main(command(tmp_path)) == 2
    assert "is no training run" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_killed_while_it_wrote_its_first_file_goes_on(tmp_path):
    (tmp_path / ".partial-0a1b2c").write_text('{"settings": {')
    assert pretrain.main(command(tmp_path, "--steps=2")) == 0
    assert (tmp_path / "model.json").exists()


def test_a_damaged_checkpoint_is_one_sentence(tmp_path, capsys):
    arguments = command(tmp_path / "run", "--steps=100000", "--set=save_every=5")
    kill_after_progress(tmp_path / "run", arguments, 0)
    (path,) = (tmp_path / "run").glob("checkpoint-*.safetensors")
    path.write_bytes(path.read_bytes()[:1000])
    assert pretrain.main(arguments) == 2
    assert "the file is cut" in capsys.readouterr().err


def test_run_folder_says_how_it_was_made(pretrained):
    document = json.loads((pretrained / "config.json").read_text())
    assert document["settings"]["model"]["horizon"] == 8
    assert document["settings"]["training"]["steps"] == 40
    assert len(document["settings"]["data"]) == 2
    assert document["versions"]["torch"] == torch.__version__
    assert "git_revision" in document


# ------------------------------------------------------------------------ presets
@pytest.mark.parametrize("name", PRESETS)
def test_presets_build(name):
    preset = get_preset(name)
    assert WorldModel(preset.model).horizon == preset.model.horizon


def test_options_of_a_preset_can_be_replaced():
    preset = get_preset("smoke", {"horizon": 16, "prediction": "noise", "steps": 7})
    assert preset.model == dataclasses.replace(
        PRESETS["smoke"].model, horizon=16, prediction="noise"
    )
    assert preset.training.steps == preset.adaptation.steps == 7


def test_model_and_training_options_have_different_names():
    kinds = (PRESETS["smoke"].model, PRESETS["smoke"].training)
    names = [{field.name for field in dataclasses.fields(kind)} for kind in kinds]
    assert not set.intersection(*names)
    assert all(len(name) > 1 for name in itertools.chain(*names))


def test_snapshots_are_models_at_even_steps(tmp_path):
    out = tmp_path / "run"
    assert pretrain.main(command(out, "--steps=10", "--set=snapshots=4")) == 0
    steps = sorted(int(folder.name) for folder in (out / "snapshots").iterdir())
    assert steps == [3, 5, 8, 10]
    last = weights_of(out / "snapshots" / "10")
    assert_same_weights(last, weights_of(out))
    assert not all(torch.equal(last[n], t) for n, t in weights_of(out / "snapshots" / "3").items())


def test_the_same_data_by_another_path_is_the_same_run(tmp_path, monkeypatch, capsys):
    folder = small_dataset("rb-v0").resolve()
    monkeypatch.chdir(folder.parent)
    arguments = ["--preset", "smoke", "--steps", "4", "--out", str(tmp_path / "run")]
    assert pretrain.main(["--data", str(folder), *arguments]) == 0
    (tmp_path / "link to data").symlink_to(folder)
    for spelling in (folder.name, f"./{folder.name}", str(tmp_path / "link to data")):
        assert pretrain.main(["--data", spelling, *arguments]) == 0
        assert "is complete already" in capsys.readouterr().out


def test_a_run_knows_its_base_by_the_weights(tmp_path, capsys):
    data = ["--data", str(small_dataset("rb-v0"))]
    steps = ["--preset", "smoke", "--steps", "4"]

    def base(seed, name):
        assert pretrain.main([*data, *steps, "--seed", seed, "--out", str(tmp_path / name)]) == 0

    def adapted(model):
        words = ["--model", str(tmp_path / model), *data, *steps, "--out", str(tmp_path / "a")]
        return adapt.main(words)

    base("0", "base")
    assert adapted("base") == 0
    (tmp_path / "base").rename(tmp_path / "moved")
    assert adapted("moved") == 0
    base("1", "base")
    assert adapted("base") == 2
    assert "pretrained_sha256 is other entries there" in capsys.readouterr().err
