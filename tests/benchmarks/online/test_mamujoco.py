"""The seven divided bodies of MuJoCo: what agents see, whose joints they move, training on each."""

import json
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from benchmarks.baselines.dima import train as train_dima
from benchmarks.baselines.mappo import train as train_mappo
from benchmarks.baselines.online.mamujoco import DIVIDED, make_divided, quiet_mujoco
from benchmarks.baselines.online.team_env import episode_seed
from benchmarks.baselines.online.teams import make_team

ROOT = Path(__file__).parents[3]
#: Entries of the state; joints.
SIZES = {"ant": (105, 8), "halfcheetah": (17, 6), "walker2d": (17, 6)}
#: Of a random policy: the walker falls within a few dozen steps, the cheetah never.
FALLS = ("walker2d-2x3", "walker2d-3x2")
#: Of the agents over the denoising steps.
ORDERS = ("random", "descending", "ascending")


def sizes(team):
    body, _, division = team.partition("-")
    agents, joints = map(int, division.split("x"))
    return *SIZES[body], agents, joints


def test_the_teams_are_the_published_ones():
    assert list(DIVIDED) == [
        "ant-2x4", "ant-4x2", "halfcheetah-2x3", "halfcheetah-3x2", "halfcheetah-6x1",
        "walker2d-2x3", "walker2d-3x2",
    ]  # fmt: skip
    with pytest.raises(
        ValueError, match=r"team must be one of 'ant-2x4', .* got 'halfcheetah-4x4'"
    ):
        make_divided("halfcheetah-4x4")


