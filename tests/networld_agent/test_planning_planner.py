"""The planner in a world whose best plans are known."""

import math

import numpy as np
import pytest
import torch
from planning_toy import SPREAD, ToyModel, ToyTask

from networld_agent.keyed_random import stream_keys
from networld_agent.planning import Planner, PlannerConfig
from networld_agent.planning.guidance import Guidance
from networld_agent.planning.plan_generator import PlanGenerator, shifted
from networld_agent.planning.planner_config import DEFAULT_GUIDANCE_SCALE

torch.set_num_threads(1)

#: a - b - c - d: c is two hops away from a.
LINE = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])


def plans(rows=4000, own=0.0, **options):
    model = ToyModel()
    generator = PlanGenerator(model, "toy", PlannerConfig(**{"temperature": 1.0, **options}))
    present = torch.full((rows, 3), own)
    return generator.generate(present, present, stream_keys(torch.arange(rows)))


def scene(num_envs=2, seed=0):
    return np.random.default_rng(seed).normal(0, 5, (num_envs, 4, 3)).astype(np.float32)


# -------------------------------------------------------------------------------- one plan
@pytest.mark.parametrize("sampler", ["ddim", "dpm", "ddpm"])
def test_present_is_clamped_exactly(sampler):
    model = ToyModel()
    generator = PlanGenerator(model, "toy", PlannerConfig(sampler=sampler, steps=4))
    own, heard = torch.randn(5, 3), torch.randn(5, 3)
    drawn = generator.generate(own, heard, stream_keys(torch.arange(5)))
    torch.testing.assert_close(drawn[:, 0], torch.cat([own, heard], 1), rtol=0, atol=0)


def test_unsteered_plans_have_the_data_s_mean_and_spread():
    drawn = plans(own=2.0, plan_mode="none", sampler="dpm", steps=20)
    expected = 2.0 * 0.9 ** torch.arange(8)
    torch.testing.assert_close(drawn.mean((0, 2)), expected, atol=0.03, rtol=0)
    assert drawn[:, 1:].std(0).mean().item() == pytest.approx(SPREAD, abs=0.02)


@pytest.mark.parametrize("sampler", ["dpm", "ddpm"])
def test_plain_guidance_tilts_a_gaussian_by_its_variance_times_the_gradient(sampler):
    drawn = plans(
        sampler=sampler, steps=20, guidance_scale=1.5, normalize_gradient=False, unguided_steps=0
    )
    lift = drawn[:, 1:, 0].mean().item()
    # Exact in the limit of many steps; twenty of first order leave a few percent.
    assert lift == pytest.approx(1.5 * SPREAD**2, rel=0.02 if sampler == "dpm" else 0.2)
    assert drawn[:, 1:, 1:].mean().item() == pytest.approx(0, abs=0.02)


def test_stronger_guidance_gives_higher_predicted_returns():
    lifts = [plans(guidance_scale=w)[:, 1:, 0].mean().item() for w in (0.0, 0.3, 1.0, 3.0)]
    assert lifts == sorted(lifts)
    assert lifts[-1] > lifts[0] + 0.5


def test_normalised_guidance_does_not_depend_on_the_unit_of_reward():
    gradient = torch.randn(6, 8, 4)
    gradient[:, 0] = 0
    guidance, estimate = Guidance(0.7), torch.randn(6, 8, 4)
    torch.testing.assert_close(
        guidance.steered(estimate, gradient * 1e-6, 0.3),
        guidance.steered(estimate, gradient * 1e5, 0.3),
    )


def unit_rows(gradient):
    """What a step of scale 1 moves plans by, where nothing of them is signal."""
    return Guidance(1.0).steered(torch.zeros_like(gradient), gradient, 0.0)


