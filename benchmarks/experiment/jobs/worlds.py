"""Environments that jobs play in."""

from __future__ import annotations

from typing import Any

from networld_agent.worlds.interface import Worlds
from networld_agent.worlds.make import make_worlds

__all__ = ["make_job_worlds"]


def make_job_worlds(settings: dict[str, Any], num_envs: int) -> Worlds:
    """Environments of a job's settings, as long as its episodes and their opening."""
    steps = settings["steps"] + settings["warm_up"]
    return make_worlds(
        settings["env"], num_envs, steps, settings["preset"], dict(settings["overrides"])
    )
