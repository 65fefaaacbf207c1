"""Environments that others wrote, in all rooms that play them; and randomness by episode."""

import gc
import json

import gymnasium
import numpy as np
import pytest
from pettingzoo import ParallelEnv

from benchmarks.baselines.bc import BCConfig
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.offline_data import OfflineData
from benchmarks.baselines.shared.transitions import OfflineTransitions
from networld_agent.collect import main as collect_main
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset
from networld_agent.data.__main__ import main as data_main
from networld_agent.errors import DatasetError
from networld_agent.evaluate import main as evaluate_main
from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.players import PolicyPlayer
from networld_agent.worlds.make import make_worlds
from networld_agent.worlds.pettingzoo import PettingZooWorlds
from wirelessenvs.tasks import TASKS

HERE = "test_worlds"

pytestmark = pytest.mark.filterwarnings("ignore:.*has no graph:UserWarning")


class Odd(ParallelEnv):
    """Two agents whose environment does what is asked for, at the step that is asked for."""

    metadata = {"name": "odd_v0"}  # noqa: RUF012
    closed = 0

    def __init__(self, length=20, ends=False, stays=False, wrong=None, value=float("nan"), at=3,
                 unbounded=False, infos_until=10**9, infos_from=0):  # fmt: skip
        self.possible_agents, self.agents = ["a", "b"], []
        self.length, self.ends, self.stays = length, ends, stays
        self.wrong, self.value, self.at = wrong, value, at
        self.unbounded, self.infos_until, self.infos_from = unbounded, infos_until, infos_from
        if wrong == "made":
            raise RuntimeError("no licence\nfound")

    def observation_space(self, agent):
        return gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def action_space(self, agent):
        if self.unbounded:
            return gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        return gymnasium.spaces.Discrete(3)

    def _seen(self):
        seen = {a: self.rng.random(2).astype(np.float32) for a in self.possible_agents}
        if self.wrong == "observation" and self.t == self.at:
            seen["b"] = self.value
        return seen

    def reset(self, seed=None, options=None):
        if self.wrong == "reset":
            raise KeyError("port")
        self.rng, self.t, self.agents = np.random.default_rng(seed), 0, self.possible_agents[:]
        return self._seen(), {a: {} for a in self.agents}

    def step(self, actions):
        self.t += 1
        if self.wrong == "step" and self.t == self.at:
            raise IndexError("list index out of range")
        over = self.t >= self.length
        rewards = dict.fromkeys(self.possible_agents, 1.0)
        infos = {a: {} for a in self.possible_agents}
        if self.infos_from < self.t <= self.infos_until:
            infos = {a: {"x": 2.0, "note": "text"} for a in self.possible_agents}
        if self.t == self.at:
            if self.wrong == "reward":
                rewards["b"] = self.value
            if self.wrong == "info":
                infos["b"]["x"] = self.value
        ended = dict.fromkeys(self.possible_agents, over and self.ends)
        cut = dict.fromkeys(self.possible_agents, over and not self.ends)
        if over and not self.stays:
            self.agents = []
        return self._seen(), rewards, ended, cut, infos

    def close(self):
        Odd.closed += 1


def zeros(observations, rng):
    return np.zeros((len(observations), 2))


def breaks(observations, rng):
    raise AttributeError("no such thing")


def too_narrow(observations, rng):
    return np.zeros(len(observations))


def worlds_of(num_envs=1, **arguments):
    return make_worlds(f"{HERE}:Odd", num_envs, None, None, arguments)


def collected(out, policy="random", steps=20, epsilon=0.05, **arguments):
    settings = CollectionSettings(
        env=f"{HERE}:Odd", overrides=arguments, policy=policy, episodes=2, steps=steps,
        epsilon=epsilon,
    )  # fmt: skip
    return TrajectoryDataset.open(collect(settings, out), verify="full")


