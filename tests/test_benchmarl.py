"""BenchMARL trains on every task with every kind of algorithm, by name and from Python."""

import sys

import pytest

pytest.importorskip("benchmarl", exc_type=ImportError)

import torch
from benchmarl.algorithms import algorithm_config_registry
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig

from wirelessenvs import benchmarl as ours
from wirelessenvs.benchmarl import TaskError, WirelessTask, symlog

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore:SyncDataCollector has been deprecated"),
    pytest.mark.filterwarnings("ignore:No episode terminated this iteration"),
]

SMALL = {"RB": {"preset": "rb-9"}, "CBF": {"preset": "cells-7"}, "SLICING": {"preset": "small"}}


def experiment(task, algorithm, folder, **changes):
    config = ExperimentConfig.get_from_yaml()
    for name, value in {
        "max_n_frames": 80, "on_policy_collected_frames_per_batch": 40,
        "off_policy_collected_frames_per_batch": 40, "on_policy_n_envs_per_worker": 2,
        "off_policy_n_envs_per_worker": 2, "on_policy_n_minibatch_iters": 1,
        "off_policy_n_optimizer_steps": 2, "off_policy_memory_size": 80,
        "evaluation_interval": 40, "evaluation_episodes": 2, "loggers": [], "create_json": False,
        "render": False, "save_folder": str(folder), **changes,
    }.items():  # fmt: skip
        setattr(config, name, value)
    network = MlpConfig.get_from_yaml()
    method = algorithm_config_registry[algorithm].get_from_yaml()
    return Experiment(task, method, network, 0, config, critic_model_config=network)


@pytest.mark.parametrize("task", list(WirelessTask), ids=lambda task: task.name.lower())
@pytest.mark.parametrize(
    ("algorithm", "continuous"),
    [("mappo", False), ("mappo", True), ("ippo", False), ("qmix", False), ("maddpg", True)],
)
def test_algorithms_train(task, algorithm, continuous, tmp_path):
    chosen = task.get_task({**SMALL[task.name], "max_steps": 20})
    run = experiment(chosen, algorithm, tmp_path, prefer_continuous_actions=continuous)
    assert run.continuous_actions == continuous
    before = [parameter.clone() for parameter in run.policy.parameters()]
    run.run()
    assert any((a != b).any() for a, b in zip(before, run.policy.parameters(), strict=True))
    assert run.total_frames == 80
    # An evaluation episode of 20 steps has ended, and its return is a number.
    assert torch.isfinite(torch.tensor(run.mean_return))


def test_the_environment_is_the_task(tmp_path):
    config = {"preset": "rb-9", "max_steps": 7, "arguments": {"context": True}}
    task = WirelessTask.RB.get_task(config)
    env = task.get_env_fun(3, False, 5, "cpu")()
    assert env.simulator.config.num_nodes == 9
    assert task.max_steps(env) == env.max_steps == 7
    assert env.simulator.config.context
    assert task.group_map(env) == {"agents": [f"node_{i}" for i in range(9)]}
    assert set(task.observation_spec(env)["agents"].keys()) == {"observation"}
    assert set(task.info_spec(env)["agents", "info"].keys()) == set(env.simulator.metric_names)
    assert task.state_spec(env)["state"].shape == (9 * 4 + 9,)
    rollout = env.rollout(7)
    own = env.simulator.reset(seeds=5)
    assert (rollout["agents", "observation"][:, 0].numpy() == own).all()
    rewards = rollout["next", "agents", "reward"]
    assert torch.equal(rewards, rewards[..., :1, :].expand_as(rewards))


def test_real_valued_and_discrete_actions_unless_one_is_asked_for():
    both = WirelessTask.CBF.get_task({})
    assert both.supports_continuous_actions()
    assert both.supports_discrete_actions()
    beams = WirelessTask.CBF.get_task({"arguments": {"action": "beam"}})
    assert beams.supports_continuous_actions()
    assert not beams.supports_discrete_actions()
    codebook = WirelessTask.CBF.get_task({"arguments": {"action": "codebook"}})
    assert codebook.supports_discrete_actions()
    assert not codebook.supports_continuous_actions()
    with pytest.raises(TaskError, match="unknown field of the task 'presets'; known: arguments"):
        WirelessTask.RB.get_task({"presets": "rb-9"})


def test_a_configuration_is_read_from_a_file(tmp_path):
    path = tmp_path / "rb.yaml"
    path.write_text("preset: rb-9\nmax_steps: 30\n")
    task = WirelessTask.RB.get_from_yaml(str(path))
    assert task.config["preset"] == "rb-9"
    assert task.max_steps(None) == 30
    assert WirelessTask.RB.get_from_yaml().max_steps(None) == 200


def test_networks_see_compressed_counts():
    task = WirelessTask.RB.get_task({"max_steps": 60})
    assert WirelessTask.RB.get_task({"symlog": False}).get_env_transforms(_env(task)) == []
    from torchrl.envs import Compose, TransformedEnv, check_env_specs

    env = TransformedEnv(_env(task), Compose(*task.get_env_transforms(_env(task))))
    check_env_specs(env)
    env.base_env.set_seed(0)
    seen = env.rollout(60)["agents", "observation"]
    assert 2 < seen.max() < 8
    assert torch.equal(symlog(torch.tensor([0.0, -1.0])), -torch.tensor([0.0, 1.0]).log1p())


def _env(task):
    return task.get_env_fun(2, False, 0, "cpu")()


def test_the_command_takes_what_benchmarls_own_takes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarl"])
    monkeypatch.chdir(tmp_path)
    ours.main([
        "task=wirelessenvs/slicing", "algorithm=ippo", "task.preset=small", "task.max_steps=10",
        "experiment.max_n_frames=20", "experiment.on_policy_collected_frames_per_batch=20",
        "experiment.on_policy_n_envs_per_worker=2", "experiment.on_policy_n_minibatch_iters=1",
        "experiment.evaluation=false", "experiment.loggers=[]", "experiment.create_json=false",
    ])  # fmt: skip
    printed = capsys.readouterr().out
    assert "Algorithm: ippo, Task: wirelessenvs/slicing" in printed
    assert "preset: small" in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["task.preset=nope"], "preset must be one of 'rb-8', 'rb-9', 'conflict', got 'nope'"),
        (["+task.slices=3"], "unknown field of the task 'slices'"),
        (["+task.arguments.trace=lost.csv"], "trace must be given for traffic"),
        (["+task.arguments.load=99"], "load must be greater than 0 and at most 10, got 99"),
        (["task.max_steps=x"], "could not be converted to Integer"),
        (["task=wirelessenvs/none"], "Could not find 'task/wirelessenvs/none'"),
    ],
)
def test_what_a_task_refuses_is_told_in_a_sentence(
    arguments, sentence, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "argv", ["benchmarl"])
    monkeypatch.chdir(tmp_path)
    task = [] if arguments[0].startswith("task=") else ["task=wirelessenvs/rb"]
    assert ours.main([*task, "algorithm=mappo", *arguments]) == 2
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    last = printed.splitlines()[-1]
    assert last.startswith("error: ")
    assert sentence in last
