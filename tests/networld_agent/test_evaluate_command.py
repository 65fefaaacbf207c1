"""Evaluation of untrained models: same worlds for all, options, files and faults."""

import csv
import json
import shutil
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
import torch
from pettingzoo import ParallelEnv
from tiny_models import RB, tiny_model

from networld_agent.evaluate import main, planner_config
from networld_agent.evaluation.comparison import evaluate as compare
from networld_agent.evaluation.comparison import reference_players
from networld_agent.evaluation.episodes import opening_actions, play, same_actions
from networld_agent.evaluation.players import PlannerPlayer, PolicyPlayer, check_fit
from networld_agent.evaluation.tuning import Trial, best_trial, store_trial, tune_planner
from networld_agent.model import ActionSpec, TaskSpec, WorldModel
from networld_agent.planning import Planner, PlannerConfig
from networld_agent.worlds.make import make_worlds

torch.set_num_threads(1)
SEEDS = [1_000_000, 1_000_001, 1_000_002, 1_000_003]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model().save(tmp_path_factory.mktemp("models") / "rb")


def evaluate(*words):
    return main(["--env", "rb-v0", "--steps", "8", "--episodes", "2", "--seeds", "2",
                 "--device", "cpu", *map(str, words)])  # fmt: skip


class Line(ParallelEnv):
    """Three agents; a reward of 1 for repeating the first entry of the observation, 0 to 3."""

    metadata = {"name": "line_v0"}  # noqa: RUF012

    def __init__(self, cycles=1000):
        self.possible_agents, self.cycles = ["a", "b", "c"], cycles

    def observation_space(self, agent):
        return gymnasium.spaces.Box(0, 3, (4,), np.float32)

    def action_space(self, agent):
        return gymnasium.spaces.Discrete(11)

    def reset(self, seed=None, options=None):
        self.rng, self.t, self.agents = np.random.default_rng(seed), 0, self.possible_agents[:]
        return self._draw(), {agent: {} for agent in self.agents}

    def _draw(self):
        self.digits = {agent: int(self.rng.integers(4)) for agent in self.possible_agents}
        return {agent: np.full(4, digit, np.float32) for agent, digit in self.digits.items()}

    def step(self, actions):
        self.t += 1
        rewards = {agent: float(actions[agent] == self.digits[agent]) for agent in self.agents}
        infos = {agent: {"hits": rewards[agent]} for agent in self.agents}
        over = dict.fromkeys(self.agents, self.t >= self.cycles)
        ended = dict.fromkeys(self.agents, False)
        if self.t >= self.cycles:
            self.agents = []
        return self._draw(), rewards, ended, over, infos


# -------------------------------------------------------------------------------- the loop
def test_every_method_faces_the_same_opening_and_worlds():
    class Spy:
        name, information, bytes_per_step = "spy", "local", 0.0

        def __init__(self, action):
            self.action, self.seen = action, []

        def begin(self, seeds):
            self.seeds = seeds

        def act(self, worlds, observations):
            self.seen.append(observations.copy())
            return np.full(observations.shape[:2], self.action)

    worlds = make_worlds("rb-v0", 2, 15, None, {})
    lazy, greedy = Spy(0), Spy(10)
    for spy in (lazy, greedy):
        play(worlds, spy, SEEDS[:2], 10, warm_up=5)
    np.testing.assert_array_equal(lazy.seen[:6], greedy.seen[:6])
    generated = [np.stack(spy.seen)[..., 0] for spy in (lazy, greedy)]
    np.testing.assert_array_equal(*generated)
    assert (lazy.seen[8] != greedy.seen[8]).any()


def test_openings_depend_on_the_seed_alone():
    sampler = make_worlds("rb-v0", 1, 5, None, {}).sampler()
    both = opening_actions(sampler, SEEDS[:2], 7)
    np.testing.assert_array_equal(both[:, 1:], opening_actions(sampler, SEEDS[1:2], 7))
    assert (both[:, 0] != both[:, 1]).any()


