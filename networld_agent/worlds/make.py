"""Worlds of a task id, of a `module:factory`, or of a data set."""

from __future__ import annotations

import dataclasses
from typing import Any

from networld_agent.data import TrajectoryDataset
from networld_agent.worlds.interface import Worlds
from networld_agent.worlds.pettingzoo import PettingZooWorlds
from networld_agent.worlds.simulator import SimulatorWorlds
from wirelessenvs.families import Deployment
from wirelessenvs.loading import load
from wirelessenvs.tasks import get_task

__all__ = ["deployment_worlds", "make_worlds", "worlds_of"]


def make_worlds(
    env: str, num_envs: int, steps: int | None, preset: str | None, overrides: dict[str, Any]
) -> Worlds:
    """Environments of a task id, or of any `module:factory`.

    Args:
        env: id or `module:factory`.
        num_envs: B.
        steps: of an episode of a task; None leaves it to its configuration. Environments of a
            factory end by themselves.
        preset: named configuration of a task.
        overrides: of the configuration, or arguments of the factory.

    Raises:
        ValueError: for an unknown id, preset or value.
    """
    if ":" in env:
        if preset is not None:
            raise ValueError("--preset is for this project's tasks; give --set NAME=VALUE instead.")
        factory = load(env, "--env")
        return PettingZooWorlds(env, lambda: factory(**overrides), num_envs)
    task = get_task(env)
    if steps is not None:
        if "max_steps" in overrides:
            raise ValueError("max_steps is the length of an episode: give --steps instead.")
        overrides = {**overrides, "max_steps": steps}
    return SimulatorWorlds(task.config.from_preset(preset, **overrides), task.id, num_envs)


def deployment_worlds(
    site: Deployment, num_envs: int, steps: int, overrides: dict[str, Any]
) -> Worlds:
    """Environments at one deployment of a family.

    Args:
        site: to play at.
        num_envs: B.
        steps: of an episode.
        overrides: of the configuration; nothing that the deployment fixes.

    Raises:
        TypeError: for a field that the deployment fixes, and for an unknown one.
        ValueError: for a value out of bounds.
    """
    if "max_steps" in overrides:
        raise ValueError("max_steps is the length of an episode: give --steps instead.")
    config = site.configure(**overrides, max_steps=steps)
    return SimulatorWorlds(config, site.family.task_id, num_envs)


def worlds_of(dataset: TrajectoryDataset, num_envs: int, steps: int) -> Worlds | None:
    """The environments that a data set came from; None if they need code that it names.

    The metadata of a data set may name any code: it is not called here.
    """
    task = dataset.description.task
    if dataset.names_code:
        return None
    config = dataclasses.replace(dataset.make_simulator().config, max_steps=steps)
    return SimulatorWorlds(config, task, num_envs)