@pytest.mark.parametrize("missing", ["mujoco", "gymnasium_robotics"])
def test_without_its_packages_the_extra_is_named(missing, monkeypatch, tmp_path, capsys):
    for name in [n for n in sys.modules if n.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    if missing == "gymnasium_robotics":
        pytest.importorskip("mujoco")
    arguments = ["--env", "ant-4x2", "--steps", "10", "--out", str(tmp_path / "run")]
    assert train_mappo.main(arguments) == 2
    wanted = f"ant-4x2 needs {missing.replace('_', '-')}: pip install 'wirelessenvs[mamujoco]'."
    assert capsys.readouterr().err == f"error: {wanted}\n"
    assert not (tmp_path / "run").exists()


class TestBodies:
    @pytest.fixture(autouse=True)
    def _in_its_own_folder(self, tmp_path, monkeypatch):
        pytest.importorskip("mujoco")
        pytest.importorskip("gymnasium_robotics")
        folder = tmp_path / "here"
        folder.mkdir()
        monkeypatch.chdir(folder)
        yield
        assert not list(folder.iterdir()), "a log was left in the working folder"

    def test_in_a_process_of_its_own_a_refusal_is_one_sentence(self, tmp_path):
        """gymnasium-robotics says something about other environments when it is imported."""
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "letter.txt").write_text("mine")
        arguments = ["--env", "walker2d-2x3", "--out", str(tmp_path / "run")]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.baselines.mappo.train", *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "is no training run" in done.stderr

    @pytest.mark.parametrize("name", DIVIDED)
    def test_agents_see_the_standardised_state_and_who_they_are(self, name):
        entries, joints, agents, own = sizes(name)
        team = make_team(name, 2)
        observations, state = team.reset(5)
        assert (team.num_agents, team.action.num_components) == (agents, own)
        assert agents * own == joints
        assert state.dtype == np.float32
        assert state.shape == (2, entries)
        for agent in range(agents):
            row = np.concatenate([state[1].astype(np.float64), np.eye(agents)[agent]])
            wanted = (row - row.mean()) / row.std()
            np.testing.assert_allclose(observations[1, agent], wanted, atol=1e-5)

    @pytest.mark.parametrize("name", DIVIDED)
    def test_every_division_moves_the_undivided_body(self, name):
        """Joint by joint the same torques: the states are those of the undivided environment.

        Which action moves which joint is what MuJoCo's model says, not gymnasium-robotics' graph.
        """
        import gymnasium

        team = make_team(name, 1)
        team.reset(0)
        with quiet_mujoco():
            single = gymnasium.make(DIVIDED[name].undivided)
        seen, _ = single.reset(seed=episode_seed(0, 0, 0))
        model = single.unwrapped.model
        moved = [model.joint(joint).name.replace("_", "") for joint in model.actuator_trnid[:, 0]]
        divided = [joint.replace("_", "") for agent in DIVIDED[name].agents for joint in agent]
        assert sorted(divided) == sorted(moved)
        rng = np.random.default_rng(0)
        for _ in range(8):
            torques = dict(zip(moved, rng.uniform(-1, 1, len(moved)), strict=True))
            seen, reward, fallen, *_ = single.step(
                np.array([torques[joint] for joint in moved], np.float32)
            )
            rows = np.array([torques[joint] for joint in divided], np.float32)
            step = team.step(rows.reshape(1, team.num_agents, -1))
            np.testing.assert_allclose(step.final_state[0], seen, atol=1e-4, rtol=1e-5)
            assert step.reward[0] == pytest.approx(reward, abs=1e-6)
            assert step.terminated[0] == fallen

    @pytest.mark.parametrize(("name", "order"), list(zip(DIVIDED, cycle(ORDERS), strict=False)))
    def test_every_team_is_trained_and_scored(self, name, order, tmp_path, capsys):
        """DIMA sequential at preset tiny: it learns from episodes that end, and from whole ones."""
        pytest.importorskip("vector_quantize_pytorch")
        out = tmp_path / "run"
        arguments = [
            "--env", name, "--preset", "tiny", "--steps", "240", "--episodes", "1",
            "--set", "num_envs=2", "--set", "train_every=80", "--set", "prefill=160",
            "--set", "model_updates=2", "--set", "policy_updates=1", "--set", "starts=8",
            "--set", "horizon=3", "--set", "hidden_size=8", "--set", f"denoiser_order={order}",
            "--out", str(out),
        ]  # fmt: skip
        assert train_dima.main(arguments) == 0
        scores = json.loads((out / "evaluation.json").read_text())
        assert np.isfinite(scores["return"])
        assert list(scores["references"]) == ["random"]
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        assert all(np.isfinite(line["termination_loss"]) for line in lines)
        capsys.readouterr()
        other = next(team for team in DIVIDED if team != name)
        changed = [
            ([*arguments, "--env", other], f"setting.env is '{name}' there, '{other}' here"),
            ([*arguments, "--set", "denoiser_conditioning=joint"],
             "config.model.denoiser.conditioning is 'sequential' there, 'joint' here"),
        ]  # fmt: skip
        for command, sentence in changed:
            assert train_dima.main(command) == 2
            said = capsys.readouterr().err
            assert sentence in said
            assert said.count("\n") == 1

    @pytest.mark.parametrize("name", DIVIDED)
    def test_every_team_is_trained_by_happo(self, name, tmp_path, capsys):
        arguments = [
            "--env", name, "--happo", "--steps", "80", "--set", "num_envs=2", "--set", "rollout=20",
            "--set", "hidden_size=8", "--episodes", "1", "--out", str(tmp_path / "run"),
        ]  # fmt: skip
        assert train_mappo.main(arguments) == 0
        assert "happo returns" in capsys.readouterr().out

    @pytest.mark.parametrize("name", FALLS)
    def test_a_body_that_falls_ends_its_episode_and_starts_anew(self, name):
        team = make_team(name, 2)
        team.reset(0)
        rng, ends = np.random.default_rng(0), 0
        for _ in range(200):
            actions = rng.uniform(-1, 1, (2, team.num_agents, team.codec.size))
            step = team.step(actions.astype(np.float32))
            assert not step.truncated.any()
            for env in np.flatnonzero(step.terminated):
                ends += 1
                assert not np.array_equal(step.state[env], step.final_state[env])
                # A walker stands 0.8 to 2 metres high, less than a radian from upright.
                height, angle = step.final_state[env, :2]
                assert not (0.8 < height < 2 and -1 < angle < 1)
                assert abs(step.state[env, 0] - 1.25) < 0.01
        assert ends > 3
