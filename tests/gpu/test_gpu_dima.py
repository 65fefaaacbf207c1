"""DIMA on two devices, from equal noise: world model, denoiser, imagination, policy, both loops.

Tolerances: one pass 1e-4 of a tensor's greatest entry, values of the log over some updates 1e-3,
weights 1 % of the way that all have moved, states imagined over some steps 1e-3.
"""

import dataclasses
import importlib.util

import pytest
import torch
from baseline_cases import tiny_data
from dima_cases import (
    DISCRETE,
    REAL,
    learner_of,
    random_actions,
    random_batches,
    random_context,
    tiny,
)
from learner_cases import assert_updates_agree, moved, on_cpu, state_of
from model_cases import gradients_of
from parity import CPU, Other, assert_close, assert_parity, on_side

from benchmarks.baselines.dima.config import PRESETS
from benchmarks.baselines.dima.imagination import critic_size, imagine, improve
from benchmarks.baselines.dima.memory import Start
from benchmarks.baselines.dima.offline import Dima, OfflineConfig
from benchmarks.baselines.dima.online import DimaLearner
from benchmarks.baselines.dima.policy_config import ImaginationConfig, OnlineConfig
from benchmarks.baselines.dima.sequences import Context
from benchmarks.baselines.dima.state_normaliser import StateNormaliser
from benchmarks.baselines.dima.world_model import WorldModel
from benchmarks.baselines.mappo.actor import TeamActor
from benchmarks.baselines.mappo.ppo import TeamPPO
from benchmarks.baselines.online.worlds_team import WorldsTeam
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.learner_state import learner_tensors, restore_learner
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.training_loop import Counters
from networld_agent.model.task_spec import ActionSpec
from networld_agent.worlds.simulator import SimulatorWorlds
from wirelessenvs.tasks import get_task

SPECS = {"discrete": DISCRETE, "real": REAL}
CONFIGS = {
    "sequential": {},
    "joint": {"denoiser_conditioning": "joint"},
    "perceiver": {"denoiser_action_encoder": "perceiver", "denoiser_order": "descending"},
}
#: Reads observations off the state.
READING = PRESETS["tiny"].replace(state_read=True)
#: Where the quantiser of the state's code is not installed, the state is read as it is.
QUANTISED = importlib.util.find_spec("vector_quantize_pytorch") is not None


def world(device, spec, **options):
    """A world model that has seen some steps; layers that start at zero are random."""
    if not QUANTISED:
        options["state_levels"] = ()
    model = WorldModel(spec, tiny(**options))
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    model = model.to(device)
    seen = random_batches(model, spec)["denoiser"]
    model.observe(*(t.to(device) for t in (seen.states, seen.observations, seen.rewards)))
    return model


def on_device(batches, device):
    return {part: pieces.to(device) for part, pieces in batches.items()}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("kind", SPECS)
def test_updates_of_the_world_model(other, kind, name):
    spec = SPECS[kind]

    def work(device):
        model = world(device, spec, **CONFIGS[name])
        before = state_of(model)
        values = [model.update(on_device(random_batches(model, spec), device)) for _ in range(2)]
        statistics = ("states.", "observations.", "rewards.")
        weights = moved(model, before)
        return {
            "first": values[0],
            "values": values,
            "moved": {n: t for n, t in weights.items() if not n.startswith(statistics)},
        }

    assert_updates_agree(work, other, 1e-3)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("kind", SPECS)
def test_loss_of_the_denoiser_and_its_gradients(other, kind, name):
    spec = SPECS[kind]

    def work(device):
        model = world(device, spec, **CONFIGS[name])
        batch = random_batches(model, spec)["denoiser"].to(device)
        batch.valid[:3, 0] = False
        loss = model.denoiser.loss(model.scaled_states(batch.states), batch.actions, batch.valid)
        loss.backward()
        return {"loss": loss, "gradients": gradients_of(model.denoiser)}

    assert_parity(work, other)


@pytest.mark.parametrize("kind", SPECS)
def test_losses_of_reward_and_observations(other, kind):
    spec = SPECS[kind]

    def work(device):
        model = world(device, spec)
        batches = on_device(random_batches(model, spec), device)
        batch = batches["reward"]
        batch.valid[:5, 2] = False
        losses = model.reward.loss(
            model.scaled_states(batch.states[:, :-1]),
            batch.actions,
            model.rewards(batch.rewards[..., None])[..., 0],
            batch.terminated,
            batch.valid,
        )
        sum(losses).backward()
        return {
            "losses": losses,
            "gradients": gradients_of(model.reward),
            "seen": model.decode(batch.states),
        }

    assert_parity(work, other)


@pytest.mark.parametrize("order", ["random", "ascending"])
@pytest.mark.parametrize("kind", SPECS)
def test_samples_of_the_denoiser(other, kind, order):
    spec = SPECS[kind]

    def work(device):
        model = world(device, spec, denoiser_order=order).eval()
        context = random_context(spec, 30)
        context.valid[:4, 0] = False
        states, actions, valid = (
            t.to(device) for t in (context.states, random_actions(spec, 30, 3), context.valid)
        )
        scaled = model.scaled_states(states)
        drawn = model.denoiser.sample(scaled, actions, valid)
        given = model.denoiser.sample(
            scaled, actions, valid, noise=torch.randn(30, spec.state_size).to(device)
        )
        return {"drawn": drawn, "given": given, "order": model.denoiser.order(30)}

    assert_parity(work, other, 1e-3)


def moved_context(context, device):
    return Context(context.states.to(device), context.actions.to(device), context.valid.to(device))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("kind", SPECS)
