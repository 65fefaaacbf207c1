"""Team environments against single ones, and what they refuse."""

import numpy as np
import pytest
from team_cases import Countdown, Stateless

from benchmarks.baselines.online.mamujoco import DIVIDED
from benchmarks.baselines.online.team_env import episode_seed
from benchmarks.baselines.online.teams import make_team
from benchmarks.baselines.online.worlds_team import WorldsTeam
from networld_agent.worlds.pettingzoo import PettingZooWorlds
from wirelessenvs.seeds import EVALUATION_SEEDS
from wirelessenvs.tasks import get_task

SMALL = {
    "rb-v0": ("rb-8", {"max_steps": 5}),
    "cbf-v0": ("cells-7", {"max_steps": 5}),
    "slicing-v0": ("small", {"max_steps": 5}),
}


@pytest.mark.parametrize(("env", "wanted"), [("rb-v0", 1), ("cbf-v0", 1), ("slicing-v0", 0)])
def test_a_team_says_whether_its_state_begins_with_all_observations(env, wanted):
    preset, overrides = SMALL[env]
    team = make_team(env, 3, preset, overrides)
    team.reset(7)
    step = team.step(random_actions(team, np.random.default_rng(0)))
    flat = step.observations.reshape(3, -1)
    assert team.observed == wanted
    assert np.array_equal(flat, step.state[:, : flat.shape[1]]) == wanted


def pettingzoo_team(name, make, batch):
    return WorldsTeam(PettingZooWorlds(name, make, batch))


def random_actions(team, rng):
    if team.codec.discrete:
        return rng.integers(team.codec.num_choices, size=(team.batch, team.num_agents))
    return rng.uniform(-1.2, 1.2, (team.batch, team.num_agents, team.codec.size)).astype(np.float32)


@pytest.mark.parametrize("env", SMALL)
def test_a_batch_of_wireless_environments_is_that_many_single_ones(env):
    """Also over the ends of episodes, against the PettingZoo environment of the same task."""
    preset, overrides = SMALL[env]
    team = make_team(env, 3, preset, overrides)
    import importlib

    module = importlib.import_module(get_task(env).module)
    singles = [module.parallel_env(preset=preset, **overrides) for _ in range(3)]
    observations, state = team.reset(7)
    for b, single in enumerate(singles):
        seen, _ = single.reset(seed=episode_seed(7, b, 0))
        np.testing.assert_array_equal(observations[b], np.stack(list(seen.values())))
        np.testing.assert_array_equal(state[b], single.state())
    rng, episode = np.random.default_rng(0), 0
    for t in range(1, 12):
        encoded = random_actions(team, rng)
        step = team.step(encoded)
        decoded = team._decode(np.asarray(encoded))
        for b, single in enumerate(singles):
            seen, rewards, _, cut, _ = single.step(
                dict(zip(single.possible_agents, decoded[b], strict=True))
            )
            assert step.reward[b] == pytest.approx(np.mean(list(rewards.values())), abs=1e-12)
            assert step.truncated[b] == all(cut.values()) == (t % 5 == 0)
            assert not step.terminated[b]
            rows = np.stack(list(seen.values()))
            np.testing.assert_array_equal(step.final_observations[b], rows)
            np.testing.assert_array_equal(step.final_state[b], single.state())
            if step.truncated[b]:
                seen, _ = single.reset(seed=episode_seed(7, b, episode + 1))
                rows = np.stack(list(seen.values()))
            np.testing.assert_array_equal(step.observations[b], rows)
        episode += t % 5 == 0
    assert episode == 2


