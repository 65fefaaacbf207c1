"""Latency of a guided decision by agents and denoising steps, op by op and as one graph.

The time from observations in NumPy to actions in NumPy, for all agents of one environment at once;
every step of the sampler is guided, unless the planner is as shipped. The graph is a ring of 2 + 2
neighbours.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from typing import Any, Final

import numpy as np

from benchmarks.speed.clocks import latency, peak_memory
from benchmarks.speed.data import SHAPES, ring
from benchmarks.speed.models import fresh_model
from benchmarks.speed.piece import Row, Setting
from networld_agent.planning import Planner, PlannerConfig

__all__ = ["TASK", "decisions", "no_fallback", "planner_config", "rows"]

TASK: Final = "cbf-v0"
_AGENTS, _STEPS = (19, 190, 1_000, 10_000), (1, 3, 5)
#: Whether a decision is one graph, and whether products may be rounded, by name.
_HOW: Final = {"eager": (False, False), "graph": (True, False), "graph tf32": (True, True)}


def planner_config(steps: int, graphed: bool, tf32: bool = False) -> PlannerConfig:
    """Guided at every step; as one graph, or operation by operation."""
    graph = "auto" if graphed else "off"
    return PlannerConfig(steps=steps, unguided_steps=0, graph=graph, tf32=tf32)


@contextmanager
def no_fallback() -> Iterator[None]:
    """Makes an error of the warning that a decision could not be captured: it is not measured."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*could not be captured")
        yield


def rows(setting: Setting) -> Sequence[Row]:
    """One for every number of agents and steps, and each way to plan; and one as shipped."""
    agents = (5, 19) if setting.quick else _AGENTS if setting.device != "cpu" else _AGENTS[:-1]
    seconds = 0.2 if setting.quick else 1.5
    configs = {
        f"{steps} steps, {how}": planner_config(steps, *options)
        for steps in _STEPS
        for how, options in _HOW.items()
        if how == "eager" or setting.device != "cpu"
    }
    configs["as shipped"] = PlannerConfig(graph="off" if setting.device == "cpu" else "auto")
    return [
        Row(
            f"{count} agents, {name}",
            # A graph of 10,000 agents takes NumPy seconds to look through.
            seconds + (0.2 if setting.quick else 1 if count < 10_000 else 4),
            partial(_decide, setting, count, config, seconds),
        )
        for count in agents
        for name, config in configs.items()
    ]


def _decide(setting: Setting, agents: int, config: PlannerConfig, seconds: float) -> dict[str, Any]:
    with no_fallback(), peak_memory(setting.device) as memory:
        model = fresh_model(setting.preset, setting.device).requires_grad_(False).eval()
        decide = decisions(Planner(model, TASK, config), agents)
        start = time.perf_counter()
        decide()
        first = time.perf_counter() - start
        decide()
        found = latency(decide, setting.device, seconds, least=20)
    return {"first_s": first, **found, **memory}


def decisions(planner: Planner, agents: int) -> Callable[[], object]:
    """One decision per call, with other observations than the last one.

    Args:
        planner: of `TASK`.
        agents: on a ring of 2 + 2 neighbours.
    """
    rng, graph = np.random.default_rng(0), ring(agents)
    shape = (agents, SHAPES[TASK].observation_size)
    seen = cycle([rng.standard_normal(shape, np.float32) for _ in range(8)])
    return lambda: planner.act(next(seen), graph)