def test_imagined_steps(other, kind, name):
    spec = SPECS[kind]

    def work(device):
        model = world(device, spec, **CONFIGS[name])
        model.begin(moved_context(random_context(spec, 20), device))
        steps = [model.step(random_actions(spec, 20).to(device)) for _ in range(4)]
        actions = random_actions(spec, 20).to(device)
        return {"steps": steps, "reward": model.reward_of(steps[0].state, actions)}

    assert_parity(work, other, 1e-3)


@pytest.mark.parametrize("kind", SPECS)
def test_policy_steps_in_imagination(other, kind):
    spec = SPECS[kind]
    action = (
        ActionSpec("discrete", sizes=(spec.num_choices,))
        if spec.discrete
        else ActionSpec("box", low=(-1.0,) * spec.action_size, high=(1.0,) * spec.action_size)
    )

    def work(device):
        model = world(device, spec)
        config = ImaginationConfig(hidden_size=16, batch_size=30, epochs=2, model=PRESETS["tiny"])
        actor = TeamActor.of(spec.observation_size, ActionCodec(action), config)
        ppo = TeamPPO(actor, critic_size(model, config), config).to(device)
        ppo.make_optimizers()
        scaling, before = ObservationScaling(spec.observation_size).to(device), state_of(ppo)
        values = []
        for _ in range(2):
            seen = torch.randn(20, spec.num_agents, spec.observation_size)
            start = Start(random_context(spec, 20), seen).to(device)
            imagined = imagine(model, ppo, scaling, start, 3)
            values.append({"imagined": vars(imagined), "log": improve(ppo, imagined)})
        return {"values": values, "moved": moved(ppo, before)}

    assert_updates_agree(work, other, 1e-3)


def test_normaliser(other):
    def work(device):
        normaliser = StateNormaliser(3, 10.0).to(device)
        for count in (7, 40, 1):
            normaliser.update((1e5 + torch.randn(count, 3)).to(device))
        x = (1e5 + torch.randn(5, 3)).to(device)
        scaled = normaliser(x)
        return {"scaled": scaled, "back": normaliser.inverse(scaled)}

    assert_parity(work, other)


@pytest.mark.parametrize("kind", ["discrete", "box"])
def test_updates_on_stored_data(other, kind):
    """Three updates of the world model, then three of the policy."""
    data = tiny_data(kind)

    def work(device):
        config = OfflineConfig(
            steps=6, model_share=0.5, model=READING, starts=12,
            horizon=3, hidden_size=16, batch_size=20, epochs=2, device=device.type,
        )  # fmt: skip
        learner = Dima().learner(data, ObservationScaling.of_data(data), config)
        before, values = state_of(learner.module), []
        for step in range(6):
            torch.manual_seed(step)
            values.append(learner.update(learner.batch(step), step))
        return {"values": values, "moved": moved(learner.module, before)}

    # Chains of denoising on models that have themselves been trained apart.
    assert_updates_agree(work, other, 5e-3)


def online(device, folder):
    config = dataclasses.replace(get_task("rb-v0").config(), max_steps=12, num_nodes=3)
    sizes = {"starts": 12, "horizon": 3, "hidden_size": 16, "batch_size": 20, "epochs": 2}
    options = OnlineConfig(
        steps=100, num_envs=2, train_every=10, prefill=20, model_updates=2, policy_updates=2,
        model=READING, device=device.type, **sizes,
    )  # fmt: skip
    return DimaLearner(WorldsTeam(SimulatorWorlds(config, "rb-v0", 2)), options, folder)


def test_rounds_online(other, tmp_path):
    """At random, then by the policy: actions are drawn from equal noise."""

    def work(device):
        torch.manual_seed(0)
        learner = online(device, tmp_path / "run")
        before, values = state_of(learner.module), []
        learner.start(Counters(), None)
        for number in range(2):
            torch.manual_seed(number)
            values.append(learner.round())
        return on_cpu({"values": values, "moved": moved(learner.module, before)})

    assert_updates_agree(work, other, 5e-3, host=True)


@pytest.mark.parametrize("way", ["from the cpu", "to the cpu"])
def test_a_checkpoint_goes_on_on_the_other_device(place, way):
    first, second = (CPU, place.device) if way == "from the cpu" else (place.device, CPU)

    def work(one, two):
        torch.manual_seed(0)
        model = world(one, REAL)
        model.update(on_device(random_batches(model, REAL), one))
        held = learner_tensors(learner_of(model))
        saved = {k: v.detach().to("cpu", copy=True) for k, v in held.items()}
        again = world(two, REAL)
        restore_learner(learner_of(again), saved)
        for part, optimizer in again.optimizers.items():
            for parameter, state in optimizer.state.items():
                assert {v.device for v in state.values()} == {parameter.device}, part
        torch.manual_seed(1)
        again.update(on_device(random_batches(again, REAL), two))
        return state_of(again)

    def noted(one, two):
        return on_side(lambda _: on_cpu(work(one, two)), Other("cpu"), host=True)

    here, there = noted(CPU, CPU), noted(first, second)
    assert_close(
        {f"all/{k}": t for k, t in here.items()},
        {f"all/{k}": t for k, t in there.items()},
        0.0 if place.exact else 1e-3,
        joint=True,
    )


def test_a_model_of_the_device_loads_on_the_cpu(place, tmp_path):
    model = world(place.device, DISCRETE)
    model.update(on_device(random_batches(model, DISCRETE), place.device))
    model.save(tmp_path)
    here, there = WorldModel.load(tmp_path), WorldModel.load(tmp_path, device=place.device)
    assert (here.device.type, there.device.type) == ("cpu", place.device.type)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor.cpu(), here.state_dict()[name]), name
        assert torch.equal(tensor, there.state_dict()[name]), name
