"""All figures of the diagnostics page for one task, from a model, its data and its environments."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from networld_agent.data.windows import JointWindows, WindowSource
from networld_agent.diagnostics.action_accuracy import (
    ActionAccuracy,
    action_accuracy,
    equal_actions,
)
from networld_agent.diagnostics.latent_prediction import LinearPredictor, persistence, step_errors
from networld_agent.diagnostics.rank_correlation import rank_correlation
from networld_agent.evaluation.episodes import Episodes, play
from networld_agent.evaluation.players import PlannerPlayer, PolicyPlayer
from networld_agent.evaluation.scores import bootstrap_interval
from networld_agent.keyed_random import stream_keys
from networld_agent.model import WorldModel
from networld_agent.planning import Planner, PlannerConfig
from networld_agent.planning.plan_generator import PlanGenerator
from networld_agent.planning.planning_model import PlanningModel
from networld_agent.planning.samplers import noised
from networld_agent.training.latent_health import effective_rank
from networld_agent.worlds.interface import Worlds
from wirelessenvs.json_values import finite_or_null

__all__ = [
    "Lift",
    "Measurements",
    "encoded",
    "measure",
    "measure_lift",
    "predictions",
    "rank_correlations",
]


@dataclass(frozen=True)
class Lift:
    """A way of planning against the plain sample, in the same worlds.

    Args:
        mode: of planning.
        reward: mean.
        lift: mean difference to the unsteered planner.
        interval: 95 % bootstrap interval of the lift over episodes.
        repeated: share of actions equal to the agent's last one.
    """

    mode: str
    reward: float
    lift: float
    interval: tuple[float, float]
    repeated: float


@dataclass(frozen=True)
class Measurements:
    """Figures of one task.

    Args:
        task: name.
        prediction_errors: of own latents by predictor, each `(S,)` shares of their variance for 1
            to S steps ahead.
        neighbor_errors: the same of the neighbours' means.
        first_moves: root mean square of the first step of plans and of data.
        actions: accuracy of the inverse dynamics on held-out data.
        planned_actions: share of the data's actions that the unsteered plan would take too.
        rank_correlations: of predicted with true returns, per noise level.
        signal_shares: alpha of each of these levels.
        effective_rank: of the latents.
        latent_size: D, the most that the rank could be.
        dimension_variances: `(D,)` of the latents, falling.
        expert_repeats: share of repeated actions in the data.
        lifts: by mode of planning; empty without environments.
    """

    task: str
    prediction_errors: dict[str, list[float]]
    neighbor_errors: dict[str, list[float]]
    first_moves: dict[str, float]
    actions: ActionAccuracy
    planned_actions: float
    rank_correlations: list[float]
    signal_shares: list[float]
    effective_rank: float
    latent_size: int
    dimension_variances: list[float]
    expert_repeats: float
    lifts: list[Lift]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return finite_or_null(dataclasses.asdict(self))


@torch.no_grad()
def encoded(model: WorldModel, task: str, windows: JointWindows) -> Tensor:
    """Segments `(W N, H, 2 D)` of own and neighbours' latents, as in training."""
    device = model.schedule.alpha_bar.device
    z = model.encode(task, torch.from_numpy(windows.observations).to(device))
    by_step = z.transpose(1, 2)
    weights = torch.from_numpy(windows.mean_weights).to(device)
    mean = model.heard(by_step, (weights,)).transpose(1, 2)
    return torch.cat([z, mean], -1).flatten(0, 1)


def _numbers(values: Tensor) -> NDArray[np.float32]:
    return values.float().cpu().numpy()


