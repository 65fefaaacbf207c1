"""Chooses a task's temperature and guidance scale by playing validation worlds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.players import PlannerPlayer
from networld_agent.evaluation.scores import bootstrap_interval
from networld_agent.evaluation.worlds import Worlds
from networld_agent.model import WorldModel
from networld_agent.planning import Planner, PlannerConfig

__all__ = ["SCALES", "TEMPERATURES", "Trial", "best_trial", "store_trial", "tune_planner"]

#: In units of the latents' spread; 0 is the unguided planner.
SCALES: Final = (0.0, 0.03, 0.1, 0.2, 0.4)
#: Near the mean, plans are precise, but a planner that has left the data can stay where it is.
TEMPERATURES: Final = (0.5, 1.0)


@dataclass(frozen=True)
class Trial:
    """One setting's mean reward.

    Args:
        temperature: of the sampler's noise.
        scale: of the guidance.
        reward: mean over validation episodes.
        gain: mean difference to the unguided planner of that temperature in the same worlds.
        gain_interval: its 95 % bootstrap interval.
    """

    temperature: float
    scale: float
    reward: float
    gain: float
    gain_interval: tuple[float, float]


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The one with the greatest mean reward; the smaller scale and temperature of equals."""
    return max(trials, key=lambda trial: (trial.reward, -trial.scale, -trial.temperature))


def store_trial(path: Path, task: str, trial: Trial) -> None:
    """Writes a trial's setting into a saved model, as that of the task.

    The model is read anew: a planner's copy is for planning, on its device.
    """
    model = WorldModel.load(path)
    spec = dataclasses.replace(
        model.tasks[task], guidance_scale=trial.scale, temperature=trial.temperature
    )
    model.set_task(spec)
    model.save(path)


def tune_planner(
    model: Any,
    task: str,
    worlds: Worlds,
    seeds: Sequence[int],
    steps: int,
    config: PlannerConfig | None = None,
    scales: Sequence[float] = SCALES,
    temperatures: Sequence[float] = TEMPERATURES,
    warm_up: int = 5,
) -> list[Trial]:
    """Plays the same validation worlds unguided with every temperature, then with every scale.

    Args:
        model: world model.
        task: its name in the model.
        worlds: environments.
        seeds: of the validation episodes.
        steps: per episode.
        config: how to plan; its own scale is ignored, its temperature, if it has one, is kept.
        scales: to try at the best temperature.
        temperatures: to try.
        warm_up: random steps at the start of each episode.
    """
    config = PlannerConfig() if config is None else config
    if config.temperature is not None:
        temperatures = (config.temperature,)

    def rewards(temperature: float, scale: float) -> Any:
        chosen = dataclasses.replace(config, temperature=temperature, guidance_scale=scale)
        planner = Planner(model, task, chosen)
        return play(worlds, PlannerPlayer(planner), seeds, steps, warm_up).rewards

    plain = {temperature: rewards(temperature, 0.0) for temperature in temperatures}
    played = {(temperature, 0.0): values for temperature, values in plain.items()}
    best = max(plain, key=lambda temperature: float(plain[temperature].mean()))
    for scale in sorted({*scales} - {0.0}):
        played[best, scale] = rewards(best, scale)
    return [
        Trial(
            temperature,
            scale,
            float(values.mean()),
            float((values - plain[temperature]).mean()),
            bootstrap_interval(values - plain[temperature]),
        )
        for (temperature, scale), values in played.items()
    ]