# ------------------------------------------------------------------------------- bad values
@pytest.mark.parametrize(("wrong", "value", "field"), [
    ("reward", float("nan"), "the reward is nan, must be a finite number"),
    ("reward", None, "the reward is None, must be a finite number"),
    ("reward", "high", "the reward is 'high', must be a finite number"),
    ("info", float("inf"), "the info 'x' is inf, must be a finite number"),
    ("observation", np.array([0, np.nan]), "entry 1 of the observation is nan, must be finite"),
    ("observation", np.zeros(3), r"the observation has shape \(3,\) instead of \(2,\)"),
    ("observation", {"x": 1}, "the observation has shape"),
])  # fmt: skip
def test_a_value_that_is_no_number_is_found_at_once(wrong, value, field):
    worlds = worlds_of(2, wrong=wrong, value=value)
    worlds.reset([7, 8])
    for _ in range(2):
        worlds.step(np.zeros((2, 2), int))
    sentence = rf"{HERE}:Odd, agent b, step 3 of the episode with seed 7: {field}"
    with pytest.raises(ValueError, match=sentence) as fault:
        worlds.step(np.zeros((2, 2), int))
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(("wrong", "sentence"), [
    ("made", "Odd cannot be made: RuntimeError: no licence found"),
    ("reset", r"Odd failed in reset\(\), step 0 of the episode with seed \d+: KeyError: 'port'"),
    ("step", r"Odd failed in step\(\), step 3 of the episode with seed \d+: IndexError: list"),
])  # fmt: skip
def test_what_an_environment_raises_is_one_sentence_with_its_place(wrong, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence) as fault:
        collected(tmp_path / "x", wrong=wrong)
    assert "\n" not in str(fault.value)
    assert isinstance(fault.value.__cause__, (RuntimeError, KeyError, IndexError))


def test_nothing_wrong_is_recorded_or_scored(tmp_path, capsys):
    odd = ["--env", f"{HERE}:Odd", "--set", "wrong=reward", "--episodes", "2", "--steps", "10"]
    assert collect_main([*odd, "--policy", "random", "--jobs", "1", "--out", str(tmp_path / "x")])
    assert not (tmp_path / "x").exists()
    assert evaluate_main([*odd, "--seeds", "1", "--warm-up", "0"]) == 2
    assert capsys.readouterr().err.count("agent b, step 3 of the episode with seed") == 2


def test_an_action_outside_the_space_is_named():
    worlds = worlds_of()
    worlds.reset([5])
    with pytest.raises(ValueError, match=r"agent b, step 1 .* the action 3 is not in Discrete"):
        worlds.step(np.array([[0, 3]]))
    reals = worlds_of(unbounded=True)
    reals.reset([5])
    with pytest.raises(ValueError, match=r"agent a, step 1 .* the action .*nan.* is not in Box"):
        reals.step(np.array([[[np.nan, 0], [0, 0]]]))


# ----------------------------------------------------------------------------------- ends
@pytest.mark.parametrize("ends", [True, False])
def test_the_end_is_recorded_as_it_happened(ends, tmp_path):
    dataset = collected(tmp_path / "x", ends=ends)
    assert dataset.terminations.sum(1).tolist() == [int(ends)] * 2
    assert dataset.terminations[:, -1].tolist() == [ends] * 2
    data = OfflineData(dataset)
    scaling = ObservationScaling.of_data(data)
    batch = OfflineTransitions(data, scaling, BCConfig(batch_size=4000))(0)
    # One step of twenty is the last one.
    assert (batch.continues == 0).float().mean() == pytest.approx(0.05 * ends, abs=0.02 * ends)


def test_only_a_last_step_can_be_a_termination(tmp_path):
    dataset = collected(tmp_path / "x", ends=True)
    path = dataset.path / "terminations.npy"
    values = bytearray(path.read_bytes())
    values[-3] = 1
    path.write_bytes(values)
    with pytest.raises(DatasetError, match=r"terminations.npy: episode 1 must hold 0"):
        TrajectoryDataset.open(dataset.path, verify="full")


