"""How a finished policy is played by the jobs of the experiment."""

import pytest

from benchmarks.experiment.jobs.evaluating import tuned_options
from benchmarks.experiment.jobs.planner_player import load_player
from networld_agent.model import ActionSpec, TaskSpec, WorldModel, WorldModelConfig
from networld_agent.worlds.make import make_worlds

TINY = WorldModelConfig(horizon=8, latent_size=8, encoder_size=16, channels=8, multipliers=(1, 2))
TASK = "rb-v0"


@pytest.mark.parametrize(
    "tuned", [{}, {"guidance_scale": 0.2}, {"guidance_scale": 0.0, "temperature": 1.0}]
)
def test_snapshots_are_played_with_all_that_was_tuned(tmp_path, tuned):
    task = TaskSpec(TASK, 0, 4, ActionSpec("discrete", sizes=(11,)), **tuned)
    WorldModel(TINY, [task]).save(tmp_path / "model")
    assert tuned_options({"method": "networld", "env": TASK}, tmp_path) == tuned


@pytest.mark.parametrize(("scale", "mode"), [(0.2, "random"), (0.0, "none")])
def test_a_random_direction_is_as_long_as_the_tuned_guidance(tmp_path, scale, mode):
    worlds = make_worlds(TASK, 1, 4, None, {})
    action = ActionSpec("discrete", sizes=(int(worlds.action_space.n),))
    task = TaskSpec(TASK, 0, worlds.reset([0]).shape[2], action)
    WorldModel(TINY, [task]).save(tmp_path / "model")
    settings = {"plan": {"plan_mode": "random"}}
    player = load_player(settings, worlds, tmp_path, {"guidance_scale": scale})
    assert player._planner.config.plan_mode == mode
    assert player._planner.config.guidance_scale == scale


def test_rules_of_a_task_have_nothing_tuned():
    assert tuned_options({"method": "expert", "env": TASK}, None) == {}