def predictions(
    model: PlanningModel,
    task: str,
    config: PlannerConfig,
    present: Tensor,
    samples: int,
    length: int,
    condition: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The model's predicted latents.

    Args:
        model: to predict with.
        task: name of its task.
        config: how plans are drawn; they are not steered.
        present: `(M, 2 D)` own and heard latents.
        samples: plans of each row.
        length: of the prediction. What lies beyond the model's horizon is the last step of a plan
            from as far ahead as needed: the model's longest look, from the surest state.
        condition: what the model's `condition` made of the rows' observations, whose context stays.

    Returns:
        The mean `(M, length, 2 D)` of the plans, and the first of them.
    """
    size = model.config.latent_size
    generator = PlanGenerator(model, task, dataclasses.replace(config, plan_mode="none"))
    rows = torch.arange(len(present), device=present.device)

    def drawn(sample: int) -> Tensor:
        plan = present[:, None]
        while plan.shape[1] < length:
            done = plan.shape[1]
            start = max(0, done - model.config.horizon + 1)
            stream = torch.tensor([sample, start], device=rows.device)
            further = generator.generate(
                plan[:, start, :size], plan[:, start, size:], stream_keys(rows, *stream),
                condition=condition,
            )  # fmt: skip
            plan = torch.cat([plan, further[:, done - start :]], 1)
        return plan[:, :length]

    plans = [drawn(sample) for sample in range(samples)]
    return torch.stack(plans).mean(0), plans[0]


@torch.no_grad()
def measure(
    model: WorldModel,
    task: str,
    training: WindowSource,
    held_out: WindowSource,
    config: PlannerConfig | None = None,
    windows: int = 96,
    samples: int = 32,
    seed: int = 0,
    ahead: int = 8,
) -> Measurements:
    """Everything that needs no environment.

    Args:
        model: to examine.
        task: name of its task.
        training: that the linear model is fitted on.
        held_out: that everything is measured on.
        config: how to plan.
        windows: joint windows to draw; the linear model gets at least 512.
        samples: plans whose mean is the world model's prediction: the mean is what a squared error
            asks for, and what the linear model gives (of n plans it is 1/n too uncertain).
        seed: of the windows.
        ahead: steps to predict, at least those of the model's horizon.
    """
    config = PlannerConfig() if config is None else config
    size, horizon = model.config.latent_size, model.config.horizon
    length = max(horizon, ahead + 1)
    # Least squares on few rows would be a weak rival.
    fitted = _numbers(encoded(model, task, training.draw(max(windows, 512), length, seed)))
    drawn = held_out.draw(windows, length, seed + 1)
    segments = encoded(model, task, drawn)
    actual = _numbers(segments)
    seen = torch.from_numpy(drawn.observations).to(segments.device).flatten(0, 1)
    condition = model.condition(task, seen[:, 0])
    mean, sample = predictions(model, task, config, segments[:, 0], samples, length, condition)
    predicted = _numbers(mean)
    # The noisiest level shows nothing of the plan: the estimate there is the conditional mean.
    single = dataclasses.replace(config, steps=1, warm_start=0)
    once, _ = predictions(model, task, single, segments[:, 0], 1, length, condition)
    at_once = _numbers(once)
    errors: list[dict[str, list[float]]] = []
    for part in (slice(0, size), slice(size, None)):
        linear = LinearPredictor.fit(fitted[:, 0], fitted[..., part])
        mine = actual[..., part]
        by_predictor = {
            "world model": predicted[..., part],
            "world model, one step": at_once[..., part],
            "linear": linear.predict(actual[:, 0], mine),
            "persistence": persistence(mine),
        }
        errors.append({n: step_errors(p, mine).tolist() for n, p in by_predictor.items()})
    own = segments[..., :size]
    known = model.known(task, own, seen)
    accuracy, planned = _actions(model, task, own, known, sample[..., :size], drawn, config)
    steered = PlanGenerator(model, task, dataclasses.replace(config, plan_mode="guide")).generate(
        own[:, 0], segments[:, 0, size:], stream_keys(torch.arange(len(own), device=own.device)),
        condition=condition,
    )  # fmt: skip
    moves = {"data": own, "unsteered": sample[..., :size], "guided": steered[..., :size]}
    first_moves = {
        name: float((z[:, 1] - z[:, 0]).square().mean().sqrt()) for name, z in moves.items()
    }
    discount = model.tasks[task].gamma ** np.arange(horizon - 1)
    true_returns = (drawn.rewards[..., : horizon - 1] @ discount).ravel()
    flat = own.reshape(-1, size)
    return Measurements(
        task=task,
        prediction_errors=errors[0],
        neighbor_errors=errors[1],
        first_moves=first_moves,
        actions=accuracy,
        planned_actions=planned,
        rank_correlations=rank_correlations(
            model, task, segments[:, :horizon], true_returns, condition
        ),
        signal_shares=model.schedule.alpha_bar.sqrt().tolist(),
        effective_rank=effective_rank(flat),
        latent_size=size,
        dimension_variances=sorted(flat.var(0).tolist(), reverse=True),
        expert_repeats=float(training.dataset.metadata.statistics["repeated_actions"]),
        lifts=[],
    )


def _actions(
    model: WorldModel,
    task: str,
    own: Tensor,
    known: Tensor,
    sample: Tensor,
    drawn: JointWindows,
    config: PlannerConfig,
) -> tuple[ActionAccuracy, float]:
    """Accuracy on true transitions, and how often the plan's first action is the data's."""
    spec = model.tasks[task].action
    width = np.subtract(spec.high, spec.low) if spec.kind == "box" else None
    actions = drawn.actions.reshape(len(own), own.shape[1] - 1, -1)

    def decoded(now: Tensor, z_next: Tensor) -> NDArray[Any]:
        values = model.decode_actions(task, now, z_next, config.decoding)
        return values.cpu().numpy().reshape(-1, actions.shape[2])

    # From the second action on: the first has no last one in the window.
    recovered = decoded(known[:, 1:-1].flatten(0, 1), own[:, 2:].flatten(0, 1))
    now, last = (part.reshape(-1, actions.shape[2]) for part in (actions[:, 1:], actions[:, :-1]))
    planned = decoded(known[:, 0], sample[:, 1])
    share = float(equal_actions(planned, actions[:, 0], width).mean())
    return action_accuracy(recovered, now, last, width), share


def rank_correlations(
    model: WorldModel,
    task: str,
    segments: Tensor,
    true_returns: NDArray[np.float64],
    condition: Tensor | None = None,
) -> list[float]:
    """Per noise level: what the classifier still sees of the return."""
    generator = torch.Generator().manual_seed(0)
    index = torch.full((len(segments),), model.tasks[task].index, device=segments.device)
    result, context = [], () if condition is None else (condition,)
    for level, alpha_bar in enumerate(model.schedule.alpha_bar.tolist()):
        noise = torch.randn(segments.shape, generator=generator).to(segments.device)
        x = noised(segments, noise, alpha_bar)
        x[:, 0] = segments[:, 0]
        predicted = model.predicted_return(x, torch.full_like(index, level), index, *context)
        result.append(rank_correlation(_numbers(predicted), true_returns))
    return result


def measure_lift(
    model: WorldModel,
    task: str,
    worlds: Worlds,
    seeds: Sequence[int],
    steps: int,
    config: PlannerConfig | None = None,
    modes: Sequence[str] = ("guide", "select", "both"),
    warm_up: int = 5,
) -> list[Lift]:
    """Rewards of every way of planning, unsteered first, expert last, in the same worlds.

    Args:
        model: to plan with.
        task: name of its task.
        worlds: environments.
        seeds: of the episodes; not those that the guidance scale was tuned on.
        steps: per episode.
        config: how to plan.
        modes: to compare with the unsteered planner.
        warm_up: random steps at the start.
    """
    config = PlannerConfig() if config is None else config
    played: dict[str, Episodes] = {}
    for mode in ("none", *modes):
        planner = Planner(model, task, dataclasses.replace(config, plan_mode=mode))
        played[mode] = play(worlds, PlannerPlayer(planner), seeds, steps, warm_up)
    if worlds.simulator is not None:
        played["expert"] = play(worlds, PolicyPlayer(worlds, "expert"), seeds, steps, warm_up)
    plain = played["none"].rewards
    return [
        Lift(
            mode,
            float(episodes.rewards.mean()),
            float((episodes.rewards - plain).mean()),
            bootstrap_interval(episodes.rewards - plain),
            float(episodes.repeated.mean()),
        )
        for mode, episodes in played.items()
    ]