def test_ends_survive_minari_and_subsets(tmp_path):
    minari = pytest.importorskip("minari")
    pytest.importorskip("h5py")
    source = collected(tmp_path / "x", ends=True)
    root = tmp_path / "minari"
    export = ["export", str(source.path), "--minari-id", "odd/end-v0", "--root", str(root)]
    assert data_main(export) == 0
    found = minari.dataset.minari_dataset.MinariDataset(root / "odd/end-v0/data")
    assert all(e.terminations[-1] and not e.truncations.any() for e in found.iterate_episodes())
    assert data_main(["import", str(root / "odd/end-v0"), "--out", str(tmp_path / "back")]) == 0
    back = TrajectoryDataset.open(tmp_path / "back", verify="full")
    np.testing.assert_array_equal(back.terminations, source.terminations)


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("stays", [True, False])
def test_an_episode_may_end_at_its_last_step_and_not_before(ends, stays):
    worlds = worlds_of(length=12, ends=ends, stays=stays)
    player = PolicyPlayer(worlds, "random")
    assert play(worlds, player, [3], 10, warm_up=2).rewards.tolist() == [1.0]
    with pytest.raises(ValueError, match="with seed 3 ended after 12 steps: 13 are to be played"):
        play(worlds, player, [3], 11, warm_up=2)
    with pytest.raises(ValueError, match="the episode with seed 3 is over after 12 steps"):
        worlds.step(np.zeros((1, 2), int))


# ----------------------------------------------------------------------------------- close
def test_environments_are_closed_once():
    Odd.closed = 0
    worlds = worlds_of(3)
    worlds.close()
    worlds.close()
    del worlds
    gc.collect()
    assert Odd.closed == 3
    worlds = worlds_of(2)
    del worlds
    gc.collect()
    assert Odd.closed == 5


def test_commands_close_what_they_made(tmp_path):
    Odd.closed = 0
    collected(tmp_path / "x")
    assert Odd.closed == 1
    command = ["--env", f"{HERE}:Odd", "--episodes", "2", "--steps", "10", "--seeds", "1"]
    assert evaluate_main(command) == 0
    gc.collect()
    assert Odd.closed == 3


def test_those_that_were_made_before_one_failed_are_closed():
    Odd.closed, count = 0, iter(range(9))

    def third_fails():
        return Odd(wrong="made" if next(count) == 2 else None)

    with pytest.raises(ValueError, match="cannot be made"):
        PettingZooWorlds("odd", third_fails, 3)
    gc.collect()
    assert Odd.closed == 2


# ------------------------------------------------------------------------- spaces and rules
def test_an_unbounded_space_is_played_by_whoever_does_not_need_random_actions(tmp_path, capsys):
    data = collected(tmp_path / "x", f"{HERE}:zeros", epsilon=0.0, unbounded=True)
    assert not data.actions.any()
    command = ["--env", f"{HERE}:Odd", "--set", "unbounded=true", "--episodes", "2", "--steps",
               "10", "--seeds", "1", "--warm-up", "0"]  # fmt: skip
    assert evaluate_main([*command, "--policies", f"{HERE}:zeros"]) == 0
    assert f"| {HERE}:zeros | local | 1 [1, 1] |" in capsys.readouterr().out
    assert evaluate_main(command) == 2
    assert "random actions need an action space with finite bounds" in capsys.readouterr().err
    with pytest.raises(ValueError, match="random actions need an action space with finite bounds"):
        collected(tmp_path / "y", f"{HERE}:zeros", epsilon=0.1, unbounded=True)