def test_unit_rows_scale_each_row_by_itself():
    gradient = torch.randn(6, 8, 4)
    gradient[:, 0] = 0
    scaled = unit_rows(gradient)
    torch.testing.assert_close(scaled[:, 1:].square().mean((1, 2)), torch.ones(6))
    other = gradient.clone()
    other[1:] *= 100
    torch.testing.assert_close(unit_rows(other)[0], scaled[0], rtol=0, atol=0)
    assert (unit_rows(torch.zeros(2, 8, 4)) == 0).all()


def test_guidance_stops_before_the_last_steps():
    model = ToyModel()
    config = PlannerConfig(steps=5, unguided_steps=2)
    PlanGenerator(model, "toy", config).generate(
        torch.zeros(2, 3), torch.zeros(2, 3), torch.arange(2)
    )
    assert (model.denoised, model.rated) == (5, 3)


def test_scale_stored_with_the_task_is_the_default():
    stored = PlanGenerator(ToyModel(ToyTask(guidance_scale=0.0)), "toy", PlannerConfig())
    given = PlanGenerator(ToyModel(), "toy", PlannerConfig(guidance_scale=0.25))
    untuned = PlanGenerator(ToyModel(ToyTask(guidance_scale=None)), "toy", PlannerConfig())
    scales = [g.guidance.scale for g in (stored, given, untuned)]
    assert scales == [0.0, 0.25, DEFAULT_GUIDANCE_SCALE]


def test_selection_follows_the_best_of_all_candidates():
    model = ToyModel()
    config = PlannerConfig(plan_mode="select", candidates=16, steps=10, sampler="dpm")
    generator = PlanGenerator(model, "toy", config)
    zeros, keys = torch.zeros(300, 3), stream_keys(torch.arange(300))
    chosen = generator.generate(zeros, zeros, keys)
    single = PlanGenerator(model, "toy", PlannerConfig(plan_mode="none", steps=10, sampler="dpm"))
    all_keys = stream_keys(keys[:, None], torch.arange(16)).flatten()
    candidates = single.generate(torch.zeros(4800, 3), torch.zeros(4800, 3), all_keys)
    best = generator.rate(candidates).reshape(300, 16).max(1).values
    torch.testing.assert_close(generator.rate(chosen), best)


def test_both_beats_selection_beats_nothing():
    def rated(mode):
        drawn = plans(rows=500, plan_mode=mode, guidance_scale=0.5)
        return drawn[:, 1:, 0].mean().item()

    assert rated("none") < rated("select") < rated("both")


@pytest.mark.parametrize("normalize", [True, False])
def test_a_random_direction_steers_as_far_as_the_gradient_and_to_no_end(normalize):
    """One step at temperature 0: guided and unguided differ by the shift alone."""

    def drawn(mode, seed=0):
        return plans(
            rows=2_000, plan_mode=mode, guidance_scale=0.5, normalize_gradient=normalize, steps=1,
            unguided_steps=0, temperature=0.0, seed=seed,
        )[:, 1:]  # fmt: skip

    still, guided, wandering = drawn("none"), drawn("guide"), drawn("random")
    aimed, random = guided - still, wandering - still
    sizes = [shift.flatten(1).norm(dim=1) for shift in (aimed, random)]
    torch.testing.assert_close(sizes[1], sizes[0], rtol=1e-4, atol=1e-6)
    gain = (random.flatten(1) * aimed.flatten(1)).sum(1) / sizes[0] ** 2
    # Cosines in 42 dimensions: mean 0, deviation 1 / sqrt(42), within four of them over 2,000.
    assert abs(gain.mean().item()) < 4 / math.sqrt(42 * 2_000)
    assert gain.std().item() == pytest.approx(1 / math.sqrt(42), rel=0.1)
    assert torch.equal(wandering, drawn("random"))


def test_shifted_plan_repeats_its_end():
    plan = torch.arange(5.0)[None, :, None]
    assert shifted(plan, 2).flatten().tolist() == [2, 3, 4, 4, 4]


