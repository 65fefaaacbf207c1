"""Environment steps per second with the planner in the loop: a native batch, as evaluation plays.

Environments run on the CPU, the planner on the device; one waits for the other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from benchmarks.speed.models import fresh_model
from benchmarks.speed.piece import Row, Setting
from benchmarks.speed.pieces.planning import no_fallback, planner_config
from networld_agent.evaluation.players import PlannerPlayer, check_fit
from networld_agent.planning import Planner
from networld_agent.worlds.interface import Worlds
from networld_agent.worlds.make import make_worlds

__all__ = ["rows"]

#: Preset of each environment, as the experiment plays it.
_ENVS: Final = {"cbf-v0": "paper", "rb-v0": "rb-8"}
#: Of a planner as shipped.
_STEPS: Final = 3
_WARM_UP: Final = 3


def rows(setting: Setting) -> Sequence[Row]:
    """Every environment with the networks of two presets, eager and graphed."""
    presets = ("smoke",) if setting.quick else ("demo", "paper")
    batch, seconds = (4, 0.3) if setting.quick else (64, 3.0)
    return [
        Row(
            f"{env}, {preset}, {'graph' if graphed else 'eager'}",
            # Environments are compiled at their first step.
            seconds + (2.0 if setting.quick else 10.0),
            partial(_play, setting.device, env, preset, graphed, batch, seconds),
        )
        for env in _ENVS
        for preset in presets
        for graphed in ((False,) if setting.device == "cpu" else (False, True))
    ]


def _play(
    device: str, env: str, preset: str, graphed: bool, batch: int, seconds: float
) -> dict[str, Any]:
    worlds = make_worlds(env, batch, 1_000_000, _ENVS[env], {})
    model = fresh_model(preset, device).requires_grad_(False).eval()
    planner = Planner(model, env, planner_config(_STEPS, graphed))
    check_fit(planner, worlds)
    player = PlannerPlayer(planner)
    seeds = list(range(batch))
    observations = worlds.reset(seeds)
    player.begin(seeds)
    start = time.perf_counter()
    with no_fallback():
        for _ in range(_WARM_UP):
            observations = worlds.step(player.act(worlds, observations)).observations
    warm_up = time.perf_counter() - start
    return {"batch": batch, "warmup_s": warm_up, **_rounds(worlds, player, observations, seconds)}


def _rounds(
    worlds: Worlds, player: PlannerPlayer, observations: Any, seconds: float
) -> dict[str, float]:
    deciding, stepping, steps = 0.0, 0.0, 0
    while deciding + stepping < seconds:
        start = time.perf_counter()
        # Actions come back as NumPy: the device has finished.
        actions = player.act(worlds, observations)
        decided = time.perf_counter()
        observations = worlds.step(actions).observations
        stepping += time.perf_counter() - decided
        deciding += decided - start
        steps += 1
    total = deciding + stepping
    return {
        "env_steps_per_s": steps * worlds.num_envs / total,
        "planner_share": deciding / total,
        "environment_share": stepping / total,
        "decision_ms": 1e3 * deciding / steps,
    }
