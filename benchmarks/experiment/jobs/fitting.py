"""The job that trains a baseline."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.baselines import BaselinePolicy, OfflineData, make_baseline
from benchmarks.experiment.jobs.held_out import looked_at
from benchmarks.experiment.jobs.worlds import make_job_worlds
from networld_agent.data import TrajectoryDataset
from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.seeds import VALIDATION_SEEDS, group_seeds

__all__ = ["fit"]


def fit(settings: dict[str, Any], inputs: dict[str, Path], folder: Path) -> dict[str, Any]:
    """Trains into `folder/run`; the policy that is played is in `folder/policy`.

    What a policy has to be tuned (the return that DT and DD ask for) is chosen on validation
    worlds, never on those that scores are taken from.
    """
    baseline = make_baseline(settings.get("class", settings["method"]))
    options = [*settings["options"], f"seed={settings['seed']}"]
    if settings["snapshots"]:
        options.append(f"snapshots={settings['snapshots']}")
    config = baseline.config_type.from_overrides(options)
    dataset = TrajectoryDataset.open(inputs["data"] / "data").drawn(settings.get("draw"))
    data = OfflineData(dataset, settings["trajectories"], settings["first_steps"])
    policy = baseline.fit(data, config, folder / "run")
    before = time.process_time()
    trials = {} if policy.tuned is None else _tune(policy, policy.tuned, settings["tuning"])
    policy.save(folder / "policy")
    return {
        "tuning": trials,
        "tuning_cpu_seconds": time.process_time() - before,
        "held_out": looked_at(folder / "run", getattr(config, "validate_every", 1)),
        "parameters": int(policy.parameters),
    }


def _tune(policy: BaselinePolicy, name: str, tuning: dict[str, Any]) -> dict[str, float]:
    """Sets an attribute of the policy; returns the mean reward by the value tried."""
    worlds = make_job_worlds(tuning, tuning["episodes"])
    seeds = group_seeds(VALIDATION_SEEDS, None, 1, tuning["episodes"])
    first, last = policy.tuned_from, float(getattr(policy, name))
    rewards: dict[float, float] = {}
    for share in policy.tuned_shares:
        value = first + share * (last - first)
        setattr(policy, name, value)
        played = play(worlds, policy, seeds, tuning["steps"], tuning["warm_up"])
        rewards[value] = float(played.rewards.mean())
    setattr(policy, name, max(rewards, key=lambda value: rewards[value]))
    return {f"{value:.6g}": reward for value, reward in rewards.items()}