def test_warm_start_visits_only_the_last_levels_and_keeps_the_old_plan_s_course():
    model = ToyModel()
    config = PlannerConfig(steps=10, warm_start=2, plan_mode="none")
    generator = PlanGenerator(model, "toy", config)
    zeros, keys = torch.zeros(500, 3), stream_keys(torch.arange(500))
    old = SPREAD * torch.randn(500, 8, 6)
    new = generator.generate(zeros, zeros, keys, old)
    assert model.denoised == 2
    correlation = torch.corrcoef(torch.stack([old[:, 1:].flatten(), new[:, 1:].flatten()]))[0, 1]
    assert correlation > 0.5


def test_lower_temperature_draws_closer_to_the_mean():
    spread = [plans(plan_mode="none", temperature=t)[:, 1:].std().item() for t in (0.0, 0.5, 1.0)]
    assert spread[0] < 1e-4
    assert spread[1] == pytest.approx(0.5 * spread[2], rel=0.05)


# ------------------------------------------------------------------------------- the loop
@pytest.mark.parametrize("options", [
    {}, {"plan_mode": "both"}, {"sampler": "ddpm"}, {"warm_start": 2}, {"execute": 3},
    {"votes": 4, "temperature": 1.0},
])  # fmt: skip
def test_an_observation_two_hops_away_changes_no_action(options):
    here, there = (Planner(ToyModel(), config=PlannerConfig(**options)) for _ in range(2))
    for step in range(4):
        observations = scene(seed=step)
        changed = observations.copy()
        changed[:, 2] += 100 * (step + 1)
        actions, others = here.act(observations, LINE), there.act(changed, LINE)
        np.testing.assert_array_equal(actions[:, 0], others[:, 0])
        assert (actions[:, 2] != others[:, 2]).any()


def test_a_neighbour_s_observation_reaches_the_plan():
    """The line's end b - c hears c: the mean that b plans with is the mean of a and c."""
    seen = []

    class Recorder(ToyModel):
        def denoise(self, x, tau, task):
            seen.append(x[:, 0, 3:].clone())
            return super().denoise(x, tau, task)

    observations = scene(1)
    Planner(Recorder()).act(observations, LINE)
    expected = LINE / LINE.sum(1, keepdims=True) @ observations[0]
    for heard in seen:
        np.testing.assert_allclose(heard, expected, rtol=1e-5)


def test_an_isolated_agent_hears_zero_and_sends_nothing():
    planner = Planner(ToyModel())
    planner.act(scene(1), np.zeros((4, 4)))
    assert planner.messages.bytes_per_step == 0


def test_agents_plan_alike_in_any_company():
    """Batch of three environments, and one of them by itself with the same seed."""
    observations = [scene(3, seed=step) for step in range(3)]
    together, alone = Planner(ToyModel()), Planner(ToyModel())
    together.reset(seeds=[5, 6, 7])
    alone.reset(seeds=[6])
    for batch in observations:
        np.testing.assert_array_equal(together.act(batch, LINE)[1], alone.act(batch[1:2], LINE)[0])


def test_same_seed_gives_same_actions_and_another_seed_other_ones():
    def run(seed):
        planner = Planner(
            ToyModel(), config=PlannerConfig(seed=seed, plan_mode="none", temperature=1.0, votes=1)
        )
        return np.stack([planner.act(0 * scene(20), LINE) for _ in range(10)])

    first = run(1)
    np.testing.assert_array_equal(first, run(1))
    assert (first != run(2)).any()
    assert (first[0] != first[1]).any()


def test_bytes_are_counted_as_sent():
    planner = Planner(ToyModel())
    for _ in range(5):
        planner.act(scene(2), LINE)
    assert planner.messages.bytes_per_step == 4 * 3
    # Ends of the line have one listener, the others two.
    assert planner.messages.unicast_bytes_per_step == 4 * 3 * 6 / 4


def test_executing_several_steps_plans_and_sends_less_often():
    model = ToyModel()
    planner = Planner(model, config=PlannerConfig(steps=5, execute=3, plan_mode="none"))
    for _ in range(9):
        planner.act(scene(2), LINE)
    assert model.denoised == 3 * 5
    assert planner.messages.bytes_per_step == pytest.approx(4 * 3 / 3)


