"""Chooses a task's options of planning by playing validation worlds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.players import PlannerPlayer, check_fit
from networld_agent.evaluation.scores import bootstrap_interval
from networld_agent.model import WorldModel
from networld_agent.planning import Planner, PlannerConfig
from networld_agent.planning.planner_config import DEFAULT_STEPS
from networld_agent.worlds.interface import Worlds

__all__ = [
    "FEWER_STEPS",
    "SCALES",
    "TEMPERATURES",
    "VALUE_SCALES",
    "Trial",
    "best_trial",
    "store_trial",
    "tune_model",
    "tune_planner",
]

#: In units of the latents' spread, from small to large; tried until the reward falls.
SCALES: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
#: From the cheapest: near the mean a single plan does; at 1, eight plans vote.
TEMPERATURES: Final = (0.5, 1.0)
#: Weights of actions' values, where a model has learnt some; all are tried.
VALUE_SCALES: Final = (10.0, 30.0, 100.0, 300.0)
#: Denoising steps to try instead of the planner's: a decision takes time in proportion to them.
FEWER_STEPS: Final = (1, 2)


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
        denoising_steps: of a plan.
        value_scale: weight of actions' values; None where the model has none.
    """

    temperature: float
    scale: float
    reward: float
    gain: float
    gain_interval: tuple[float, float]
    kept: bool = True
    denoising_steps: int = DEFAULT_STEPS
    value_scale: float | None = None


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The greatest mean reward at the temperature kept, at the greatest number of steps.

    Of equals, the smaller scale. If fewer steps earn as much with that setting, the fewest that do.
    Weights of values were tried with what is best without them.
    """
    weighed = [trial for trial in trials if trial.value_scale]
    plain = [trial for trial in trials if not trial.value_scale]
    chosen = _best_plan(plain)
    return max([chosen, *weighed], key=lambda trial: trial.reward)


def _best_plan(trials: Sequence[Trial]) -> Trial:
    kept = [trial for trial in trials if trial.kept]
    most = max(trial.denoising_steps for trial in kept)
    full = [trial for trial in kept if trial.denoising_steps == most]
    best = max(full, key=lambda trial: (trial.reward, -trial.scale, -trial.temperature))
    as_good = [
        trial
        for trial in kept
        if (trial.temperature, trial.scale) == (best.temperature, best.scale)
        and trial.reward >= best.reward
    ]
    return min(as_good, key=lambda trial: trial.denoising_steps)


def store_trial(path: Path, task: str, trial: Trial) -> None:
    """Writes a trial's setting into a saved model, as that of the task.

    The model is read anew: a planner's copy is for planning, on its device.
    """
    model = WorldModel.load(path)
    spec = dataclasses.replace(
        model.tasks[task],
        guidance_scale=trial.scale,
        temperature=trial.temperature,
        denoising_steps=trial.denoising_steps,
        value_scale=trial.value_scale,
    )
    model.set_task(spec)
    model.save(path)


def tune_model(
    path: Path,
    worlds: Sequence[Worlds],
    seeds: Sequence[int],
    steps: int,
    config: PlannerConfig | None = None,
    device: str = "auto",
    warm_up: int = 5,
) -> list[Trial]:
    """Tunes the planner of a saved model and stores the best trial with the model.

    Args:
        path: folder of the model.
        worlds: of the task that is tuned for: one, or those of several deployments.
        seeds: of the validation episodes, the same in all of them.
        steps: per episode.
        config: as in `tune_planner`.
        device: as in `Planner.load`.
        warm_up: random steps at the start of each episode.

    Returns:
        All trials; `best_trial` is the one that was stored.

    Raises:
        ValueError: if the model was not made for these worlds.
    """
    task = worlds[0].task
    planner = Planner.load(path, task, config, device)
    for one in worlds:
        check_fit(planner, one)
    trials = tune_planner(
        planner.model, task, worlds, seeds, steps, planner.config, warm_up=warm_up
    )
    store_trial(path, task, best_trial(trials))
    return trials


def tune_planner(
    model: Any,
    task: str,
    worlds: Sequence[Worlds],
    seeds: Sequence[int],
    steps: int,
    config: PlannerConfig | None = None,
    scales: Sequence[float] = SCALES,
    temperatures: Sequence[float] = TEMPERATURES,
    warm_up: int = 5,
    fewer: Sequence[int] = FEWER_STEPS,
    value_scales: Sequence[float] = VALUE_SCALES,
) -> list[Trial]:
    """Plays the same validation worlds unguided with every temperature, then climbs the scales.

    The last temperature whose gain over the one kept before is certain (95 % interval) is kept,
    since the later ones draw more plans per decision. Scales are tried in ascending order until one
    is no better than the last: where guidance does nothing, that is after the first. With the best
    setting, fewer denoising steps are tried, and in the end, where the model has values of actions,
    their weights.

    Args:
        model: world model.
        task: its name in the model.
        worlds: environments, or those of several deployments.
        seeds: of the validation episodes, the same in all of them.
        steps: per episode.
        config: how to plan; its own scales are ignored; its temperature and its steps, if it has
            any, are kept.
        scales: to climb at the temperature kept; 0 is the unguided planner.
        temperatures: to try, from the cheapest.
        fewer: numbers of denoising steps to try instead of the usual one.
        value_scales: weights of values to try.
        warm_up: random steps at the start of each episode.
    """
    config = PlannerConfig() if config is None else config
    if config.temperature is not None:
        temperatures = (config.temperature,)

    usual = min(config.steps or DEFAULT_STEPS, len(model.schedule.alpha_bar))
    fewer = [] if config.steps else [number for number in sorted({*fewer}) if number < usual]

    def rewards(
        temperature: float, scale: float, count: int = usual, value_scale: float = 0.0
    ) -> NDArray[np.float64]:
        chosen = dataclasses.replace(
            config, temperature=temperature, guidance_scale=scale, steps=count,
            value_scale=value_scale,
        )  # fmt: skip
        planner = Planner(model, task, chosen)
        player = PlannerPlayer(planner)
        return np.concatenate([play(one, player, seeds, steps, warm_up).rewards for one in worlds])

    unguided = {temperature: rewards(temperature, 0.0) for temperature in temperatures}
    played = {(temperature, 0.0, usual): values for temperature, values in unguided.items()}
    kept = temperatures[0]
    for temperature in temperatures[1:]:
        if bootstrap_interval(unguided[temperature] - unguided[kept])[0] > 0:
            kept = temperature
    best, last = 0.0, unguided[kept]
    for scale in sorted({*scales} - {0.0}):
        values = played[kept, scale, usual] = rewards(kept, scale)
        if values.mean() <= last.mean():
            break
        best, last = scale, values
    for count in fewer:
        if config.warm_start <= count:
            played[kept, best, count] = rewards(kept, best, count)
    has_values = model.tasks[task].value_scale is not None
    none = 0.0 if has_values else None

    def trial(
        setting: tuple[float, float, int], values: NDArray[np.float64], value_scale: float | None
    ) -> Trial:
        temperature, scale, count = setting
        gains = values - unguided[temperature]
        return Trial(
            temperature, scale, float(values.mean()), float(gains.mean()),
            bootstrap_interval(gains), temperature == kept, count, value_scale,
        )  # fmt: skip

    trials = [trial(setting, values, none) for setting, values in played.items()]
    if has_values:
        best_plan = _best_plan(trials)
        chosen = best_plan.temperature, best_plan.scale, best_plan.denoising_steps
        trials += [trial(chosen, rewards(*chosen, x), x) for x in sorted({*value_scales} - {0.0})]
    return trials
