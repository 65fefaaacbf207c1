"""Diagnostics on synthetic data whose answer is known, and the page of an untrained model."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from planning_toy import ToyModel
from scipy.stats import spearmanr
from tiny_models import tiny_model

from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import WindowSource
from networld_agent.diagnose import main
from networld_agent.diagnostics.action_accuracy import ActionAccuracy, action_accuracy
from networld_agent.diagnostics.latent_prediction import LinearPredictor, persistence, step_errors
from networld_agent.diagnostics.measurements import (
    Lift,
    Measurements,
    encoded,
    measure,
    measure_lift,
    predictions,
    rank_correlations,
)
from networld_agent.diagnostics.page import verdicts
from networld_agent.diagnostics.rank_correlation import rank_correlation
from networld_agent.planning import PlannerConfig
from networld_agent.worlds.make import worlds_of

torch.set_num_threads(1)
FADE = 0.8


def autoregressive(rows, horizon=6, size=3, seed=0):
    """z' = FADE z + noise, with variance 1 at all times."""
    rng = np.random.default_rng(seed)
    z = [rng.normal(size=(rows, size))]
    for _ in range(horizon - 1):
        z.append(FADE * z[-1] + np.sqrt(1 - FADE**2) * rng.normal(size=(rows, size)))
    return np.stack(z, 1)


# --------------------------------------------------------------------------- predictions
def test_errors_of_known_dynamics_match_their_formulas():
    train, test = autoregressive(20_000), autoregressive(20_000, seed=1)
    ahead = np.arange(1, 6)
    np.testing.assert_allclose(
        step_errors(persistence(test), test), 2 * (1 - FADE**ahead), atol=0.03
    )
    linear = LinearPredictor.fit(train[:, 0], train).predict(test[:, 0], test)
    np.testing.assert_allclose(step_errors(linear, test), 1 - FADE ** (2 * ahead), atol=0.02)


def test_predicting_the_mean_has_error_one_and_the_truth_zero():
    z = 7 + 3 * autoregressive(20_000)
    assert step_errors(np.full_like(z, 7.0), z) == pytest.approx(np.ones(5), abs=0.03)
    assert (step_errors(z, z) == 0).all()


def test_linear_model_is_exact_on_linear_dynamics_even_in_a_subspace():
    rng = np.random.default_rng(2)
    present = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 5))
    steps = [present]
    turn = rng.normal(size=(5, 5)) / 3
    for _ in range(3):
        steps.append(steps[-1] @ turn + 1)
    z = np.stack(steps, 1)
    predicted = LinearPredictor.fit(z[:100, 0], z[:100]).predict(z[100:, 0], z[100:])
    np.testing.assert_allclose(predicted, z[100:], atol=1e-6)


# ------------------------------------------------------------------------------- ranks
def test_rank_correlation_sees_order_alone():
    x = np.arange(50.0)
    assert rank_correlation(x, np.exp(x / 5)) == 1
    assert rank_correlation(x, -(x**3)) == -1
    assert np.isnan(rank_correlation(x, np.zeros(50)))


def test_rank_correlation_with_ties_matches_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.integers(5, size=(2, 300)).astype(float)
    b += a
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_correlation_of_a_perfect_classifier_falls_with_the_noise():
    class Perfect(type(tiny_model())):
        def predicted_return(self, x, tau, task):
            return x[:, 1:, 0].sum(1)

    model = tiny_model()
    model.__class__ = Perfect
    segments = torch.randn(3000, 8, 16)
    found = rank_correlations(model, "rb-v0", segments, segments[:, 1:, 0].sum(1).numpy())
    shares = model.schedule.alpha_bar.sqrt().numpy()
    # Of Gaussians with correlation alpha, ranks correlate by 6 / pi asin(alpha / 2).
    np.testing.assert_allclose(found, 6 / np.pi * np.arcsin(shares / 2), atol=0.05)


# ------------------------------------------------------------------------------- actions
def test_accuracy_counts_equal_actions_and_both_blind_rules():
    actual = np.array([[1], [1], [2], [1]])
    last = np.array([[1], [2], [2], [3]])
    decoded = np.array([[1], [1], [2], [0]])
    assert action_accuracy(decoded, actual, last) == ActionAccuracy(0.75, 0.5, 0.75)


