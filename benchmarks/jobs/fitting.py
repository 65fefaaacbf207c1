"""The job that trains a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.baselines import BASELINES
from benchmarks.baselines.interface import OfflineData
from networld_agent.data import TrajectoryDataset

__all__ = ["fit"]


def fit(settings: dict[str, Any], inputs: dict[str, Path], folder: Path) -> dict[str, Any]:
    """Trains into `folder/run`; its policy is in `folder/run/policy`."""
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
    return {"parameters": int(policy.parameters)}
