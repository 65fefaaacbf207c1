"""Where the context of a network goes in a model: into the encoder, or further."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_models import tiny_model
from training_cases import TINY

from networld_agent.collecting import CollectionSettings, collect
from networld_agent.config import Preset
from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import WindowSource
from networld_agent.model import ActionSpec, ModelError, TaskSpec, WorldModel
from networld_agent.model.batch import Batch, TaskBatch
from networld_agent.planning import Planner, PlannerConfig, plan_networks, row_layers
from networld_agent.training.config import TrainingConfig
from networld_agent.training.pretraining import pretrain
from networld_agent.training.task_specs import make_task_spec

RB = TaskSpec("rb-v0", 0, 4, ActionSpec("discrete", sizes=(11,)), context_size=2)
PLAIN = TaskSpec("other", 1, 5, ActionSpec("box", low=(-1.0, 0.0), high=(1.0, 9.0)))
RING = np.roll(np.eye(6), 1, 1) + np.roll(np.eye(6), -1, 1)


def conditioned(*tasks, **options):
    """A model whose contexts say something, as trained ones do."""
    model = tiny_model(*(tasks or (RB,)), context="conditioned", **options)
    for head in model.behaviours.values():
        torch.nn.init.normal_(head.head.weight)
    for module in model.contexts.values():
        torch.nn.init.normal_(module.out.weight, std=0.5)
    return model


def scene(seed=0, size=4):
    return np.random.default_rng(seed).uniform(0, 3, (2, 6, size)).astype(np.float32)


def batch(model, seed=0):
    torch.manual_seed(seed)
    parts = []
    for spec in model.tasks.values():
        box = spec.action.kind == "box"
        actions = torch.rand(3, 6, 7, 2) if box else torch.randint(11, (3, 6, 7))
        weights = torch.as_tensor(RING / 2, dtype=torch.float32)
        seen = 3 * torch.rand(3, 6, 8, spec.observation_size)
        if spec.context_size:
            seen[..., -spec.context_size :] = seen[:, :, :1, -spec.context_size :]
        parts.append(TaskBatch(spec.name, seen, actions, torch.rand(3, 6), weights, 1 / 36))
    rows = sum(part.num_sequences for part in parts)
    return Batch(tuple(parts), torch.randint(6, (rows,)), torch.randn(rows, 8, 16))


def test_an_untrained_context_conditions_nothing():
    x, tau = torch.randn(6, 8, 16), torch.arange(6) % 5
    task = torch.zeros_like(tau)
    model = tiny_model(RB, context="conditioned")
    seen = torch.from_numpy(scene()[0])
    added = model.condition("rb-v0", seen)
    assert added.shape == (6, 16)
    assert not added.any()
    assert torch.equal(model.denoise(x, tau, task, added), model.denoise(x, tau, task))


@pytest.mark.parametrize("classifier", ["shared", "separate"])
def test_the_context_reaches_denoiser_classifier_and_heads(classifier):
    model = conditioned(classifier=classifier)
    x, tau = torch.randn(6, 8, 16), torch.arange(6) % 5
    task = torch.zeros_like(tau)
    seen = torch.from_numpy(scene()[0])
    other = seen.clone()
    other[3, 2:] += 1
    here, there = model.condition("rb-v0", seen), model.condition("rb-v0", other)
    for function in (model.denoise, model.predicted_return):
        differs = (function(x, tau, task, here) != function(x, tau, task, there)).reshape(6, -1)
        assert differs.any(1).tolist() == [False, False, False, True, False, False]
    z = model.encode("rb-v0", seen)
    known, changed = model.known("rb-v0", z, seen), model.known("rb-v0", z, other)
    assert known.shape == (6, 10)
    for head in (model.inverse("rb-v0"), model.behaviour("rb-v0")):
        differs = (head(known, z)[0] != head(changed, z)[0]).any(-1)
        assert differs.tolist() == [False, False, False, True, False, False]


def test_without_the_option_the_context_goes_no_further_than_the_encoder():
    model = tiny_model(RB)
    seen = torch.from_numpy(scene()[0])
    z = model.encode("rb-v0", seen)
    assert model.condition("rb-v0", seen) is None
    assert model.known("rb-v0", z, seen) is z
    assert not any(name.startswith("contexts") for name, _ in model.named_parameters())


@pytest.mark.parametrize("stop_gradient", ["target", "all"])
def test_all_that_takes_a_context_learns(stop_gradient):
    model = conditioned(RB, PLAIN, stop_gradient=stop_gradient).train().requires_grad_(True)
    assert list(model.contexts) == ["task0"]
    model.loss(batch(model))["loss"].backward()
    for name, parameter in model.contexts.named_parameters():
        assert parameter.grad.any(), name
    for head in (model.inverse("rb-v0"), model.behaviour("rb-v0")):
        assert head.layers[0].weight.grad[:, 8:10].any()


def test_a_task_without_context_is_trained_as_if_there_were_none():
    model = conditioned(RB, PLAIN)
    both = batch(model)
    other = dataclasses.replace(both.parts[1], weight=1 / 18)
    alone = Batch((other,), both.tau[18:], both.noise[18:])
    plain = tiny_model(RB, PLAIN)
    state = {k: v for k, v in model.state_dict().items() if not k.startswith("contexts")}
    kept = plain.state_dict()
    plain.load_state_dict({k: v for k, v in state.items() if v.shape == kept[k].shape}, False)
    torch.testing.assert_close(plain.loss(alone)["loss"], model.loss(alone)["loss"])


@pytest.mark.parametrize("classifier", ["shared", "separate"])
@pytest.mark.parametrize("compiled", [True, False])
def test_the_unrolled_network_is_the_model(monkeypatch, classifier, compiled):
    if not compiled:
        monkeypatch.setattr(row_layers, "_compiled", lambda x: False)
    model = conditioned(classifier=classifier, blocks_per_level=2)
    levels = (5, 2, 0)
    unrolled = plan_networks.UnrolledNetwork(model, "rb-v0", levels)
    labelled = plan_networks.LabelledNetwork(model, "rb-v0", levels)
    x, context = torch.randn(6, 8, 16), model.condition("rb-v0", torch.from_numpy(scene()[0]))
    for level in levels:
        for one, two in (
            (unrolled.denoise(x, level, context), labelled.denoise(x, level, context)),
            *zip(
                unrolled.denoise_with_gradient(x, level, context),
                labelled.denoise_with_gradient(x, level, context),
                strict=True,
            ),
            (
                unrolled.predicted_return(x, level, context),
                labelled.predicted_return(x, level, context),
            ),
        ):
            torch.testing.assert_close(one, two, atol=2e-4, rtol=1e-3)
        assert not torch.allclose(unrolled.denoise(x, level), unrolled.denoise(x, level, context))


@pytest.mark.parametrize("options", [
    {}, {"plan_mode": "both", "candidates": 3}, {"warm_start": 2}, {"execute": 2},
    {"temperature": 1.0, "votes": 3},
])  # fmt: skip
def test_an_agent_plans_with_its_own_context_alone(options):
    model = conditioned()
    config = PlannerConfig(steps=4, guidance_scale=1.0, **options)
    here, there = (Planner(model, config=config) for _ in range(2))
    for step in range(3):
        seen = scene(step)
        changed = seen.copy()
        changed[:, 3, 2:] += 5.0
        actions, others = here.act(seen, RING), there.act(changed, RING)
        far = [0, 1, 5]
        np.testing.assert_array_equal(actions[:, far], others[:, far])
        assert torch.equal(here.plans[:, far], there.plans[:, far])
        assert not torch.equal(here.plans[:, 3], there.plans[:, 3])


def test_a_saved_model_keeps_its_contexts(tmp_path):
    model = conditioned()
    model.save(tmp_path / "model")
    found = Planner.load(tmp_path / "model", device="cpu")
    expected = Planner(model)
    np.testing.assert_array_equal(found.act(scene(), RING), expected.act(scene(), RING))
    assert WorldModel.load(tmp_path / "model").task("rb-v0") == RB


def test_a_description_without_context_is_what_it_was():
    assert "context_size" not in PLAIN.to_json()
    assert TaskSpec.from_json(RB.to_json()) == RB


def test_the_size_of_a_context_cannot_change_or_exceed_the_observation():
    model = conditioned()
    with pytest.raises(ModelError, match="cannot change its index, sizes or actions"):
        model.set_task(dataclasses.replace(RB, context_size=1))
    with pytest.raises(ValueError, match="context_size must be between 0 and 4"):
        dataclasses.replace(RB, context_size=5)


@pytest.mark.parametrize(("context", "size"), [(True, 4), (False, 0)])
def test_data_says_how_large_its_context_is(tmp_path, context, size):
    settings = CollectionSettings(
        env="rb-v0", policy="random", episodes=2, steps=20,
        overrides={"num_nodes": 5, "context": context},
    )  # fmt: skip
    path = collect(settings, tmp_path / "data", num_envs=2)
    source = WindowSource(TrajectoryDataset.open(path))
    assert make_task_spec("rb-v0", 0, [source], TINY).context_size == size
    model = dataclasses.replace(TINY, context="conditioned")
    training = TrainingConfig(steps=4, batch_size=16, warmup_steps=2, log_every=2)
    out = pretrain(path, tmp_path / "model", Preset("tiny", model, training, training),
                   device="cpu")  # fmt: skip
    found = WorldModel.load(out)
    moved = [bool(module.out.weight.any()) for module in found.contexts.values()]
    assert moved == ([True] if context else [])


def test_the_context_is_known_where_the_network_cannot_be_made_again(tmp_path, monkeypatch):
    """A reward of one's own is code, which no data set may call by itself."""
    (tmp_path / "fair_rewards.py").write_text(
        "def served(metrics):\n    return metrics['served']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = CollectionSettings(
        env="rb-v0", episodes=1, steps=12, policy="random",
        overrides={"context": True, "reward": "fair_rewards:served"},
    )  # fmt: skip
    dataset = TrajectoryDataset.open(collect(settings, tmp_path / "data"))
    with pytest.raises(ValueError, match="trusted=True"):
        dataset.make_simulator()
    assert make_task_spec("rb-v0", 0, [WindowSource(dataset)], TINY).context_size == 4
