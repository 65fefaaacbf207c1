"""MAPPO's policy update and whole rounds on two devices, from equal noise.

Tolerances: values of the log 1e-3 of the greatest, weights 1 % of the way that all have moved.
"""

import dataclasses

import pytest
import torch
from learner_cases import assert_updates_agree, moved, on_cpu, state_of
from parity import CPU, assert_parity

from benchmarks.baselines.mappo.actor import TeamActor
from benchmarks.baselines.mappo.advantages import generalised_advantages
from benchmarks.baselines.mappo.config import MappoConfig
from benchmarks.baselines.mappo.learner import MappoLearner
from benchmarks.baselines.mappo.ppo import Experience, TeamPPO
from benchmarks.baselines.mappo.value_normaliser import ValueNormaliser
from benchmarks.baselines.online.running_scaling import RunningScaling
from benchmarks.baselines.online.worlds_team import WorldsTeam
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.learner_state import learner_tensors, restore_learner
from benchmarks.baselines.shared.training_loop import Counters
from networld_agent.model.task_spec import ActionSpec
from networld_agent.worlds.simulator import SimulatorWorlds
from wirelessenvs.tasks import get_task

ACTIONS = {
    "discrete": ActionSpec("discrete", sizes=(7,)),
    "box": ActionSpec("box", low=(-1.0, 0.0), high=(1.0, 4.0)),
}


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("kind", ACTIONS)
def test_policy_update(other, kind, normalise):
    codec = ActionCodec(ACTIONS[kind])
    config = MappoConfig(hidden_size=32, batch_size=16, epochs=2, normalise_inputs=normalise)

    def work(device):
        ppo = TeamPPO(TeamActor.of(5, codec, config), 9, config).to(device)
        ppo.make_optimizers()
        before = state_of(ppo)
        inputs = torch.randn(40, 3, 5).to(device)
        actions, log_probs = (tensor.detach() for tensor in ppo.actor.sample(inputs))
        shown = torch.randn(40, 1, 9).to(device)
        advantages, returns = (torch.randn(40, 1).to(device) for _ in range(2))
        values = [
            ppo.update(Experience(inputs, actions, log_probs, shown, advantages, 5 + returns))
            for _ in range(2)
        ]
        return {"values": [values, ppo.values(shown), actions], "moved": moved(ppo, before)}

    assert_updates_agree(work, other, 1e-3)


def test_advantages(other):
    def work(device):
        columns = [torch.randn(30, 4) for _ in range(3)] + [torch.rand(30, 4) < 0.1 for _ in "ab"]
        return generalised_advantages(*(c.to(device) for c in columns), 0.95, 0.9)

    assert_parity(work, other)


def test_running_statistics(other):
    def work(device):
        scaling, normaliser = RunningScaling(4).to(device), ValueNormaliser(0.9).to(device)
        for count in (5, 30, 1):
            scaling.update((1e3 + torch.randn(count, 2, 4)).to(device))
            normaliser.update((1e4 + torch.randn(count)).to(device))
        return {
            "scaling": scaling.state_dict(),
            "normaliser": normaliser.state_dict(),
            "there": normaliser.normalise(torch.full((3,), 1e4).to(device)),
            "back": normaliser.denormalise(torch.linspace(-1, 1, 3).to(device)),
        }

    # A deviation of 1 beside a mean of 10,000: what float32 could not hold.
    assert_parity(work, other, 1e-3)


TEAMS = {
    "discrete": ("rb-v0", {"num_nodes": 4}),
    "box": ("cbf-v0", {"num_cells": 7, "layout_seed": None, "action": "beam"}),
}


def team(kind):
    task, options = TEAMS[kind]
    config = dataclasses.replace(get_task(task).config(), max_steps=12, **options)
    return WorldsTeam(SimulatorWorlds(config, task, 2))


def learner_on(device, kind, **options):
    sizes = {"num_envs": 2, "rollout": 10, "hidden_size": 16, "batch_size": 16, "epochs": 2}
    config = MappoConfig(steps=1000, device=device.type, **sizes, **options)
    return MappoLearner(team(kind), config)


def rounds(learner, numbers):
    values = []
    for number in numbers:
        torch.manual_seed(number)
        values.append(learner.round())
    return values


@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize("kind", ACTIONS)
def test_rounds_of_playing_and_learning(other, kind, independent):
    """Actions are drawn from equal noise: the environments must go the same way."""

    def work(device):
        learner = learner_on(device, kind, independent=independent)
        before = state_of(learner.module)
        learner.start(Counters(), None)
        values = rounds(learner, range(2))
        return on_cpu({"values": values, "moved": moved(learner.module, before)})

    assert_updates_agree(work, other, 1e-3, host=True)


def test_a_restored_learner_goes_on_as_the_saved_one(place):
    """Adam's moments and counters through the CPU and back to the device."""
    first = learner_on(place.device, "discrete")
    first.start(Counters(), None)
    rounds(first, range(2))
    tensors = {k: v.detach().to("cpu", copy=True) for k, v in learner_tensors(first).items()}
    position = {k: v.clone() for k, v in first.memory().items()}
    second = learner_on(place.device, "discrete")
    restore_learner(second, tensors)
    second.start(Counters(), position)
    one, two = rounds(first, [2]), rounds(second, [2])
    assert one[0] == pytest.approx(two[0], rel=0 if place.exact else 1e-5)
    for name, tensor in state_of(first.module).items():
        error = 0.0 if place.exact else 1e-5
        torch.testing.assert_close(tensor, second.module.state_dict()[name], rtol=error, atol=error)


def test_the_policy_of_a_device_acts_on_the_cpu(place, tmp_path):
    learner = learner_on(place.device, "box")
    learner.start(Counters(), None)
    rounds(learner, [0])
    policy = learner.policy()
    assert {tensor.device for tensor in policy.network.state_dict().values()} == {CPU}
    shown, _ = team("box").reset(3)
    again = type(policy).load(policy.save(tmp_path / "policy"))
    assert (policy.act_on(shown) == again.act_on(shown)).all()