def test_scores_do_not_depend_on_how_episodes_are_batched():
    played = []
    for batch in (1, 4):
        worlds = make_worlds("rb-v0", batch, 14, None, {})
        player = PlannerPlayer(Planner(tiny_model(), config=PlannerConfig(steps=2)))
        played.append(play(worlds, player, SEEDS, 10, warm_up=4))
    np.testing.assert_array_equal(played[0].rewards, played[1].rewards)
    np.testing.assert_array_equal(played[0].repeated, played[1].repeated)


def test_rewards_are_means_over_counted_steps_and_agents():
    class Zero:
        name, information, bytes_per_step = "zero", "local", 0.0

        def begin(self, seeds):
            pass

        def act(self, worlds, observations):
            return np.zeros(observations.shape[:2], int)

    worlds = make_worlds(f"{__name__}:Line", 2, 100, None, {})
    played = play(worlds, Zero(), SEEDS[:2], 12, warm_up=3)
    expected = []
    for seed in SEEDS[:2]:
        digits = np.random.default_rng(seed).integers(4, size=(15, 3))
        expected.append((digits[3:] == 0).mean())
    np.testing.assert_allclose(played.rewards, expected)
    np.testing.assert_allclose(played.metrics["hits"], expected)
    opening = opening_actions(worlds.sampler(), SEEDS[:2], 3)[-1]
    repeated = (11 + (opening == 0).mean(1)) / 12
    np.testing.assert_allclose(played.repeated, repeated)


def test_the_expert_s_row_is_its_own_score():
    worlds = make_worlds("rb-v0", 4, 200, None, {})
    random, expert = (
        play(worlds, PolicyPlayer(worlds, name), SEEDS, 195).rewards.mean()
        for name in ("random", "expert")
    )
    assert expert > random + 3


def test_real_actions_are_equal_within_a_hundredth_of_their_range():
    space = gymnasium.spaces.Box(np.float32([0, -10]), np.float32([1, 10]))
    last = np.zeros((1, 3, 2))
    actions = np.array([[[0.009, 0.19], [0.011, 0.0], [0.0, -0.21]]])
    assert same_actions(actions, last, space).tolist() == [[True, False, False]]
    whole = gymnasium.spaces.Discrete(4)
    assert same_actions(np.array([[1, 2]]), np.array([[1, 3]]), whole).tolist() == [[True, False]]


def test_any_parallel_environment_can_be_played():
    worlds = make_worlds(f"{__name__}:Line", 3, 50, None, {})
    model = tiny_model(TaskSpec(worlds.task, 0, 4, RB.action))
    planner = Planner(model, config=PlannerConfig(steps=2))
    check_fit(planner, worlds)
    assert worlds.adjacency.sum() == 3 * 6
    for player in (PlannerPlayer(planner), PolicyPlayer(worlds, "random")):
        assert play(worlds, player, SEEDS[:3], 10).rewards.shape == (3,)


def test_an_episode_that_ends_early_is_refused():
    worlds = make_worlds(f"{__name__}:Line", 1, 50, None, {"cycles": 5})
    with pytest.raises(
        ValueError, match="with seed 1000000 ended after 5 steps: 15 are to be played"
    ):
        play(worlds, PolicyPlayer(worlds, "random"), SEEDS[:1], 10)


@pytest.mark.parametrize(("task", "sentence"), [
    (TaskSpec("rb-v0", 0, 5, RB.action), "5 entries per observation, but .* give 4"),
    (TaskSpec("rb-v0", 0, 4, ActionSpec("discrete", sizes=(12,))), "another action space"),
    (TaskSpec("rb-v0", 0, 4, ActionSpec("box", low=(0.0,), high=(1.0,))), "another action space"),
])  # fmt: skip
def test_a_model_of_another_environment_is_refused(task, sentence):
    worlds = make_worlds("rb-v0", 1, 5, None, {})
    with pytest.raises(ValueError, match=sentence):
        check_fit(Planner(tiny_model(task)), worlds)


