"""The checks of a model, on a linear environment and models whose faults are known."""

import numpy as np
import pytest
import torch
from linear_env import DRIFT, EFFECTS, KnowingModel, LinearEnv

from benchmarks.baselines.dima.config import BatchShape
from benchmarks.studies.dima_diagnosis.model_checks import effects, fork, prediction
from benchmarks.studies.dima_diagnosis.recording import record


def test_forks_differ_by_the_effect_of_one_agents_action_alone():
    forks = fork(lambda: LinearEnv(5), (2, 6, 9), seed=3)
    assert forks.actions.shape == (15, 2, 2)
    for agent in range(2):
        changed = forks.forked_actions[agent] - forks.actions
        assert (changed[:, agent] != 0).all()
        assert (changed[:, 1 - agent] == 0).all()
        true = changed[:, agent] @ torch.from_numpy(EFFECTS[agent])
        found = forks.forked_states[agent] - forks.next_states
        torch.testing.assert_close(found, true, rtol=1e-4, atol=1e-5)


def test_context_of_a_fork_leads_to_its_next_state():
    forks = fork(lambda: LinearEnv(4, noise=0.0), (5,), seed=1)
    states, effects_of = forks.context.states, torch.from_numpy(EFFECTS)
    for t in range(2):
        moved = torch.einsum("bna,nas->bs", forks.context.actions[:, t], effects_of)
        torch.testing.assert_close(states[:, t + 1], DRIFT * states[:, t] + moved)
    moved = torch.einsum("bna,nas->bs", forks.actions, effects_of)
    torch.testing.assert_close(forks.next_states, DRIFT * states[:, 2] + moved)


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_slope_is_the_share_of_the_effect_that_a_model_predicts(share):
    found, apart = effects(KnowingModel(share), fork(lambda: LinearEnv(6), (4, 8), seed=0))
    assert [(e.agent, e.order, e.place) for e in found] == [
        (0, "ascending", 0),
        (1, "ascending", 1),
        (0, "descending", 1),
        (1, "descending", 0),
    ]
    for entry in found:
        assert entry.slope == pytest.approx(share, abs=1e-3)
        assert entry.error == pytest.approx(1 - share, abs=1e-3)
        assert entry.correlation == pytest.approx(1, abs=1e-3)
    assert apart == 0


def test_difference_between_orders_is_in_deviations_of_the_state():
    forks = fork(lambda: LinearEnv(6), (4,), seed=0)
    # Scaled states are half as large.
    assert effects(KnowingModel(heeds_order=True), forks)[1] == pytest.approx(0.2, abs=1e-4)


def test_errors_of_a_perfect_model_are_zero_and_of_persistence_are_not():
    held_out = record(LinearEnv(4, noise=0.0), 20, seed=0)
    found = prediction(KnowingModel(), held_out, horizon=5, starts=3)
    assert np.allclose([found.state, found.reward, found.observation], 0, atol=1e-4)
    starts = (2, 8, 15)
    for ahead in (1, 5):
        moved = [held_out.states[:, s + ahead] - held_out.states[:, s] for s in starts]
        wanted = torch.stack(moved).square().mean().sqrt().item()
        assert found.persistence[ahead - 1] == pytest.approx(wanted, rel=1e-4)
    worse = prediction(KnowingModel(0.5), held_out, horizon=5, starts=3)
    assert worse.state[0] > 0.05
    assert worse.reward[0] == pytest.approx(0, abs=1e-4)
    assert worse.reward[1] > 0.05


def test_recorded_pieces_are_parts_of_episodes_padded_before_their_start():
    data = record(LinearEnv(3), 8, seed=5)
    piece = data.sequences(BatchShape(200, 4), np.random.default_rng(0), padding=2)
    padded = (~piece.valid).sum(1)
    assert set(padded.tolist()) == {0, 1, 2}
    for row in range(200):
        skip = int(padded[row])
        assert piece.valid[row].tolist() == [False] * skip + [True] * (4 - skip)
        assert piece.states[row, :skip].abs().sum() == 0
        real = piece.states[row, skip:]
        places = (data.states == real[0]).all(-1).nonzero()
        env, t = places[0].tolist()
        assert t == 0 or skip == 0
        assert torch.equal(real, data.states[env, t : t + len(real)])
        assert torch.equal(piece.actions[row, skip:], data.actions[env, t : t + 4 - skip])
        assert torch.equal(piece.rewards[row, skip:], data.rewards[env, t : t + 4 - skip])
        assert torch.equal(piece.observations[row, skip:], data.observations[env, t : t + 5 - skip])


def test_episodes_that_end_early_or_are_short_are_refused():
    with pytest.raises(ValueError, match="ended after 10 steps"):
        record(LinearEnv(2, length=10), 11, seed=0)
    held_out = record(LinearEnv(2, length=10), 10, seed=0)
    with pytest.raises(ValueError, match="at least 17 steps, got 10"):
        prediction(KnowingModel(), held_out, horizon=15, starts=2)
    with pytest.raises(ValueError, match="ended before step 20"):
        fork(lambda: LinearEnv(2, length=10), (5, 20), seed=0)