@pytest.mark.parametrize("terminates", [False, True])
def test_episodes_of_a_parallel_environment_end_as_it_says(terminates):
    team = pettingzoo_team("toy", lambda: Countdown(3, terminates), 2)
    team.reset(0)
    for t in range(1, 8):
        step = team.step(np.array([[1, 2], [3, 4]]))
        assert step.reward.tolist() == [(1 + 4) / 2, (3 + 8) / 2]
        over = t % 3 == 0
        assert step.terminated.tolist() == [over and terminates] * 2
        assert step.truncated.tolist() == [over and not terminates] * 2
        assert step.final_state[0, 0] == (3 if over else t % 3)
        assert step.state[0, 0] == t % 3
        assert step.final_observations[1, :, 1].tolist() == [3.0, 4.0]


def test_real_actions_are_scaled_to_their_bounds():
    team = pettingzoo_team("toy", lambda: Countdown(box=True), 1)
    team.reset(0)
    step = team.step(np.array([[[-1.0], [0.5]]], np.float32))
    assert step.final_state[0, 1:3].tolist() == [-2.0, 4.0]
    step = team.step(np.array([[[-7.0], [1.5]]], np.float32))
    assert step.final_state[0, 1:3].tolist() == [-2.0, 6.0]


@pytest.mark.parametrize("env", ["rb-v0", "slicing-v0", "toy"])
def test_a_restored_batch_goes_on_as_if_it_had_never_stopped(env):
    def make():
        if env == "toy":
            lengths = iter([3, 5, 8])
            return pettingzoo_team("toy", lambda: Countdown(next(lengths)), 3)
        preset, overrides = SMALL[env]
        return make_team(env, 3, preset, overrides)

    whole, rng = make(), np.random.default_rng(1)
    whole.reset(3)
    played = [random_actions(whole, rng) for _ in range(14)]
    for actions in played[:7]:
        before = whole.step(actions)
    again = make()
    observations, state = again.restore(3, whole.position())
    np.testing.assert_array_equal(observations, before.observations)
    np.testing.assert_array_equal(state, before.state)
    for actions in played[7:]:
        one, other = whole.step(actions), again.step(actions)
        for name in vars(one):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_training_never_plays_a_seed_of_the_evaluation():
    seeds = {episode_seed(s, b, e) for s in range(3) for b in range(20) for e in range(200)}
    assert len(seeds) > 11_990
    assert not seeds & set(EVALUATION_SEEDS)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Stateless, "toy has no state(): a critic of the whole team needs one."),
        (
            lambda: Countdown(action=1),
            "must share one action space: a has Discrete(5), b has",
        ),
        (lambda: Countdown(observation=1), "agents must share one observation space: a has Box("),
        (object, "gives no PettingZoo parallel environment"),
    ],
)
def test_what_is_no_team_is_refused_in_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=r"^toy") as raised:
        pettingzoo_team("toy", make, 1)
    assert sentence in str(raised.value)


def test_an_environment_of_the_agent_cycle_is_refused():
    simple_spread = pytest.importorskip("mpe2.simple_spread_v3")
    with pytest.raises(ValueError, match="gives no PettingZoo parallel environment"):
        pettingzoo_team("cycle", simple_spread.env, 1)


def test_an_agent_that_leaves_early_and_actions_of_another_shape_are_refused():
    team = pettingzoo_team("toy", lambda: Countdown(leaves=1), 1)
    with pytest.raises(RuntimeError, match="before reset"):
        team.step(np.zeros((1, 2)))
    team.reset(0)
    with pytest.raises(ValueError, match=r"actions must be \(1, 2\), got \(2, 1\)"):
        team.step(np.zeros((2, 1)))
    with pytest.raises(ValueError, match="left before the others"):
        team.step(np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tennis", 1), "--env must be one of"),
        (("ant-8x1", 1), f"{', '.join(map(repr, DIVIDED))}, got 'ant-8x1'"),
        (("rb-v0", 1, "rb-800"), "rb-800"),
        (("halfcheetah-2x3", 1, "rb-8"), "--preset is for the wireless tasks"),
        (("halfcheetah-2x3", 1, None, {"speed": 1}), "takes no options, got speed"),
        (("nowhere:env", 1), "cannot be loaded"),
    ],
)
def test_unknown_names_are_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        make_team(*arguments)