@pytest.fixture
def rewarded(monkeypatch):
    """Tuning in worlds whose rewards are a given function of temperature, scale and seed."""

    def tune(reward, costs=None, **options):
        def played(worlds, player, seeds, steps, warm_up):
            config = player._planner.config
            rewards = [reward(config.temperature, config.guidance_scale, seed) for seed in seeds]
            rewards = np.array(rewards) - (costs or {}).get(config.steps, 0.0)
            return SimpleNamespace(rewards=np.array(rewards, float))

        monkeypatch.setattr("networld_agent.evaluation.tuning.play", played)
        return tune_planner(tiny_model(), "rb-v0", [None], SEEDS, 20, **options)

    return tune


def settings(trials):
    """Temperatures and scales, in the order in which they were tried at the usual steps."""
    most = max(trial.denoising_steps for trial in trials)
    return [(t.temperature, t.scale) for t in trials if t.denoising_steps == most]


def test_tuning_plays_every_setting_in_the_same_worlds():
    worlds = make_worlds("rb-v0", 2, 25, None, {})
    trials = tune_planner(
        tiny_model(), "rb-v0", [worlds], SEEDS[:2], 20,
        PlannerConfig(steps=2, unguided_steps=0, temperature=0.7),
        scales=(5.0, 0.5),
    )  # fmt: skip
    assert settings(trials)[:2] == [(0.7, 0.0), (0.7, 0.5)]
    assert (trials[0].gain, trials[0].gain_interval) == (0.0, (0.0, 0.0))
    for trial in trials:
        assert trial.gain == pytest.approx(trial.reward - trials[0].reward)
    assert len({trial.reward for trial in trials}) > 1


def test_tuning_climbs_scales_until_the_reward_falls(rewarded):
    trials = rewarded(lambda t, w, seed: -abs(w - 0.4) - t)
    assert settings(trials) == [
        (0.5, 0.0), (1.0, 0.0), (0.5, 0.1), (0.5, 0.2), (0.5, 0.4), (0.5, 0.8)
    ]  # fmt: skip
    assert (best_trial(trials).temperature, best_trial(trials).scale) == (0.5, 0.4)


def test_tuning_stops_after_one_scale_where_guidance_does_nothing(rewarded):
    trials = rewarded(lambda t, w, seed: 0.0)
    assert settings(trials) == [(0.5, 0.0), (1.0, 0.0), (0.5, 0.1)]
    assert (best_trial(trials).temperature, best_trial(trials).scale) == (0.5, 0.0)


def test_tuning_keeps_the_cheap_temperature_unless_the_other_is_surely_better(rewarded):
    """A gain of 1 in every world is sure; one of 1 on average, of +5 and -3 in turn, is not."""
    sure = rewarded(lambda t, w, seed: seed % 7 + 2 * t)
    assert {t.temperature for t in sure if t.kept} == {1.0}
    assert best_trial(sure).temperature == 1.0
    unsure = rewarded(lambda t, w, seed: seed % 7 + 2 * t * (5 if seed % 2 else -3))
    assert unsure[1].reward > unsure[0].reward
    assert best_trial(unsure).temperature == 0.5


@pytest.mark.parametrize(
    ("costs", "chosen"),
    [({}, 1), ({1: 0.01}, 2), ({1: 0.01, 2: 0.01}, 3), ({2: 0.01}, 1), ({1: -1, 2: -2}, 1)],
    ids=["all alike", "one is worse", "both are worse", "two is worse", "both are better"],
)
def test_tuning_takes_the_fewest_steps_that_earn_as_much(rewarded, costs, chosen):
    trials = rewarded(lambda t, w, seed: -abs(w - 0.2) - t + seed % 5, costs)
    best = best_trial(trials)
    assert (best.temperature, best.scale, best.denoising_steps) == (0.5, 0.2, chosen)
    # Tried with the best setting alone.
    fewer = [t for t in trials if t.denoising_steps < 3]
    assert [(t.temperature, t.scale, t.denoising_steps) for t in fewer] == [
        (0.5, 0.2, 1), (0.5, 0.2, 2)
    ]  # fmt: skip


