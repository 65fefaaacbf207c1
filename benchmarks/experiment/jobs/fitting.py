"""The job that trains a baseline."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from benchmarks.baselines import BASELINES
from benchmarks.baselines.shared.interface import OfflineData
from benchmarks.experiment.jobs.worlds import make_job_worlds
from networld_agent.data import TrajectoryDataset
from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.seeds import VALIDATION_SEEDS, group_seeds

__all__ = ["TARGETS", "fit"]

#: Returns to ask for, where NetWorld has three to seven trials: in shares of the way to the data's
#: best from its mean (DT), or from 0 (DD).
TARGETS: Final = {
    "dt": (0.0, 0.4, 0.7, 1.0, 1.3, 1.6),
    "dd": (0.55, 0.7, 0.85, 1.0, 1.15, 1.3),
}


def fit(settings: dict[str, Any], inputs: dict[str, Path], folder: Path) -> dict[str, Any]:
    """Trains into `folder/run`; the policy that is played is in `folder/policy`.

    What a policy asks for (the return of DT and DD) is chosen on validation worlds, never on those
    that scores are taken from.
    """
    baseline = BASELINES[settings["method"]]()
    options = [*settings["options"], f"seed={settings['seed']}"]
    if settings["snapshots"]:
        options.append(f"snapshots={settings['snapshots']}")
    config = baseline.config_type.from_overrides(options)
    data = OfflineData(
        TrajectoryDataset.open(inputs["data"] / "data"),
        settings["trajectories"],
        settings["first_steps"],
    )
    policy = baseline.fit(data, config, folder / "run")
    before = time.process_time()
    trials = _tune(policy, settings["tuning"]) if hasattr(policy, "target_return") else {}
    policy.save(folder / "policy")
    return {
        "tuning": trials,
        "tuning_cpu_seconds": time.process_time() - before,
        "parameters": int(policy.parameters),
    }


def _tune(policy: Any, tuning: dict[str, Any]) -> dict[str, float]:
    """Sets the return to ask for; returns the mean reward by return."""
    worlds = make_job_worlds(tuning, tuning["episodes"])
    seeds = group_seeds(VALIDATION_SEEDS, None, 1, tuning["episodes"])
    # DT asks in the environment's units, DD in units in which 0 is a low return and 1 the best.
    mean = float(policy.spec.extra["return_offset"]) if policy.name == "dt" else 0.0
    best = policy.target_return
    rewards: dict[float, float] = {}
    for share in TARGETS[policy.name]:
        policy.target_return = target = mean + share * (best - mean)
        played = play(worlds, policy, seeds, tuning["steps"], tuning["warm_up"])
        rewards[target] = float(played.rewards.mean())
    policy.target_return = max(rewards, key=lambda target: rewards[target])
    return {f"{target:.6g}": reward for target, reward in rewards.items()}
