"""The job that collects a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from networld_agent import collect as command
from networld_agent.data.metadata import Metadata

__all__ = ["collect"]


def collect(settings: dict[str, Any], inputs: dict[str, Path], folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """Collects into `folder/data`; a stopped collection goes on."""
    from benchmarks.experiment.jobs.execute import check_status

    arguments = [
        "--env", settings["env"], "--policy", settings["policy"],
        "--episodes", str(settings["episodes"]), "--steps", str(settings["steps"]),
        "--jobs", "1", "--out", str(folder / "data"),
    ]  # fmt: skip
    if settings["preset"] is not None:
        arguments += ["--preset", settings["preset"]]
    for name, value in settings["overrides"].items():
        arguments += ["--set", f"{name}={value!r}"]
    check_status(command.main(arguments), "collecting")
    statistics = Metadata.read(folder / "data").statistics
    return {"mean_reward": statistics["returns"]["mean"]}
