"""Values of actions: what they are learnt from, what they change, and what they do not."""

import dataclasses

import gymnasium
import numpy as np
import pytest
import torch
from dataset_cases import small_dataset
from pettingzoo import ParallelEnv
from tiny_models import RB, tiny_model

from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import WindowSource
from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.players import PlannerPlayer
from networld_agent.evaluation.tuning import Trial, best_trial, store_trial, tune_planner
from networld_agent.model import ModelError, TaskSpec, WorldModel
from networld_agent.model.files import _FORM
from networld_agent.planning import Planner, PlannerConfig
from networld_agent.storage import save_weights
from networld_agent.training.action_values import (
    MOST_CANDIDATES,
    ValueConfig,
    _Drawer,
    learn_action_values,
)
from networld_agent.training.adaptation import add_target_task
from networld_agent.value import main
from networld_agent.worlds.make import make_worlds

torch.set_num_threads(1)
HERE = "test_action_values"
SEEDS = [1_000_000, 1_000_001]
RING = np.roll(np.eye(6), 1, 1) + np.roll(np.eye(6), -1, 1)

pytestmark = pytest.mark.filterwarnings("ignore:.*has no graph:UserWarning")


class Choice(ParallelEnv):
    """Three agents; the reward is 1 for the action that the observation names, plus luck.

    Luck is larger than what an action earns, and shows in the observation: who steers to the
    states of high return finds it, and not the action.
    """

    metadata = {"name": "choice_v0"}  # noqa: RUF012

    def __init__(self, box=False, ends=False):
        self.possible_agents, self.box, self.ends = ["a", "b", "c"], box, ends

    def observation_space(self, agent):
        return gymnasium.spaces.Box(-20, 20, (3,), np.float32)

    def action_space(self, agent):
        if self.box:
            return gymnasium.spaces.Box(0, 3, (2,), np.float32)
        return gymnasium.spaces.Discrete(4, start=2)

    def _seen(self):
        self.right = {a: int(self.rng.integers(4)) for a in self.possible_agents}
        self.luck = float(self.rng.normal(0, 2))
        return {a: np.float32([r % 2, r // 2, self.luck]) for a, r in self.right.items()}

    def reset(self, seed=None, options=None):
        self.rng, self.t, self.agents = np.random.default_rng(seed), 0, self.possible_agents[:]
        return self._seen(), {a: {} for a in self.agents}

    def step(self, actions):
        self.t += 1
        rewards = {}
        for agent, right in self.right.items():
            if self.box:
                wanted = np.array([right % 2, right // 2]) * 3
                hit = -np.abs(np.asarray(actions[agent]) - wanted).sum() / 3
            else:
                hit = float(actions[agent] == right + 2)
            rewards[agent] = self.luck + hit
        over = dict.fromkeys(self.possible_agents, self.t >= 40)
        never = dict.fromkeys(self.possible_agents, False)
        if self.t >= 40:
            self.agents = []
        infos = {a: {} for a in self.possible_agents}
        return (
            self._seen(),
            rewards,
            over if self.ends else never,
            never if self.ends else over,
            infos,
        )


class Game(ParallelEnv):
    """Three agents whose best actions are known in closed form; see the tests of each kind."""

    metadata = {"name": "game_v0"}  # noqa: RUF012

    def __init__(self, kind):
        self.possible_agents, self.kind = ["a", "b", "c"], kind

    def observation_space(self, agent):
        return gymnasium.spaces.Box(0, 1, (2,), np.float32)

    def action_space(self, agent):
        pair = self.kind == "pair"
        return gymnasium.spaces.MultiDiscrete([3, 3]) if pair else gymnasium.spaces.Discrete(
            3 if self.kind == "place" else 2
        )  # fmt: skip

    def _seen(self):
        self.sides = self.rng.integers(0, 2, 3)
        if self.kind == "crowd":
            self.sides = np.roll([0, 1, 1], self.rng.integers(3))
        if self.kind == "place":
            self.sides = np.zeros(3)
        return {
            a: np.float32([side, 0])
            for a, side in zip(self.possible_agents, self.sides, strict=True)
        }

    def reset(self, seed=None, options=None):
        self.rng, self.t, self.agents = np.random.default_rng(seed), 0, self.possible_agents[:]
        return self._seen(), {a: {} for a in self.agents}

    def _reward(self, i, actions):
        action, side = actions[i], self.sides[i]
        if self.kind == "pair":
            return float((action[0] == action[1]) == side)
        if self.kind == "place":
            return float(action == i)
        mean = (sum(actions) - action) / 2
        return float(action) * (1.0 if side else 1 - 1.5 * mean)

    def step(self, actions):
        self.t += 1
        joint = [actions[a] for a in self.possible_agents]
        rewards = {a: self._reward(i, joint) for i, a in enumerate(self.possible_agents)}
        never = dict.fromkeys(self.possible_agents, False)
        over = dict.fromkeys(self.possible_agents, self.t >= 40)
        infos = {a: {} for a in self.possible_agents}
        if self.t >= 40:
            self.agents = []
        return self._seen(), rewards, never, over, infos


def choices(folder, **arguments):
    settings = CollectionSettings(
        env=f"{HERE}:Choice", overrides=arguments, policy="random", episodes=40, steps=40
    )
    return TrajectoryDataset.open(collect(settings, folder))


def model_of(dataset, **options):
    source = WindowSource(dataset)
    spec = TaskSpec(source.task, 0, source.observation_size, source.action)
    return tiny_model(spec, **options), source


@pytest.fixture(scope="module")
def rb():
    """A model with values for resource blocks, and the data that it learnt them from."""
    dataset = TrajectoryDataset.open(small_dataset("rb-v0", "random"))
    source = WindowSource(dataset)
    model = tiny_model()
    learn_action_values(model, source, ValueConfig(steps=20, batch_size=32))
    return model, source


# --------------------------------------------------------------------------------- learning
@pytest.mark.parametrize("box", [False, True])
def test_values_find_the_right_action_in_random_data_whatever_luck_does(box, tmp_path):
    model, source = model_of(choices(tmp_path / "x", box=box))
    learn_action_values(model, source, ValueConfig(gamma=0.5, credit="own", steps=1000))
    worlds = make_worlds(source.task, 2, None, None, {"box": box})
    played = {
        scale: play(
            worlds, PlannerPlayer(Planner(model, config=PlannerConfig(steps=2, value_scale=scale))),
            SEEDS, 35, warm_up=0,
        ).rewards.mean()
        for scale in (0.0, 1e6)
    }  # fmt: skip
    # An action at random is right in one of four cases, and half a range off in a box of two.
    assert played[1e6] - played[0.0] > 0.5


def test_nothing_else_of_the_model_changes(rb, tmp_path):
    model, _ = rb
    before, after = tiny_model().state_dict(), model.state_dict()
    for name, values in before.items():
        assert torch.equal(after[name], values), name
    assert {name.split(".")[0] for name in set(after) - set(before)} == {"values"}
    loaded = WorldModel.load(model.save(tmp_path / "model"))
    observations, heard = torch.rand(6, 4), torch.rand(6, 8)
    torch.testing.assert_close(
        loaded.action_values("rb-v0", observations, heard),
        model.action_values("rb-v0", observations, heard), rtol=0, atol=0,
    )  # fmt: skip
    assert "value_scale" not in tiny_model().task("rb-v0").to_json()


def test_equal_seeds_learn_equal_values(rb):
    model, source = rb
    again = tiny_model()
    learn_action_values(again, source, ValueConfig(steps=20, batch_size=32))
    for name, values in again.state_dict().items():
        assert torch.equal(model.state_dict()[name], values), name


@pytest.mark.parametrize("credit", ["own", "neighbors", "team"])
def test_an_action_answers_for_whom_it_should(rb, credit):
    model, source = rb
    drawer = _Drawer(model, source, ValueConfig(credit=credit, batch_size=32))
    read = drawer._read(3, 5)
    adjacency = source.dataset.graph.adjacency
    n = source.num_agents
    weights = {
        "own": np.eye(n),
        "neighbors": (adjacency + np.eye(n)) / (adjacency.sum(1, keepdims=True) + 1),
        "team": np.full((n, n), 1 / n),
    }[credit]
    own = _Drawer(model, source, ValueConfig(credit="own", batch_size=32))._read(3, 5).rewards
    np.testing.assert_allclose(read.rewards, own.numpy() @ weights.T, rtol=1e-5, atol=1e-6)


def test_nothing_follows_where_the_task_ends(tmp_path):
    dataset = choices(tmp_path / "x", ends=True)
    model, source = model_of(dataset)
    read = _Drawer(model, source, ValueConfig())._read(400, 0)
    assert 0 < (read.goes_on == 0).float().mean() < 0.06
    kept, source = model_of(choices(tmp_path / "y"))
    assert (_Drawer(kept, source, ValueConfig())._read(400, 0).goes_on == 1).all()


def test_what_the_data_never_shows_is_never_done(tmp_path):
    dataset = TrajectoryDataset.open(small_dataset("rb-v0", "expert"))
    source = WindowSource(dataset)
    model = tiny_model()
    learn_action_values(model, source, ValueConfig(steps=5, batch_size=32))
    shown = np.unique(dataset.actions)
    assert model.value("rb-v0").actions.tolist() == shown.tolist()
    model.value("rb-v0").actions.clamp_(max=2)
    planner = Planner(model, config=PlannerConfig(steps=2, value_scale=1.0))
    seen = np.random.default_rng(0).uniform(0, 9, (4, 6, 4)).astype(np.float32)
    assert planner.act(seen, RING).max() < 3


def test_of_many_actions_some_are_kept_and_all_are_of_the_data(tmp_path):
    dataset = choices(tmp_path / "x", box=True)
    model, source = model_of(dataset)
    learn_action_values(model, source, ValueConfig(steps=1, batch_size=8))
    kept = model.value(source.task).actions.numpy()
    assert len(np.unique(kept, axis=0)) == MOST_CANDIDATES
    shown = np.float32(dataset.actions).reshape(-1, 2)
    assert (kept[:, None] == shown).all(-1).any(1).all()


def test_an_update_looks_at_some_of_many_candidates_others_each_time(rb):
    model, source = rb
    drawer = _Drawer(model, source, ValueConfig(batch_size=32))
    drawn = [drawer.some(step, 500) for step in range(40)]
    assert all(len(some.unique()) == 128 and some.max() < 500 for some in drawn)
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[3], _Drawer(model, source, ValueConfig(batch_size=32)).some(3, 500))
    # Each of 500 is missed by 40 draws once in 140,000 times.
    assert len(torch.cat(drawn).unique()) == 500
    few = torch.arange(128)
    assert torch.equal(few[drawer.some(0, 128)], few)


def test_values_of_some_candidates_are_those_of_all(rb):
    model, _ = rb
    value = model.value("rb-v0")
    observations, heard = torch.rand(6, 4), torch.rand(6, 8)
    some = torch.tensor([3, 0])
    torch.testing.assert_close(
        value(observations, heard, some), value(observations, heard)[:, some]
    )


def best_actions(kind, folder, observations, **options):
    """What values hold for best in a game, `(B, N, [A])` for observations `(B, 3, 2)`."""
    settings = CollectionSettings(
        env=f"{HERE}:Game", overrides={"kind": kind}, policy="random", episodes=40, steps=40
    )
    model, source = model_of(TrajectoryDataset.open(collect(settings, folder)))
    learn_action_values(
        model, source, ValueConfig(gamma=0, credit="own", **{"steps": 800, **options})
    )
    seen = torch.tensor(observations, dtype=torch.float32)
    others = (torch.ones(3, 3) - torch.eye(3)) / 2
    heard = model.heard(model.encode(source.task, seen), (others,))
    value = model.value(source.task)
    return value.actions[model.action_values(source.task, seen, heard).argmax(-1)], value


def test_components_are_rated_together(tmp_path):
    # One component alone earns the same whatever it is.
    seen = [[[side, 0]] * 3 for side in (0, 1)]
    best, value = best_actions("pair", tmp_path / "x", seen)
    assert len(value.actions) == 9
    equal = best[..., 0] == best[..., 1]
    assert equal.tolist() == [[False] * 3, [True] * 3]


def test_values_reckon_with_neighbours_that_improve_too(tmp_path):
    # Agent 0 follows two that lead: to act earns 1 - 1.5 m, which is 0.25 against the data's mean
    # m = 1/2 and -0.5 where both leaders do what is best for them.
    best, _ = best_actions("crowd", tmp_path / "x", [[[0, 0], [1, 0], [1, 0]]])
    assert best.tolist() == [[0, 1, 1]]


def test_agents_that_see_the_same_differ_by_their_place(tmp_path):
    best, value = best_actions("place", tmp_path / "x", [[[0, 0]] * 3])
    assert best.tolist() == [[0, 1, 2]]
    # A network of another size has no such places: all its agents are rated alike.
    values = value(torch.zeros(5, 2), torch.zeros(5, 8))
    assert torch.equal(values, values[:1].expand(5, -1))


# ---------------------------------------------------------------------------------- playing
def test_without_weight_values_change_no_bit(rb):
    model, _ = rb
    seen = np.random.default_rng(0).uniform(0, 9, (2, 6, 4)).astype(np.float32)
    off = Planner(model, config=PlannerConfig(value_scale=0.0))
    without = Planner(tiny_model())
    np.testing.assert_array_equal(off.act(seen, RING), without.act(seen, RING))
    assert torch.equal(off.plans, without.plans)


@pytest.mark.parametrize("votes", [1, 3])
def test_values_hear_no_more_than_plans(rb, votes):
    model, _ = rb
    config = PlannerConfig(steps=2, value_scale=50.0, votes=votes)
    seen = np.random.default_rng(0).uniform(0, 9, (2, 6, 4)).astype(np.float32)
    changed = seen.copy()
    changed[:, 3] = 40
    here, there = (Planner(model, config=config) for _ in range(2))
    actions, others = here.act(seen, RING), there.act(changed, RING)
    np.testing.assert_array_equal(actions[:, [0, 1, 5]], others[:, [0, 1, 5]])
    plain = Planner(model, config=dataclasses.replace(config, value_scale=0.0))
    assert (actions != plain.act(seen, RING)).any()
    assert here.messages.bytes_per_step == plain.messages.bytes_per_step


def test_tuning_chooses_their_weight(rb, tmp_path):
    model, _ = rb
    worlds = make_worlds("rb-v0", 2, 25, None, {"num_nodes": 4})
    trials = tune_planner(
        model, "rb-v0", [worlds], SEEDS, 20, PlannerConfig(steps=2, temperature=0.5), scales=(),
        value_scales=(0.0, 1.0, 100.0),
    )  # fmt: skip
    assert [trial.value_scale for trial in trials][-2:] == [1.0, 100.0]
    best = best_trial(trials)
    assert best.reward == max(trial.reward for trial in trials)
    path = model.save(tmp_path / "model")
    store_trial(path, "rb-v0", best)
    assert WorldModel.load(path).task("rb-v0").value_scale == best.value_scale
    plain = tune_planner(
        tiny_model(), "rb-v0", [worlds], SEEDS, 20, PlannerConfig(steps=2, temperature=0.5),
        scales=(),
    )  # fmt: skip
    assert {trial.value_scale for trial in plain} == {None}


@pytest.mark.parametrize(
    ("rewards", "weight"), [((1, 2, 3), 10.0), ((1, 2, 1), 3.0), ((1, 1, 0), 0.0)]
)
def test_a_weight_is_chosen_only_if_it_earns_more(rewards, weight):
    trials = [
        Trial(0.5, 0.0, reward, 0.0, (0.0, 0.0), value_scale=scale)
        for reward, scale in zip(rewards, (0.0, 3.0, 10.0), strict=True)
    ]
    assert best_trial(trials).value_scale == weight


def test_training_on_drops_values_of_other_latents(rb):
    model, source = rb
    model = tiny_model(model.task("rb-v0"))
    add_target_task(model, source, 0)
    assert model.task("rb-v0").value_scale is None
    assert not model.values


# ----------------------------------------------------------------------------------- faults
def test_the_command_gives_a_saved_model_values(tmp_path, capsys):
    dataset = small_dataset("rb-v0", "random")
    path = tiny_model().save(tmp_path / "model")
    command = ["--model", str(path), "--data", str(dataset), "--set", "batch_size=16"]
    assert main([*command, "--set", "steps=3", "--trajectories", "2"]) == 0
    assert "has values of the actions of rb-v0 after 3 updates" in capsys.readouterr().out
    assert WorldModel.load(path).task("rb-v0").value_scale > 0
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    for words, sentence in (
        (["--set", "size=3"], "unknown option 'size'; options: gamma, credit"),
        (["--set", "gamma=2"], "gamma must be between 0 and 1, got 2"),
        (["--set", "credit=all"], "credit must be one of 'own', 'neighbors', 'team', got 'all'"),
        (["--trajectories", "99"], "trajectories"),
    ):
        assert main([*command, *words]) == 2
        assert sentence in capsys.readouterr().err
    assert before == {file.name: file.read_bytes() for file in path.iterdir()}


def test_a_model_without_values_says_how_it_gets_them(tmp_path):
    planner = Planner(tiny_model(), config=PlannerConfig(value_scale=1.0))
    with pytest.raises(ModelError, match=r"learn them with python -m networld_agent\.value"):
        planner.act(np.zeros((1, 6, 4), np.float32), RING)
    source = WindowSource(TrajectoryDataset.open(small_dataset("rb-v0", "random")))
    with pytest.raises(ModelError, match="has no task 'rb-v0'"):
        learn_action_values(tiny_model(TaskSpec("other", 0, 4, RB.action)), source)
    with pytest.raises(ValueError, match="does not fit the model's rb-v0"):
        learn_action_values(tiny_model(TaskSpec("rb-v0", 0, 7, RB.action)), source)


def test_values_of_the_earlier_kind_are_left_out_with_a_sentence(tmp_path):
    model = tiny_model()
    document = {
        "versions": {}, "config": dataclasses.asdict(model.config),
        "tasks": [{**model.task("rb-v0").to_json(), "value_scale": 30.0}],
    }  # fmt: skip
    old = {"values.task0.layers.0.weight": torch.ones(16, 12), "values.task0.seen": torch.ones(11)}
    save_weights(_FORM, tmp_path / "old", document, {**model.state_dict(), **old})
    with pytest.warns(UserWarning, match=r"values of actions of rb-v0 are of an earlier kind and"):
        loaded = WorldModel.load(tmp_path / "old")
    assert loaded.task("rb-v0") == model.task("rb-v0")
    assert loaded.state_dict().keys() == model.state_dict().keys()
