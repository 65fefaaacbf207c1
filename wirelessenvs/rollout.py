"""Plays a policy on a batch and averages what happened: the loop behind tables and demos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.policy import Policy
from wirelessenvs.simulator import Simulator

__all__ = ["run_policy"]


def run_policy(
    simulator: Simulator[Any],
    policy: Policy,
    steps: int,
    seeds: int | Sequence[int | None] | None = 0,
    progress: Callable[[int], None] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Means over steps and agents of the reward and of every metric, per environment.

    The simulator is reset first and again wherever an episode ends; so is the policy's memory.
    The policy receives exactly the privileged view of its information class.

    Args:
        simulator: of any batch size B.
        policy: built for the same batch size.
        steps: number of steps to play.
        seeds: as in `Simulator.reset`.
        progress: called with the number of steps done after each step.

    Returns:
        `{"reward": (B,), metric: (B,), ...}`.
    """
    observations = simulator.reset(seeds)
    policy.reset()
    totals = {name: np.zeros(simulator.num_envs) for name in ("reward", *simulator.metric_names)}
    for done in range(1, steps + 1):
        actions = policy(observations, simulator.privileged(policy.information))
        step = simulator.step(actions)
        observations = step.observations
        totals["reward"] += step.rewards.mean(1)
        for name in simulator.metric_names:
            totals[name] += step.metrics[name].mean(1)
        if step.truncated.any():
            observations = simulator.reset(mask=step.truncated)
            policy.reset(step.truncated)
        if progress is not None:
            progress(done)
    return {name: total / steps for name, total in totals.items()}
