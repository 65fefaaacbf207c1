"""Chooses a task's temperature and guidance scale by playing validation worlds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.players import PlannerPlayer
from networld_agent.evaluation.scores import bootstrap_interval
from networld_agent.evaluation.worlds import Worlds
from networld_agent.model import WorldModel
from networld_agent.planning import Planner, PlannerConfig

__all__ = ["SCALES", "TEMPERATURES", "Trial", "best_trial", "store_trial", "tune_planner"]

#: In units of the latents' spread, from small to large; tried until the reward falls.
SCALES: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
#: From the cheapest: near the mean a single plan does; at 1, eight plans vote.
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
        kept: whether this temperature was, in the end.
    """

    temperature: float
    scale: float
    reward: float
    gain: float
    gain_interval: tuple[float, float]
    kept: bool = True


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The greatest mean reward at the temperature kept; the smaller scale of equals."""
    kept = [trial for trial in trials if trial.kept]
    return max(kept, key=lambda trial: (trial.reward, -trial.scale, -trial.temperature))


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
    """Plays the same validation worlds unguided with every temperature, then climbs the scales.

    The last temperature whose gain over the one kept before is certain (95 % interval) is kept,
    since the later ones draw more plans per decision. Scales are tried in ascending order until one
    is no better than the last: where guidance does nothing, that is after the first.

    Args:
        model: world model.
        task: its name in the model.
        worlds: environments.
        seeds: of the validation episodes.
        steps: per episode.
        config: how to plan; its own scale is ignored, its temperature, if it has one, is kept.
        scales: to climb at the temperature kept; 0 is the unguided planner.
        temperatures: to try, from the cheapest.
        warm_up: random steps at the start of each episode.
    """
    config = PlannerConfig() if config is None else config
    if config.temperature is not None:
        temperatures = (config.temperature,)

    def rewards(temperature: float, scale: float) -> NDArray[np.float64]:
        chosen = dataclasses.replace(config, temperature=temperature, guidance_scale=scale)
        planner = Planner(model, task, chosen)
        return play(worlds, PlannerPlayer(planner), seeds, steps, warm_up).rewards

    played = {(temperature, 0.0): rewards(temperature, 0.0) for temperature in temperatures}
    kept = temperatures[0]
    for temperature in temperatures[1:]:
        if bootstrap_interval(played[temperature, 0.0] - played[kept, 0.0])[0] > 0:
            kept = temperature
    last = played[kept, 0.0]
    for scale in sorted({*scales} - {0.0}):
        played[kept, scale] = rewards(kept, scale)
        if played[kept, scale].mean() <= last.mean():
            break
        last = played[kept, scale]
    return [
        Trial(
            temperature,
            scale,
            float(values.mean()),
            float((values - played[temperature, 0.0]).mean()),
            bootstrap_interval(values - played[temperature, 0.0]),
            temperature == kept,
        )
        for (temperature, scale), values in played.items()
    ]
