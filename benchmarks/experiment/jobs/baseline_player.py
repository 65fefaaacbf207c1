"""Baselines, and methods of other packages, as jobs play them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.baselines import BaselinePolicy, load_policy
from networld_agent.evaluation.players import Player, check_fit
from networld_agent.worlds.interface import Worlds

__all__ = ["load_player", "tuned_options"]


def load_player(
    settings: dict[str, Any], worlds: Worlds, path: Path, tuned: dict[str, float]
) -> Player:
    """A policy that fits the worlds, with what was tuned."""
    policy = _load(settings, path)
    check_fit(policy, worlds)
    for name, value in tuned.items():
        setattr(policy, name, value)
    return policy


def tuned_options(settings: dict[str, Any], path: Path) -> dict[str, float]:
    """The policy's tuned attribute, if it has one."""
    policy = _load(settings, path)
    return {} if policy.tuned is None else {policy.tuned: float(getattr(policy, policy.tuned))}


def _load(settings: dict[str, Any], path: Path) -> BaselinePolicy:
    return load_policy(path, [settings["class"]] if "class" in settings else ())
