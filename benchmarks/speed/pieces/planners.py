"""Decisions of 19 agents, beside the published recipe and a plain planner, in alternating rounds.

The first row has one network in all planners: the published planner's U-Net, random weights.

* published recipe: Conv1d, GroupNorm and Mish in (batch, channel, time) layout; a return model with
  a down path of its own; 20 DDPM steps with two gradient steps each, through weights that require
  gradients.
* plain, 20 guided steps: our network, 20 DDPM steps, one gradient each, denoiser and return model
  called one after the other.
* ours: 5 guided steps; as shipped; unsteered; warm-started from the last plan; best of 8.

Further rows: few agents with the unrolled network that is shipped for them against the model layer
by layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import torch

from benchmarks.speed.clocks import alternate
from benchmarks.speed.data import SHAPES, ring
from benchmarks.speed.models import PUBLISHED, fresh_model
from benchmarks.speed.piece import Row, Setting
from benchmarks.speed.pieces.planning import TASK, decisions
from benchmarks.speed.plain_planners import PlainPlanner, PublishedPlanner
from networld_agent.config import PRESETS
from networld_agent.planning import Planner, PlannerConfig

__all__ = ["rows"]

_AGENTS: Final = SHAPES[TASK].agents
_ROUNDS: Final = 15
#: Ours, in the first row.
_OURS: Final = {
    "ours, 5 guided steps": PlannerConfig(steps=5, unguided_steps=0),
    "ours as shipped, 3 steps, 2 guided": PlannerConfig(),
    "ours, warm start, 2 of 5 steps": PlannerConfig(steps=5, unguided_steps=0, warm_start=2),
    "ours, 5 unsteered steps": PlannerConfig(steps=5, plan_mode="none"),
    "ours, best of 8, 5 steps": PlannerConfig(steps=5, plan_mode="select", candidates=8),
}

_Works = dict[str, Callable[[], object]]


def rows(setting: Setting) -> Sequence[Row]:
    """Planners, and the unrolled network."""
    found: dict[str, tuple[Callable[[bool], _Works], float]] = {
        "planners": (_side_by_side, 70),
        **{
            f"{agents} agents, unrolled": (partial(_unrolled, agents), 10)
            for agents in ((8,) if setting.quick else (8, _AGENTS, 190, 1_000))
        },
    }
    return [
        Row(name, 2 if setting.quick else seconds, partial(_measure, setting, works))
        for name, (works, seconds) in found.items()
    ]


def _measure(setting: Setting, works: Callable[[bool], _Works]) -> dict[str, Any]:
    return dict(alternate(works(setting.quick), setting.device, 2 if setting.quick else _ROUNDS))


def _side_by_side(quick: bool) -> _Works:
    config = PRESETS["smoke"].model if quick else PUBLISHED
    model = fresh_model(config).eval()
    published = PublishedPlanner(model)
    model.requires_grad_(False)
    plain = PlainPlanner(model, TASK)
    weights = torch.tensor(ring(_AGENTS), dtype=torch.float32)
    weights /= weights.sum(1, keepdim=True)
    latents = torch.randn(_AGENTS, 2 * config.latent_size)
    shape = (_AGENTS, SHAPES[TASK].observation_size)
    works: _Works = {
        "published recipe, 20 steps": lambda: published.plan(latents),
        "plain, 20 guided steps": lambda: plain.act(torch.randn(shape), weights),
    }
    for name, settings in _OURS.items():
        works[name] = decisions(Planner(model, TASK, settings), _AGENTS)
    return works


def _unrolled(agents: int, quick: bool) -> _Works:
    """Decisions at equal steps: layer by layer, and as few agents have them."""
    model = fresh_model("smoke" if quick else "demo").requires_grad_(False).eval()
    layered, shipped = (Planner(model, TASK, PlannerConfig(steps=3)) for _ in range(2))
    # No number of rows is few.
    layered.generator._networks._most_rows = 0
    return {"layer by layer": decisions(layered, agents), "shipped": decisions(shipped, agents)}