def test_tuning_leaves_steps_that_were_asked_for(rewarded):
    trials = rewarded(lambda t, w, seed: 0.0, config=PlannerConfig(steps=5))
    assert {t.denoising_steps for t in trials} == {5}


def test_a_planner_takes_the_steps_that_were_tuned_unless_told_otherwise(tmp_path):
    path = tiny_model().save(tmp_path / "model")
    assert Planner.load(path).generator.steps == 3
    store_trial(path, "rb-v0", Trial(0.5, 0.2, 1.0, 0.0, (0.0, 0.0), denoising_steps=2))
    assert Planner.load(path).generator.steps == 2
    assert Planner.load(path, config=PlannerConfig(steps=4)).generator.steps == 4


# ------------------------------------------------------------------------------ side by side
def test_methods_are_scored_side_by_side(capsys):
    worlds = make_worlds("rb-v0", 2, 15, None, {})
    planner = Planner(tiny_model(), config=PlannerConfig(steps=2))
    players = [PlannerPlayer(planner), *reference_players(worlds, ["random", "expert"])]
    rows = compare(worlds, players, SEEDS, 10, groups=2)
    assert [row.method for row in rows] == ["networld", "random", "expert"]
    assert [row.score for row in rows[1:]] == pytest.approx([0, 100])
    for row, player in zip(rows, players, strict=True):
        played = play(worlds, player, SEEDS, 10)
        assert row.episode_rewards == tuple(played.rewards)
        means = played.rewards.reshape(2, 2).mean(1)
        assert row.reward_spread == pytest.approx(means.std(ddof=1))
    assert capsys.readouterr().out == ""


def test_references_are_what_the_task_ships():
    worlds = make_worlds("rb-v0", 1, 5, None, {})
    names = [player.name for player in reference_players(worlds)]
    assert names == ["random", "medium (mean-field)", "expert", "genie"]
    assert "demand" in [player.name for player in reference_players(worlds, ["all"])]
    foreign = make_worlds(f"{__name__}:Line", 1, 5, None, {})
    assert [player.name for player in reference_players(foreign)] == ["random"]
    with pytest.raises(ValueError, match="must be one of"):
        reference_players(worlds, ["best"])


# ----------------------------------------------------------------------------- the command
def test_command_writes_a_table_json_csv_and_a_gif(folder, tmp_path, capsys):
    paths = [tmp_path / name for name in ("scores.json", "scores.csv", "out.gif")]
    options = "--model", folder, "--json", paths[0], "--csv", paths[1], "--render", paths[2]
    assert evaluate(*options, "--frames", 3, "--plan", "steps=2") == 0
    printed = capsys.readouterr().out
    rows = [line.split("|")[1].strip() for line in printed.splitlines() if line.startswith("| ")]
    expected = ["networld", "random", "medium (mean-field)", "expert", "genie"]
    assert rows[1:] == expected
    document = json.loads(paths[0].read_text())
    assert [row["method"] for row in document["rows"]] == expected
    assert len(set(document["seeds"])) == 4
    assert document["planner"]["steps"] == 2
    with paths[1].open() as file:
        assert [row["method"] for row in csv.DictReader(file)] == expected
    assert paths[2].read_bytes().startswith(b"GIF")


