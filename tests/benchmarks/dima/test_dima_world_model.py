"""The whole model: imagination, resumption, files, and what it refuses."""

import dataclasses

import pytest
import torch
from dima_cases import (
    DISCRETE,
    REAL,
    learner_of,
    random_actions,
    random_batches,
    random_context,
    random_sequences,
    tiny,
)

from benchmarks.baselines.dima.config import PRESETS, DenoiserConfig, DimaConfig, RewardConfig
from benchmarks.baselines.dima.sequences import WorldSpec
from benchmarks.baselines.dima.world_model import WorldModel
from benchmarks.baselines.shared.learner_state import learner_tensors, restore_learner
from networld_agent.errors import ModelError


def started(spec, updates=3, **overrides):
    torch.manual_seed(0)
    model = WorldModel(spec, tiny(**overrides))
    data = random_sequences(spec, 50, 6)
    model.observe(data.states, data.observations, data.rewards)
    for _ in range(updates):
        model.update(random_batches(model, spec))
    return model


def imagined(model, spec, steps=4):
    torch.manual_seed(5)
    model.begin(random_context(spec, 7))
    return [model.step(random_actions(spec, 7)) for _ in range(steps)]


def resume(model, other):
    """Puts what a checkpoint holds of a model into another."""
    held = learner_tensors(learner_of(model))
    restore_learner(learner_of(other), {name: tensor.clone() for name, tensor in held.items()})


def same(one, other):
    for left, right in zip(one, other, strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0)


@pytest.mark.parametrize("spec", [REAL, DISCRETE])
def test_imagined_steps_are_in_the_environments_units(spec):
    model = started(spec, updates=150)
    steps = imagined(model, spec)
    for step in steps:
        assert step.state.shape == (7, spec.state_size)
        assert step.observations.shape == (7, spec.num_agents, spec.observation_size)
        assert step.reward.shape == step.termination.shape == (7,)
        assert ((step.termination >= 0) & (step.termination <= 1)).all()
        # The data is independent noise around 3 with deviation 2.
        assert (step.state - 3).abs().max() < 12
    assert torch.stack([s.state for s in steps]).mean().item() == pytest.approx(3, abs=1)
    assert torch.stack([s.observations for s in steps]).mean().item() == pytest.approx(3, abs=1)
    assert torch.stack([s.reward for s in steps]).mean().item() == pytest.approx(3, abs=1)
    assert torch.stack([s.termination for s in steps]).mean().item() == pytest.approx(0.1, abs=0.1)
    torch.testing.assert_close(model.decode(steps[0].state), steps[0].observations)