@pytest.mark.parametrize(("policy", "sentence"), [
    ("expert", "ships no policy 'expert'"),
    (f"{HERE}:breaks", f"{HERE}:breaks failed: AttributeError: no such thing"),
    (f"{HERE}:too_narrow", rf"{HERE}:too_narrow must return numbers of shape \(2, 2\), got shape"),
    (f"{HERE}:absent", "cannot be loaded"),
])  # fmt: skip
def test_a_rule_that_cannot_play_is_one_sentence(policy, sentence):
    worlds = worlds_of(unbounded=True)
    with pytest.raises(ValueError, match=sentence):
        play(worlds, PolicyPlayer(worlds, policy), [1], 5, warm_up=0)


# ----------------------------------------------------------------------------------- infos
def test_an_info_may_come_and_go(tmp_path, capsys):
    data = collected(tmp_path / "x", infos_until=4)
    values = data.metric("x")
    assert (values[:, :, :4] == 2).all()
    assert np.isnan(values[:, :, 4:]).all()
    assert data.metadata.statistics["metrics"] == {
        "min": [2.0], "max": [2.0], "mean": [2.0], "std": [0.0]
    }  # fmt: skip
    assert data_main(["inspect", str(data.path)]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| x "))
    assert "nan" not in row
    assert row.count("| 2 ") == 6
    worlds = worlds_of(2, infos_until=4)
    played = play(worlds, PolicyPlayer(worlds, "random"), [1, 2], 10, warm_up=0)
    assert played.metrics["x"].tolist() == [2.0, 2.0]
    late = play(worlds, PolicyPlayer(worlds, "random"), [1, 2], 9, warm_up=4)
    assert "x" not in late.metrics


def test_an_info_that_comes_later_is_left_out_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="x was not in the first step's infos"):
        data = collected(tmp_path / "x", infos_from=4)
    assert data.description.metrics == ()


def test_a_damaged_metric_is_still_found(tmp_path):
    data = collected(tmp_path / "x", infos_until=4)
    path = data.path / "metrics.npy"
    values = bytearray(path.read_bytes())
    values[-4:] = np.float32(np.inf).tobytes()
    path.write_bytes(values)
    with pytest.raises(DatasetError, match="field 'x' is inf"):
        TrajectoryDataset.open(data.path, verify="full")


# -------------------------------------------------------------------- randomness by episode
SEEDS = tuple(range(1_000_000, 1_000_064))
CASES = [
    (task, policy)
    for task in TASKS
    for policy in TASKS[task].policies
    # Of CBF, a share: one of each kind. The oracle of slicing takes its time.
    if policy != "oracle" and (task != "cbf-v0" or policy in ("random", "expert", "greedy"))
]
SMALL = {
    "cbf-v0": (None, {"num_cells": 7, "layout_seed": None}),
    "rb-v0": (None, {"num_nodes": 4}),
    "slicing-v0": ("small", {}),
}


@pytest.mark.parametrize(("task", "policy"), CASES)
def test_a_rule_s_score_does_not_depend_on_how_many_episodes_are_played_at_once(task, policy):
    played = []
    for batch in (1, 7, 64):
        seeds = SEEDS[:7] if batch != 64 else SEEDS
        worlds = make_worlds(task, batch, 8, *SMALL[task])
        player = PolicyPlayer(worlds, policy)
        played.append(play(worlds, player, seeds, 6, warm_up=2).rewards[:7])
    np.testing.assert_array_equal(played[0], played[1])
    np.testing.assert_array_equal(played[0], played[2])


def test_the_scores_of_a_command_do_not_depend_on_num_envs(tmp_path):
    rows = []
    for count in (1, 6):
        path = tmp_path / f"{count}.json"
        assert evaluate_main([
            "--env", "rb-v0", "--policies", "random", "medium", "expert", "--episodes", "6",
            "--steps", "20", "--seeds", "1", "--num-envs", str(count), "--json", str(path),
        ]) == 0  # fmt: skip
        found = json.loads(path.read_text())["rows"]
        rows.append([{k: v for k, v in row.items() if k != "milliseconds"} for row in found])
    assert rows[0] == rows[1]
