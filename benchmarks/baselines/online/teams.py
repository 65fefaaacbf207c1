"""Team environments by name."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.baselines.online.mamujoco import DIVIDED, make_divided
from benchmarks.baselines.online.team_env import TeamEnv
from benchmarks.baselines.online.worlds_team import WorldsTeam
from networld_agent.worlds.make import make_worlds
from networld_agent.worlds.pettingzoo import PettingZooWorlds
from wirelessenvs.checks import check_choice
from wirelessenvs.tasks import TASKS

__all__ = ["TEAMS", "is_wireless", "make_team"]

#: Names of team environments; any `module:factory` of a PettingZoo parallel one is another.
TEAMS: Final = (*TASKS, *DIVIDED)


def is_wireless(env: str) -> bool:
    """Whether a name is one of the wireless tasks, which have reference policies."""
    return env.replace("_v", "-v") in TASKS


def make_team(
    env: str, batch: int, preset: str | None = None, overrides: dict[str, Any] | None = None
) -> TeamEnv:
    """A batch of B environments by name.

    Args:
        env: in `TEAMS`, or `module:factory`.
        batch: B.
        preset: named configuration of a wireless task.
        overrides: fields of its configuration, or arguments of the factory.

    Raises:
        ValueError: for an unknown name, preset or option, or an environment that is no team.
        ImportError: if an optional package is missing.

    Example:
        >>> team = make_team("rb-v0", 2, "rb-9")
        >>> team.num_agents, team.observation_size, team.state_size
        (9, 4, 45)
    """
    options = dict(overrides or {})
    if is_wireless(env):
        return WorldsTeam(make_worlds(env, batch, None, preset, options))
    if preset is not None:
        raise ValueError(f"--preset is for the wireless tasks ({', '.join(TASKS)}), not for {env}.")
    if ":" in env:
        return WorldsTeam(make_worlds(env, batch, None, None, options))
    check_choice("--env", env, TEAMS)
    if options:
        raise ValueError(f"{env} takes no options, got {', '.join(options)}.")
    return WorldsTeam(PettingZooWorlds(env, lambda: make_divided(env), batch))
