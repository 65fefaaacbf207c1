"""The same jobs on a Ray cluster of this machine."""

import pytest
from experiment_cases import assert_same_weights, run_part, weights

pytestmark = pytest.mark.interop
ray = pytest.importorskip("ray")


@pytest.fixture(autouse=True)
def cluster(monkeypatch):
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    yield
    ray.shutdown()


def test_ray_runs_the_same_jobs_to_the_same_weights(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    run_part(here)
    outcome = run_part(there, workers=2, ray_address="local")
    assert len(outcome.finished) == 6
    assert_same_weights(weights(there), weights(here))


def test_ray_reports_a_job_that_fails(tmp_path, capsys, monkeypatch):
    # The job's process is told to use data that is gone.
    from benchmarks.experiment.jobs import graph

    broken = tmp_path / "broken"
    monkeypatch.setattr(graph, "_played_in", lambda task, _: {"env": "no-v0", "preset": None,
                                                              "overrides": {}})  # fmt: skip
    with pytest.raises(ValueError, match=r"jobs failed .* evaluate-rb-random"):
        run_part(broken, ray_address="local")
    assert "error: environment id must be one of" in capsys.readouterr().err