@pytest.mark.parametrize("spec", [REAL, DISCRETE])
def test_imagination_equals_single_predictions_on_the_whole_past(spec):
    model = started(spec, updates=30)
    context = random_context(spec, 7)
    context.valid[:3, 0] = False
    taken = [random_actions(spec, 7) for _ in range(6)]
    torch.manual_seed(5)
    model.begin(context)
    found = [model.step(actions) for actions in taken]

    torch.manual_seed(5)
    states = list(model.scaled_states(context.states).unbind(1))
    actions = [*context.actions.unbind(1), *taken]
    valid = torch.cat([context.valid, torch.ones(7, 6, dtype=torch.bool)], 1)
    with torch.no_grad():
        for t in range(6):
            window = slice(t, t + 3)
            past, done = torch.stack(states[window], 1), torch.stack(actions[window], 1)
            states.append(model.denoiser.sample(past, done, valid[:, window]))
            wanted = model.states.inverse(2 * states[-1])
            torch.testing.assert_close(found[t].state, wanted, rtol=1e-4, atol=1e-4)
        past, done = torch.stack(states[2:8], 1), torch.stack(taken, 1)
        rewards, logits = model.reward(past, done, valid[:, 3:])
    wanted = model.rewards.inverse(rewards[..., None])[..., 0]
    torch.testing.assert_close(
        torch.stack([step.reward for step in found], 1), wanted, rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(
        torch.stack([step.termination for step in found], 1), logits.softmax(-1)[..., 1]
    )


def test_imagined_steps_can_be_trained_on():
    step = imagined(started(REAL), REAL, 1)[0]
    layer = torch.nn.Linear(REAL.observation_size, 1)
    layer(step.observations).sum().backward()
    assert layer.weight.grad is not None
    assert not step.state.requires_grad


@pytest.mark.parametrize("encoder", ["mlp", "perceiver"])
def test_training_lowers_all_losses(encoder):
    model = started(REAL, 0, denoiser_action_encoder=encoder)
    batches = random_batches(model, REAL)
    first = model.update(batches)
    for _ in range(60):
        last = model.update(batches)
    for name in ("denoiser_loss", "reward_loss", "termination_loss", "state_loss"):
        assert last[name] < first[name], name


def test_learning_rate_warms_up():
    model = started(REAL, 0)
    rates = []
    for _ in range(12):
        model.update({"denoiser": random_batches(model, REAL)["denoiser"]})
        rates.append(model.optimizers["denoiser"].param_groups[0]["lr"])
    assert rates == pytest.approx([*(1e-4 * k for k in range(1, 11)), 1e-3, 1e-3])


def test_parts_are_updated_alone():
    model = started(REAL, 0)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    losses = model.update({"reward": random_batches(model, REAL)["reward"]})
    assert set(losses) == {"reward_loss", "termination_loss", "reward_gradient"}
    for name, value in model.state_dict().items():
        moved = not torch.equal(value, before[name])
        assert not moved or name.startswith(("reward.", "updates")), name


def test_resumed_training_ends_with_the_same_weights(tmp_path):
    def go_on(model):
        torch.manual_seed(3)
        for _ in range(4):
            model.update(random_batches(model, DISCRETE))
        return model

    model = started(DISCRETE)
    other = WorldModel(DISCRETE, tiny())
    resume(model, other)
    left, right = (learner_tensors(learner_of(go_on(each))) for each in (model, other))
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


@pytest.mark.parametrize("spec", [REAL, DISCRETE])
def test_stored_model_imagines_the_same(spec, tmp_path):
    model = started(spec)
    model.save(tmp_path)
    model.save(tmp_path)
    loaded = WorldModel.load(tmp_path, spec)
    assert len(list(tmp_path.iterdir())) == 2
    assert loaded.config == model.config
    for one, other in zip(imagined(model, spec), imagined(loaded, spec), strict=True):
        same(one, other)


def test_model_of_another_environment_is_refused_in_one_sentence(tmp_path):
    started(REAL, 0).save(tmp_path)
    with pytest.raises(ModelError, match=r"is a model of real with 2 agents.*, not of other with"):
        WorldModel.load(tmp_path, dataclasses.replace(REAL, task="other"))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-9]), "instead of"),
        (lambda file: file.unlink(), "missing"),
    ],
)
def test_damaged_files_are_refused(tmp_path, damage, sentence):
    started(REAL, 0).save(tmp_path)
    damage(next(tmp_path.glob("*.safetensors")))
    with pytest.raises(ModelError, match=sentence):
        WorldModel.load(tmp_path)
    with pytest.raises(ModelError, match="missing"):
        WorldModel.load(tmp_path / "nowhere")


def test_steps_need_a_beginning_and_fitting_actions():
    model = started(REAL, 1)
    with pytest.raises(RuntimeError, match="before begin"):
        model.step(random_actions(REAL, 7))
    model.begin(random_context(REAL, 7))
    with pytest.raises(ValueError, match=r"actions must have shape \(7, 2, 2\)"):
        model.step(random_actions(REAL, 6))
    model.update(random_batches(model, REAL))
    with pytest.raises(RuntimeError, match="an update came between"):
        model.step(random_actions(REAL, 7))


def test_batches_of_another_environment_are_refused():
    model = started(REAL, 0)
    batches = random_batches(model, DISCRETE)
    with pytest.raises(ValueError, match=r"observations must have shape .*got"):
        model.update(batches)
    with pytest.raises(TypeError, match="unknown part 'policy'"):
        model.update({"policy": batches["state"]})
    with pytest.raises(ValueError, match="at least 3 steps, got 2"):
        model.update({"denoiser": random_sequences(REAL, 4, 2)})
    with pytest.raises(ValueError, match="states must have shape"):
        model.begin(random_context(REAL, 7, size=2))