def test_real_actions_count_within_a_hundredth_of_the_range():
    actual = np.array([[0.0, 5.0], [1.0, 5.0], [0.0, 5.0]])
    decoded = actual + np.array([[0.009, 0.0], [0.011, 0.0], [0.0, 0.09]])
    found = action_accuracy(decoded, actual, actual, np.array([1.0, 10.0]))
    assert found == ActionAccuracy(2 / 3, 1.0, 2 / 3)


# ---------------------------------------------------------------- a model and its page
@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "rb"
    settings = CollectionSettings(env="rb-v0", policy="mixed", episodes=5, steps=40)
    return collect(settings, folder)


@pytest.fixture(scope="module")
def found(data):
    dataset = TrajectoryDataset.open(data)
    source = WindowSource(dataset.first(4)), WindowSource(dataset.select([4]))
    return measure(tiny_model(), "rb-v0", *source, PlannerConfig(steps=2), windows=12, samples=3)


def test_segments_are_own_latents_and_the_neighbours_mean(data):
    model, source = tiny_model(), WindowSource(TrajectoryDataset.open(data))
    drawn = source.draw(2, 8, seed=0)
    segments = encoded(model, "rb-v0", drawn).reshape(2, 8, 8, 16)
    z = model.encode("rb-v0", torch.from_numpy(drawn.observations))
    torch.testing.assert_close(segments[..., :8], z)
    heard = np.flatnonzero(source.dataset.graph.adjacency[3])
    torch.testing.assert_close(segments[1, 3, :, 8:], z[1, heard].mean(0))


def test_a_plan_goes_on_beyond_the_horizon_as_the_dynamics_do():
    present = torch.randn(5, 6)
    config = PlannerConfig(temperature=0.0, steps=5)
    mean, first = predictions(ToyModel(), "toy", config, present, 3, 20)
    # Without noise, the toy's plans fade by 0.9 per step, whatever its horizon of 8 (its noisiest
    # level still shows a trace of the plan).
    expected = present[:, None] * 0.9 ** torch.arange(20)[:, None]
    torch.testing.assert_close(mean, expected, rtol=0.01, atol=0.01)
    torch.testing.assert_close(first, mean)


def test_steps_beyond_the_horizon_start_from_the_earliest_step_that_reaches_them():
    config = PlannerConfig(temperature=1.0, steps=5)
    mean, _ = predictions(ToyModel(), "toy", config, torch.zeros(4000, 6), 1, 10)
    correlations = np.corrcoef(mean[:, 1:, 0].numpy().T)
    # Steps 8 and 9 fade from 1 and 2, with noise of their own, and from no other step.
    expected = np.eye(9)
    for late, early in ((8, 1), (9, 2)):
        fade = 0.9**7
        expected[late - 1, early - 1] = expected[early - 1, late - 1] = fade / np.hypot(1, fade)
    np.testing.assert_allclose(correlations, expected, atol=0.08)


def test_measurements_have_their_shapes_and_ranges(found):
    for errors in (found.prediction_errors, found.neighbor_errors):
        assert {len(values) for values in errors.values()} == {8}
        assert set(errors) == {"world model", "world model, one step", "linear", "persistence"}
    assert len(found.rank_correlations) == len(found.signal_shares) == 6
    assert all(-1 <= value <= 1 for value in found.rank_correlations)
    assert 1 <= found.effective_rank <= found.latent_size - 1 + 1e-6
    assert len(found.dimension_variances) == found.latent_size == 8
    assert 0 <= found.actions.model <= 1


def test_an_untrained_model_predicts_worse_than_the_linear_one(found):
    errors = found.prediction_errors
    assert errors["linear"][0] < errors["world model"][0]
    assert verdicts(found)[0][0] is False


