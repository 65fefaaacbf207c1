"""What a world model gets right: effects of actions, errors over time, indifference to order.

Effects are compared with those in the environment itself: a second copy of it is played to the same
place, and one agent then acts otherwise. Everything random in it stays the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from benchmarks.baselines.dima.edm import SIGMA_DATA
from benchmarks.baselines.dima.sequences import Context
from benchmarks.baselines.dima.world_model import WorldModel
from benchmarks.baselines.online.team_env import TeamEnv
from benchmarks.studies.dima_diagnosis.recording import Act, Recording, random_actions

__all__ = [
    "ORDERS",
    "AgentEffects",
    "Agreement",
    "Forks",
    "Prediction",
    "effects",
    "fork",
    "prediction",
]

#: Of the agents over the denoising steps.
ORDERS: Final = ("ascending", "descending")


@dataclass(frozen=True)
class Forks:
    """Places in episodes, and where the next step leads if one agent acts otherwise.

    Args:
        context: of R places.
        actions: `(R, n[, A])` taken there.
        next_states: `(R, S)` that they lead to.
        rewards: `(R,)` that they earn.
        forked_actions: `(n, R, n[, A])`, of which [k] differs for agent k alone.
        forked_states: `(n, R, S)` that these lead to.
        forked_rewards: `(n, R)` that these earn.
    """

    context: Context
    actions: Tensor
    next_states: Tensor
    rewards: Tensor
    forked_actions: Tensor
    forked_states: Tensor
    forked_rewards: Tensor


def fork(
    make: Callable[[], TeamEnv],
    times: Sequence[int],
    seed: int,
    context: int = 3,
    act: Act | None = None,
) -> Forks:
    """Plays episodes, and at some times each agent's action once more otherwise.

    Args:
        make: makes B environments; called twice.
        times: steps before the fork, ascending, each at least `context` - 1.
        seed: of episodes and random actions.
        context: C, states kept before each fork.
        act: chooses the actions of the episodes; random ones by default, as those of the forks are.
    """
    env, copy = make(), make()
    rng = np.random.default_rng([seed, 2])
    observations, first = env.reset(seed)
    states, taken = [first], []
    found: list[tuple[Any, ...]] = []
    for t in range(times[-1] + 1):
        actions = random_actions(env, rng) if act is None else act(observations)
        if t in times:
            place, other = env.position(), random_actions(env, rng)
            changed = [actions.copy() for _ in range(env.num_agents)]
            led = []
            for agent, joint in enumerate(changed):
                joint[:, agent] = other[:, agent]
                copy.restore(seed, place)
                led.append(copy.step(joint))
        taken.append(actions)
        step = env.step(actions)
        if t in times:
            past = (np.stack(states[-context:], 1), np.stack(taken[-context:-1], 1))
            forked_states = np.stack([end.final_state for end in led])
            forked_rewards = np.stack([end.reward for end in led])
            found.append((
                *past, actions, step.final_state, step.reward,
                np.stack(changed), forked_states, forked_rewards,
            ))  # fmt: skip
        if (step.terminated | step.truncated).any() and t < times[-1]:
            raise ValueError(f"an episode of {env.task} ended before step {times[-1]}.")
        observations = step.observations
        states.append(step.final_state)
    columns = [list(column) for column in zip(*found, strict=True)]
    joined = [torch.from_numpy(np.concatenate(c)) for c in columns[:5]]
    forked = [torch.from_numpy(np.concatenate(c, 1)) for c in columns[5:]]
    valid = torch.ones(len(joined[0]), context, dtype=torch.bool)
    return Forks(Context(joined[0], joined[1], valid), *joined[2:], *forked)


@dataclass(frozen=True)
class Agreement:
    """Predicted against true numbers.

    Args:
        slope: of predicted on true ones; 1 is right.
        correlation: of the same.
        error: root mean square of their difference, against that of the true ones.
    """

    slope: float
    correlation: float
    error: float

    @classmethod
    def of(cls, predicted: Tensor, true: Tensor) -> Agreement:
        """Of numbers whose mean is meant to be zero."""
        predicted, true = predicted.double().flatten(), true.double().flatten()
        product, size = predicted @ true, (true @ true).clamp(min=1e-12)
        spread = ((predicted @ predicted) * size).sqrt().clamp(min=1e-12)
        off = (predicted - true).square().sum()
        return cls(float(product / size), float(product / spread), float((off / size).sqrt()))


@dataclass(frozen=True)
class AgentEffects:
    """Predicted against true effects of one agent's action on the next state.

    Args:
        agent: number.
        order: of the agents over the denoising steps.
        place: of the agent in that order, from 0.
        slope: of predicted on true effects, all entries of the state together; 1 is right.
        correlation: of the same.
        error: root mean square of their difference, against that of the true effects.
    """

    agent: int
    order: str
    place: int
    slope: float
    correlation: float
    error: float


def effects(model: WorldModel, forks: Forks, draws: int = 4) -> tuple[list[AgentEffects], float]:
    """Effects of every agent under both orders, and how much the order matters.

    Args:
        model: of the environment that was forked.
        forks: of that.
        draws: of the noise that samples start from; effects are means over these.

    Returns:
        Effects, and the root mean square difference of the samples of the two orders from the same
        noise, in standard deviations of the state.
    """
    count, rows = model.spec.num_agents, len(forks.actions)
    context, model = forks.context, model.eval()
    past = model.scaled_states(context.states)
    steps = model.config.denoiser.steps(count)
    noise = torch.randn(draws, *forks.next_states.shape)
    found, plain = [], []
    for name in ORDERS:
        agents = torch.arange(count) if name == "ascending" else torch.arange(count).flip(0)
        order = agents[torch.arange(steps) * count // steps].expand(rows, -1)

        def sampled(actions: Tensor, order: Tensor = order) -> Tensor:
            joint = torch.cat([context.actions, actions[:, None]], 1)
            samples = [
                model.denoiser.sample(past, joint, context.valid, order, noise=start)
                for start in noise
            ]
            return torch.stack(samples) / SIGMA_DATA

        base = sampled(forks.actions)
        plain.append(base)
        for agent in range(count):
            predicted = (sampled(forks.forked_actions[agent]) - base).mean(0)
            true = model.states(forks.forked_states[agent]) - model.states(forks.next_states)
            place = agent if name == "ascending" else count - 1 - agent
            agreement = dataclasses.astuple(Agreement.of(predicted, true))
            found.append(AgentEffects(agent, name, place, *agreement))
    apart = (plain[0] - plain[1]).square().mean().sqrt().item()
    return found, apart


@dataclass(frozen=True)
class Prediction:
    """Errors over imagined steps, each a list from one step ahead on.

    Args:
        state: root mean square error of states, in standard deviations.
        persistence: that of repeating the present state.
        reward: root mean square error of rewards, in standard deviations.
        observation: mean absolute error of observations, in standard deviations.
    """

    state: list[float]
    persistence: list[float]
    reward: list[float]
    observation: list[float]


def prediction(model: WorldModel, held_out: Recording, horizon: int, starts: int) -> Prediction:
    """Imagines on from real states with the actions that were taken there.

    Args:
        model: of the environment.
        held_out: episodes that it has not seen.
        horizon: steps.
        starts: evenly spaced in every episode.

    Raises:
        ValueError: if the episodes are too short.
    """
    size = model.config.denoiser.context
    last = held_out.num_steps - horizon
    if last < size - 1:
        raise ValueError(
            f"episodes must have at least {horizon + size - 1} steps, got {held_out.num_steps}."
        )
    rows: list[Tensor] = []
    for start in np.unique(np.linspace(size - 1, last, starts).astype(int)):
        model.begin(held_out.context(int(start), size))
        present = model.states(held_out.states[:, start])
        row = []
        for t in range(start, start + horizon):
            step = model.step(held_out.actions[:, t])
            true = model.states(held_out.states[:, t + 1])
            seen = held_out.observations[:, t + 1].flatten(1)
            off = model.rewards(step.reward[:, None]) - model.rewards(held_out.rewards[:, t, None])
            row.append(
                torch.stack(
                    [
                        (model.states(step.state) - true).square().mean(),
                        (present - true).square().mean(),
                        off.square().mean(),
                        (
                            model.observations(step.observations.flatten(1))
                            - model.observations(seen)
                        )
                        .abs()
                        .mean(),
                    ]
                )
            )
        rows.append(torch.stack(row))
    mean = torch.stack(rows).mean(0)
    mean[:, :3] = mean[:, :3].sqrt()
    return Prediction(*(column.tolist() for column in mean.T))