def test_presets_survive_json_and_name_their_parts():
    for preset in PRESETS:
        config = DimaConfig.from_preset(preset)
        assert DimaConfig.from_json(config.to_json()) == config
    assert DimaConfig.from_preset("wireless").denoiser.conditioning == "joint"
    assert DimaConfig.from_preset("perceiver").denoiser.action_encoder == "perceiver"
    assert DimaConfig().batches()["reward"] == RewardConfig().batch
    changed = DimaConfig.from_preset("tiny", denoiser_channels=8, limit=5)
    assert (changed.denoiser.channels, changed.limit) == (8, 5.0)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: DimaConfig.from_preset("huge"), "preset must be one of"),
        (lambda: tiny(denoiser_depth=3), "unknown option 'denoiser_depth'"),
        (lambda: tiny(denoiser_conditioning="none"), "conditioning must be one of"),
        (lambda: DenoiserConfig(channels=40), "multiple of group_size"),
        (lambda: DenoiserConfig(context=4), "multiple of 4 for 3 levels"),
        (lambda: DenoiserConfig(offset_noise=-1), "offset_noise must be at least 0"),
        (lambda: DenoiserConfig(noise_std=0), "noise_std must be greater than 0"),
        (lambda: DenoiserConfig(first_noise=1e-3), "first_noise must be greater than least_noise"),
        (lambda: DenoiserConfig(sampling_steps=2).steps(3), "3 agents needs at least as many"),
        (lambda: RewardConfig(dropout=0.95), "dropout must be between"),
        (lambda: RewardConfig(heads=3), "width must be a multiple of twice the heads"),
        (lambda: tiny(state_levels=(2,)), "levels must be between 3"),
        (lambda: tiny(state_levels=7), "levels must be a tuple"),
        (lambda: WorldSpec("x", 2, 3, 4), "either action_size reals or num_choices"),
        (lambda: WorldSpec("x", 0, 3, 4, 1), "num_agents must be at least 1"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(make, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        make()


OBSERVED = WorldSpec("seen", num_agents=3, state_size=7, observation_size=2, num_choices=4,
                     observed=True)  # fmt: skip


def test_observations_that_a_state_holds_are_read_off_it():
    model = started(OBSERVED, state_read=True)
    assert model.parts == tuple(model.batches()) == ("denoiser", "reward")
    for step in imagined(model, OBSERVED):
        wanted = step.state[:, :6].unflatten(1, (3, 2))
        torch.testing.assert_close(step.observations, wanted, rtol=0, atol=0)
    states = 3 + 2 * torch.randn(5, 7)
    torch.testing.assert_close(model.decode(states), states[:, :6].unflatten(1, (3, 2)))
    batches = random_batches(started(OBSERVED), OBSERVED)
    with pytest.raises(TypeError, match="unknown part 'state'"):
        model.update(batches)


def test_a_model_that_reads_is_stored_and_goes_on(tmp_path):
    model = started(OBSERVED, state_read=True)
    again = WorldModel.load(model.save(tmp_path / "model"), OBSERVED)
    for one, other in zip(imagined(model, OBSERVED), imagined(again, OBSERVED), strict=True):
        same(one, other)
    resumed = started(OBSERVED, 0, state_read=True)
    resume(model, resumed)
    batches = random_batches(model, OBSERVED)
    for each in (model, resumed):
        torch.manual_seed(1)
        each.update(batches)
    same(model.parameters(), resumed.parameters())


def test_a_state_that_holds_no_observations_passes_through_codes():
    assert started(DISCRETE, state_read=True).parts == WorldModel.PARTS
    assert started(OBSERVED).parts == WorldModel.PARTS
    with pytest.raises(ValueError, match="a state of 5 entries cannot begin with 3 observations"):
        dataclasses.replace(OBSERVED, state_size=5)
