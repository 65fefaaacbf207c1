"""The planner with a real world model, from disk, without data and training code."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from tiny_models import RB, tiny_model

from networld_agent.model import ActionSpec, ModelError, TaskSpec
from networld_agent.planning import Planner, PlannerConfig

torch.set_num_threads(1)

RING = np.roll(np.eye(6), 1, 1) + np.roll(np.eye(6), -1, 1)


def scene(num_envs=2, seed=0, size=4):
    return np.random.default_rng(seed).uniform(0, 9, (num_envs, 6, size)).astype(np.float32)


@pytest.mark.parametrize("options", [
    {}, {"plan_mode": "both", "candidates": 3}, {"sampler": "dpm"}, {"sampler": "ddpm"},
    {"warm_start": 2}, {"execute": 2}, {"plan_mode": "random"}, {"plan_mode": "behaviour"},
])  # fmt: skip
@pytest.mark.parametrize("model_options", [
    {"prediction": "x0"}, {"prediction": "noise"}, {"communication": "attention"},
])  # fmt: skip
def test_strictly_decentralised_with_a_real_network(options, model_options):
    model = tiny_model(**model_options)
    config = PlannerConfig(steps=4, guidance_scale=1.0, **options)
    here, there = (Planner(model, config=config) for _ in range(2))
    for step in range(4):
        observations = scene(seed=step)
        changed = observations.copy()
        changed[:, 3] = 30.0 * (step + 1)
        actions, others = here.act(observations, RING), there.act(changed, RING)
        # In the ring of six, agents 1 and 5 are two hops from 3, and 0 is three.
        far = [0, 1, 5]
        np.testing.assert_array_equal(actions[:, far], others[:, far])
        assert torch.equal(here.plans[:, far], there.plans[:, far])
        for near in (2, 3, 4):
            assert not torch.equal(here.plans[:, near], there.plans[:, near])


def test_without_a_plan_the_behaviour_head_acts_on_what_an_agent_sees_and_hears():
    model, observations = tiny_model(), scene()
    with torch.no_grad():
        # An untrained head ends in zeros, and would do the same whatever it is told.
        for parameter in model.behaviour("rb-v0").parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
    actions = Planner(model, config=PlannerConfig(plan_mode="behaviour")).act(observations, RING)
    assert len(np.unique(actions)) > 3
    with torch.no_grad():
        z = model.encode("rb-v0", torch.from_numpy(observations))
        heard = (z.roll(1, 1) + z.roll(-1, 1)) / 2
        (logits,) = model.behaviour("rb-v0")(z, heard)
    np.testing.assert_array_equal(actions, logits.argmax(-1).numpy() + RB.action.start)


def test_a_model_without_a_behaviour_head_says_so():
    model = tiny_model(behaviour_weight=0.0)
    with pytest.raises(ModelError, match=r"no behaviour head \(behaviour_weight is 0\)"):
        Planner(model, config=PlannerConfig(plan_mode="behaviour"))


@pytest.mark.parametrize("classifier", ["shared", "separate"])
@pytest.mark.parametrize("prediction", ["x0", "noise"])
def test_one_pass_gives_the_estimate_and_the_gradient_of_two(classifier, prediction):
    model = tiny_model(classifier=classifier, prediction=prediction)
    x, tau = torch.randn(5, 8, 16), torch.arange(5)
    task = torch.zeros_like(tau)
    x0, gradient = model.denoise_with_gradient(x, tau, task)
    torch.testing.assert_close(x0, model.denoise(x, tau, task))
    free = x.clone().requires_grad_()
    model.predicted_return(free, tau, task).sum().backward()
    torch.testing.assert_close(gradient, free.grad)
    assert not x0.requires_grad
    assert gradient.abs().max() > 0


def test_guidance_changes_plans_of_a_real_network():
    model = tiny_model()
    keys = torch.arange(4)
    z = model.encode("rb-v0", torch.rand(4, 4))
    drawn = [
        Planner(model, config=PlannerConfig(guidance_scale=w)).generator.generate(z, z, keys)
        for w in (0.0, 1.0)
    ]
    assert not torch.equal(*drawn)
    assert torch.equal(drawn[0][:, 0], drawn[1][:, 0])


@pytest.mark.parametrize(("action", "kind", "shape"), [
    (ActionSpec("discrete", sizes=(5,), start=2), "i", ()),
    (ActionSpec("multidiscrete", sizes=(4, 2)), "i", (2,)),
    (ActionSpec("box", low=(-1.0, 0.0), high=(1.0, 9.0)), "f", (2,)),
])  # fmt: skip
def test_actions_have_the_task_s_type_and_bounds(action, kind, shape):
    model = tiny_model(TaskSpec("any", 0, 4, action))
    actions = Planner(model).act(scene(), RING)
    assert actions.dtype.kind == kind
    assert actions.shape == (2, 6, *shape)
    low = np.array(action.low or [action.start] * len(action.sizes))
    high = np.array(action.high or [action.start + n - 1 for n in action.sizes])
    rows = actions.reshape(2, 6, -1)
    assert (rows >= low).all()
    assert (rows <= high).all()


def test_one_model_plans_tasks_of_different_sizes():
    other = TaskSpec("other", 1, 7, ActionSpec("discrete", sizes=(3,)))
    model = tiny_model(RB, other)
    assert Planner(model, "rb-v0").act(scene(), RING).max() < 11
    assert Planner(model, "other").act(scene(size=7), RING).max() < 3


def test_without_mean_field_nobody_sends_anything():
    planner = Planner(tiny_model(communication="none"))
    planner.act(scene(), RING)
    assert planner.messages.bytes_per_step == 0


def test_attention_sends_what_a_mean_sends():
    sent = []
    for communication in ("mean", "attention"):
        planner = Planner(tiny_model(communication=communication))
        planner.act(scene(), RING)
        sent.append((planner.messages.bytes_per_step, planner.messages.unicast_bytes_per_step))
    assert sent[0] == sent[1] == (4 * 8, 2 * 4 * 8)


def test_a_saved_model_plans_without_data_and_training_code(tmp_path):
    tiny_model().save(tmp_path / "model")
    planner = Planner(tiny_model())
    planner.act(scene(), RING)
    code = (
        "import sys, numpy as np, torch; torch.set_num_threads(1)\n"
        "from networld_agent.planning import Planner\n"
        f"planner = Planner.load({str(tmp_path / 'model')!r})\n"
        "ring = np.roll(np.eye(6), 1, 1) + np.roll(np.eye(6), -1, 1)\n"
        "scene = np.random.default_rng(0).uniform(0, 9, (2, 6, 4)).astype(np.float32)\n"
        "planner.act(scene, ring)\n"
        "print(planner.plans.flatten().tolist())\n"
        "loaded = [m for m in sys.modules if m.startswith('networld_agent.')]\n"
        "parts = {m.split('.')[1] for m in loaded}\n"
        "shared = {'cuda_graph', 'device', 'documents', 'errors', 'fields'}\n"
        "shared |= {'keyed_random', 'storage'}\n"
        "assert parts <= {'planning', 'model'} | shared, parts\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # Plans, not actions: another process may lay out memory in another way, matrix products then
    # differ in their last bits, and an action on the edge of a rounding step flips.
    np.testing.assert_allclose(json.loads(done.stdout), planner.plans.flatten(), atol=1e-4)


def test_a_missing_or_damaged_model_is_one_sentence(tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        Planner.load(tmp_path / "nothing")
    folder = tiny_model().save(tmp_path / "model")
    weights = next(folder.glob("*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelError, match="checksum"):
        Planner.load(folder)
    weights.write_bytes(data[:-100])
    with pytest.raises(ModelError, match="cut"):
        Planner.load(folder)


def test_a_temperature_tuned_for_the_task_is_taken_unless_another_is_asked_for():
    tuned = dataclasses.replace(RB, temperature=0.0)
    seen = torch.rand(1, 3, 4).numpy()
    hears = ~np.eye(3, dtype=bool)

    def plan(task, temperature, seed):
        config = PlannerConfig(plan_mode="none", temperature=temperature, seed=seed)
        planner = Planner(tiny_model(task), config=config)
        planner.act(seen, hears)
        return planner.plans

    assert torch.equal(plan(tuned, None, 0), plan(tuned, None, 1))
    assert torch.equal(plan(tuned, None, 0), plan(RB, 0.0, 0))
    assert not torch.equal(plan(tuned, 1.0, 0), plan(tuned, 1.0, 1))
    assert torch.equal(plan(RB, None, 3), plan(RB, 0.5, 3))