def test_lift_is_the_paired_difference_to_the_unsteered_plan(data):
    worlds = worlds_of(TrajectoryDataset.open(data), 2, 25)
    lifts = measure_lift(
        tiny_model(), "rb-v0", worlds, (1_000_000, 1_000_001), 20,
        PlannerConfig(steps=2, guidance_scale=3.0, unguided_steps=0), modes=("guide", "select"),
    )  # fmt: skip
    modes = {lift.mode: lift for lift in lifts}
    assert list(modes) == ["none", "guide", "select", "expert"]
    assert (modes["none"].lift, modes["none"].interval) == (0.0, (0.0, 0.0))
    for lift in lifts:
        assert lift.lift == pytest.approx(lift.reward - modes["none"].reward)
    assert modes["expert"].lift > 0


def good(found: Measurements) -> Measurements:
    better = {
        "world model": [0.2] * 7, "world model, one step": [0.1] * 7, "linear": [0.5] * 7,
        "persistence": [0.6] * 7,
    }  # fmt: skip
    lifts = [
        Lift("none", 1.0, 0.0, (0.0, 0.0), 0.1), Lift("guide", 2.0, 1.0, (0.5, 1.5), 0.2),
        Lift("expert", 3.0, 2.0, (1.5, 2.5), 0.3),
    ]  # fmt: skip
    return dataclasses.replace(
        found, prediction_errors=better, actions=ActionAccuracy(0.9, 0.3, 0.2),
        rank_correlations=[0.8, 0.1], effective_rank=5.0, lifts=lifts,
    )  # fmt: skip


def test_a_good_model_passes_every_verdict(found):
    assert all(verdict for verdict, _ in verdicts(good(found)))


@pytest.mark.parametrize(("change", "word"), [
    ({"prediction_errors": {"world model": [0.55] * 7, "world model, one step": [0.52] * 7,
                            "linear": [0.5] * 7, "persistence": [0.6] * 7}}, "linear model"),
    ({"actions": ActionAccuracy(0.3, 0.4, 0.2)}, "recovers"),
    ({"rank_correlations": [0.1, 0.0]}, "rank correlation"),
    ({"effective_rank": 1.2}, "directions"),
    ({"lifts": [Lift("guide", 2.0, 1.0, (-0.1, 2.1), 0.2)]}, "Guidance lifts"),
    ({"lifts": [Lift("guide", 2.0, 1.0, (0.1, 2.1), 0.95)]}, "repeat the last one"),
])  # fmt: skip
def test_each_fault_fails_its_own_verdict(found, change, word):
    failed = [text for ok, text in verdicts(dataclasses.replace(good(found), **change)) if not ok]
    assert len(failed) == 1
    assert word in failed[0]


def test_command_writes_the_page_and_the_figures(data, tmp_path, capsys):
    model = tiny_model().save(tmp_path / "model")
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    code = main([
        "--model", str(model), "--data", str(data), "--out", str(page), "--json", str(figures),
        "--windows", "4", "--samples", "2", "--episodes", "2", "--steps", "6", "--plan", "steps=2",
    ])  # fmt: skip
    assert code == 0
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 1
    assert "http" not in text
    (task,) = json.loads(figures.read_text())["tasks"]
    assert [lift["mode"] for lift in task["lifts"]] == ["none", "guide", "select", "both", "expert"]
    assert "Guidance lifts" in capsys.readouterr().out


def test_faults_of_the_command_are_one_sentence(data, tmp_path, capsys):
    model = tiny_model().save(tmp_path / "model")

    def error(*words):
        assert main(["--model", str(model), "--out", str(tmp_path / "x.html"), *words]) == 2
        return capsys.readouterr().err.strip()

    assert "metadata.json" in error("--data", str(tmp_path / "nothing"))
    assert "one --held-out per --data" in error("--data", *[str(data)] * 2, "--held-out", str(data))
    single = collect(
        CollectionSettings(env="rb-v0", policy="random", episodes=1, steps=20), tmp_path / "one"
    )
    assert "single episode" in error("--data", str(single))
    other = collect(
        CollectionSettings(env="slicing-v0", preset="small", policy="random", episodes=2, steps=10),
        tmp_path / "other",
    )
    assert "slicing-v0" in error("--data", str(data), "--held-out", str(other))
    assert "'rb-v0'" in error("--data", str(other))