def test_executed_actions_follow_the_plan_in_order():
    config = PlannerConfig(execute=3, temperature=0.0, plan_mode="none", steps=20)
    planner = Planner(ToyModel(), config=config)
    observations = np.full((1, 4, 3), 100.0, np.float32)
    actions = [planner.act(observations, LINE)[0, 0] for _ in range(4)]
    assert actions == [90, 81, 73, 90]


def test_a_masked_reset_draws_a_cold_plan_there_and_a_warm_one_elsewhere():
    model = ToyModel()
    planner = Planner(model, config=PlannerConfig(steps=5, warm_start=2, plan_mode="none"))
    planner.act(scene(3), LINE)
    assert model.denoised == 5
    planner.act(scene(3), LINE)
    assert model.denoised == 5 + 2
    planner.reset(mask=np.array([False, True, False]))
    planner.act(scene(3), LINE)
    assert model.denoised == 5 + 2 + (5 + 2)


def test_one_environment_needs_no_batch_axis():
    batched, single = Planner(ToyModel()), Planner(ToyModel())
    np.testing.assert_array_equal(batched.act(scene(1), LINE)[0], single.act(scene(1)[0], LINE))


# ------------------------------------------------------------------------------ bad input
@pytest.mark.parametrize(("change", "sentence"), [
    (lambda o: o[:, :, :2], "2 entries per agent, but the model's task toy has 3"),
    (lambda o: o[0, 0], r"shape \(B, N, 3\)"),
    (lambda o: o[:, :0], r"shape \(B, N, 3\)"),
    (lambda o: np.where(np.arange(3) == 1, np.nan, o), "agent 0 of environment 0 .* entry 1"),
    (lambda o: [["a"]], "one array of numbers"),
])  # fmt: skip
def test_wrong_observations_are_refused_in_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        Planner(ToyModel()).act(change(scene()), LINE)


def test_wrong_graphs_are_refused():
    with pytest.raises(ValueError, match="adjacency of shape"):
        Planner(ToyModel()).act(scene(), LINE[:3, :3])
    with pytest.raises(ValueError, match="own neighbour"):
        Planner(ToyModel()).act(scene(), np.ones((4, 4)))


def test_a_batch_that_changes_needs_a_reset():
    planner = Planner(ToyModel())
    planner.act(scene(2), LINE)
    with pytest.raises(ValueError, match="call reset first"):
        planner.act(scene(3), LINE)
    planner.reset()
    assert planner.act(scene(3), LINE).shape == (3, 4)


def test_unknown_or_ambiguous_tasks_are_refused():
    model = ToyModel(ToyTask("a"), ToyTask("b", 1))
    with pytest.raises(ValueError, match="the model knows a, b"):
        Planner(model)
    with pytest.raises(ValueError, match="'a', 'b'"):
        Planner(model, "c")


@pytest.mark.parametrize(("options", "sentence"), [
    ({"steps": 21}, "between 1 and 20"),
    ({"execute": 8}, "below the model's horizon 8"),
])  # fmt: skip
def test_options_that_do_not_fit_the_model_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Planner(ToyModel(), config=PlannerConfig(**options))


@pytest.mark.parametrize("options", [
    {"sampler": "euler"}, {"steps": 0}, {"plan_mode": "best"}, {"candidates": 0},
    {"guidance_scale": -1.0}, {"warm_start": 6, "steps": 5}, {"execute": 0}, {"temperature": 1.5},
    {"votes": 0}, {"decoding": "median"}, {"guidance_scale": float("nan")},
    {"execute": 2, "plan_mode": "behaviour"}, {"warm_start": 1, "plan_mode": "behaviour"},
    {"guidance_scale": 0.0, "plan_mode": "random"},
])  # fmt: skip
def test_wrong_options_are_refused_by_name(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        PlannerConfig(**options)