def test_a_sweep_has_a_row_for_each_value(folder, tmp_path):
    path = tmp_path / "steps.json"
    options = "--policies", "random", "--plan", "temperature=1", "--json", path
    assert evaluate("--model", folder, *options, "--sweep", "steps=1,3") == 0
    document = json.loads(path.read_text())
    names = [row["method"] for row in document["rows"]]
    assert names == ["networld steps=1", "networld steps=3", "random"]
    assert document["sweep"] == "steps=1,3"
    swept = {row["method"]: row["episode_rewards"] for row in document["rows"]}
    for steps in (1, 3):
        assert evaluate("--model", folder, *options, "--plan", f"steps={steps}") == 0
        alone = json.loads(path.read_text())["rows"][0]
        assert alone["episode_rewards"] == swept[f"networld steps={steps}"]


def test_command_repeats_its_figures(folder, tmp_path):
    rewards = []
    for name in ("a.json", "b.json"):
        assert evaluate("--model", folder, "--json", tmp_path / name) == 0
        rows = json.loads((tmp_path / name).read_text())["rows"]
        rewards.append([row["episode_rewards"] for row in rows])
    assert rewards[0] == rewards[1]


def test_tuned_scale_is_stored_with_the_model(folder, tmp_path, capsys):
    model = shutil.copytree(folder, tmp_path / "model")
    assert WorldModel.load(model).tasks["rb-v0"].guidance_scale is None
    assert evaluate("--model", model, "--tune-guidance", "--tune-episodes", 2, "--tune-steps", 5,
                    "--policies", "random") == 0  # fmt: skip
    stored = WorldModel.load(model).tasks["rb-v0"]
    assert stored.guidance_scale is not None
    assert stored.temperature in (0.5, 1.0)
    sentence = f"stored temperature {stored.temperature:g}, scale {stored.guidance_scale:g}, "
    assert sentence in capsys.readouterr().out
    assert Planner.load(model).generator.guidance.scale == stored.guidance_scale


def test_reference_rows_need_no_model(capsys):
    assert evaluate("--policies", "random", "demand", "expert") == 0
    assert "| demand | local |" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "sentence"), [
    (["--model", "nothing"], "no such folder"),
    (["--steps", "0"], "--steps must be at least 1"),
    (["--seed", "5"], "may be in the data"),
    (["--policies", "best"], "--policies must be one of"),
    (["--plan", "sampler=euler"], "sampler must be one of"),
    (["--plan", "stpes=4"], "--plan knows sampler, steps"),
    (["--plan", "steps=4", "--plan", "steps=5"], "--plan takes each name once, got steps twice"),
    (["--plan", "steps=4", "--sweep", "steps=1,2"], "--plan does not fix, got steps in both"),
    (["--set", "num_slots=8", "--set", "num_slots=9"], "--set takes each name once, got num_slots"),
    (["--model", "nothing", "--sweep", "steps"], "--sweep takes NAME=VALUE"),
    (["--model", "nothing", "--sweep", "steps=1,,2"], "--sweep takes NAME=VALUE"),
    (["--model", "nothing", "--sweep", "stpes=1"], "--plan knows sampler, steps"),
    (["--sweep", "steps=1"], "--sweep needs a --model"),
    (["--set", "max_steps=9"], "give --steps instead"),
    (["--preset", "nine"], "preset must be one of"),
    (["--json", "nowhere/x.json"], "does not exist"),
    (["--render", "x.gif"], "--render needs a --model"),
])  # fmt: skip
def test_faults_are_one_sentence(words, sentence, capsys, folder):
    if words[0] == "--plan":
        words = [*words, "--model", str(folder)]
    assert evaluate(*words) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert sentence in error
    assert "\n" not in error


def test_a_model_without_the_task_is_refused(folder, capsys):
    assert main(["--env", "slicing-v0", "--model", str(folder), "--steps", "2"]) == 2
    assert "'rb-v0'" in capsys.readouterr().err


def test_options_of_the_planner_are_read_by_name():
    config = planner_config(["sampler=dpm", "steps=3", "guidance_scale=0.5"])
    assert config == PlannerConfig(sampler="dpm", steps=3, guidance_scale=0.5)
