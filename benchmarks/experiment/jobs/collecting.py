"""The job that collects a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from networld_agent.collecting.run import collect as collect_data
from networld_agent.collecting.run import on_line
from networld_agent.collecting.settings import CollectionSettings
from networld_agent.data.metadata import Metadata
from wirelessenvs.command import Progress

__all__ = ["collect"]


def collect(settings: dict[str, Any], inputs: dict[str, Path], folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """Collects into `folder/data`; a stopped collection goes on."""
    line = Progress("steps", every_s=10)
    path = collect_data(CollectionSettings(**settings), folder / "data", report=on_line(line))
    line.close()
    return {"mean_reward": Metadata.read(path).statistics["returns"]["mean"]}
