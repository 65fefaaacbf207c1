"""Whether the device computes what a CPU does: loss, gradients and plans of one small batch.

Relative differences are norms: |device - CPU| / |CPU|, for gradients the greatest of all tensors
and that of all together. A tensor whose gradient is nearly zero has a large one of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.speed.clocks import full_precision
from benchmarks.speed.data import SHAPES, random_batches, ring
from benchmarks.speed.models import fresh_model
from benchmarks.speed.piece import Row, Setting
from benchmarks.speed.pieces.planning import no_fallback, planner_config
from networld_agent.config import PRESETS
from networld_agent.planning import Planner

__all__ = ["rows"]


def rows(setting: Setting) -> Sequence[Row]:
    """Training in three precisions, and planning."""
    preset = "smoke" if setting.quick else "paper"
    seconds = 1 if setting.quick else 8
    train, plan = partial(_training, setting.device, preset), partial(_plan, setting.device, preset)
    found = [
        Row("loss and gradients, fp32", seconds, partial(train, exact=True, half=False)),
        Row("loss and gradients, tf32", seconds, partial(train, exact=False, half=False)),
        Row("plans of 19 agents, eager", seconds, partial(plan, graphed=False)),
    ]
    if setting.device != "cpu":
        # The CPU's own kernels are of float32 alone, and record nothing.
        half = partial(train, exact=False, half=True)
        found.append(Row("loss and gradients, bf16", seconds, half))
        found.append(Row("plans of 19 agents, graph", seconds, partial(plan, graphed=True)))
    return found


def _training(device: str, preset: str, exact: bool, half: bool) -> dict[str, Any]:
    loss, gradients = _gradients("cpu", preset, half=False)
    with full_precision(exact):
        other, others = _gradients(device, preset, half)
    apart = {name: _apart(others[name], gradients[name]) for name in gradients}
    worst = max(apart, key=lambda name: apart[name])
    return {
        "loss": abs(other / loss - 1),
        "gradient": _apart(
            torch.cat([others[name].flatten() for name in gradients]),
            torch.cat([gradients[name].flatten() for name in gradients]),
        ),
        "worst_tensor": apart[worst],
        "worst_name": worst,
    }


def _gradients(device: str, preset: str, half: bool) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradients of one joint window per task."""
    model = fresh_model(preset, device).train()
    batch = random_batches(PRESETS[preset].model, 1)(0).to(torch.device(device))
    with torch.autocast(device, torch.bfloat16, enabled=half):
        loss = model.loss(batch)["loss"]
    loss.backward()
    gradients = {
        name: parameter.grad.double().cpu()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    return float(loss.detach()), gradients


def _plan(device: str, preset: str, graphed: bool) -> dict[str, Any]:
    task = "cbf-v0"
    size, agents = SHAPES[task].observation_size, SHAPES[task].agents
    seen = np.random.default_rng(0).standard_normal((agents, size), np.float32)
    with no_fallback(), full_precision(True):
        planners = [
            Planner(fresh_model(preset, place).requires_grad_(False).eval(), task, how)
            for place, how in (
                ("cpu", planner_config(3, False)),
                (device, planner_config(3, graphed)),
            )
        ]
        actions = [planner.act(seen, ring(agents)) for planner in planners]
    plans = [planner.plans.double().cpu() for planner in planners]
    return {
        "plans": _apart(plans[1], plans[0]),
        "equal_actions": float((actions[0] == actions[1]).mean()),
    }


def _apart(other: Tensor, reference: Tensor) -> float:
    size = reference.norm()
    return float((other - reference).norm() / size) if size > 0 else float(other.norm())
