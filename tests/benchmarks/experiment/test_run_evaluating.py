"""How a finished policy is played by the jobs of the experiment."""

import pytest

from benchmarks.experiment.jobs.evaluating import tuned_options
from networld_agent.model import ActionSpec, TaskSpec, WorldModel, WorldModelConfig

TINY = WorldModelConfig(horizon=8, latent_size=8, encoder_size=16, channels=8, multipliers=(1, 2))
TASK = "rb-v0"


@pytest.mark.parametrize(
    "tuned", [{}, {"guidance_scale": 0.2}, {"guidance_scale": 0.0, "temperature": 1.0}]
)
def test_snapshots_are_played_with_all_that_was_tuned(tmp_path, tuned):
    task = TaskSpec(TASK, 0, 4, ActionSpec("discrete", sizes=(11,)), **tuned)
    WorldModel(TINY, [task]).save(tmp_path / "model")
    assert tuned_options({"method": "networld", "env": TASK}, tmp_path) == tuned


def test_rules_of_a_task_have_nothing_tuned():
    assert tuned_options({"method": "expert", "env": TASK}, None) == {}
