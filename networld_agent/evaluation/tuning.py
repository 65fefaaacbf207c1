"""Chooses a task's guidance scale by playing validation worlds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.players import PlannerPlayer
from networld_agent.evaluation.scores import bootstrap_interval
from networld_agent.evaluation.worlds import Worlds
from networld_agent.planning import Planner, PlannerConfig

__all__ = ["SCALES", "Trial", "best_scale", "tune_guidance"]

#: In units of the latents' spread; 0 is the unguided planner.
SCALES: Final = (0.0, 0.03, 0.1, 0.2, 0.4)


@dataclass(frozen=True)
class Trial:
    """One scale's mean reward.

    Args:
        scale: of the guidance.
        reward: mean over validation episodes.
        gain: mean difference to the unguided planner in the same worlds.
        gain_interval: its 95 % bootstrap interval.
    """

    scale: float
    reward: float
    gain: float
    gain_interval: tuple[float, float]


def best_scale(trials: Sequence[Trial]) -> float:
    """The scale with the greatest mean reward; the smaller one of equals."""
    return max(trials, key=lambda trial: (trial.reward, -trial.scale)).scale


def tune_guidance(
    model: Any,
    task: str,
    worlds: Worlds,
    seeds: Sequence[int],
    steps: int,
    config: PlannerConfig | None = None,
    scales: Sequence[float] = SCALES,
    warm_up: int = 5,
) -> list[Trial]:
    """Plays the same validation worlds with every scale.

    Args:
        model: world model.
        task: its name in the model.
        worlds: environments.
        seeds: of the validation episodes.
        steps: per episode.
        config: how to plan; its own scale is ignored.
        scales: to try; 0 is always tried, as the reference.
        warm_up: random steps at the start of each episode.
    """
    config = PlannerConfig() if config is None else config
    rewards = {}
    for scale in sorted({0.0, *scales}):
        planner = Planner(model, task, dataclasses.replace(config, guidance_scale=scale))
        rewards[scale] = play(worlds, PlannerPlayer(planner), seeds, steps, warm_up).rewards
    return [
        Trial(
            scale,
            float(values.mean()),
            float((values - rewards[0.0]).mean()),
            bootstrap_interval(values - rewards[0.0]),
        )
        for scale, values in rewards.items()
    ]
