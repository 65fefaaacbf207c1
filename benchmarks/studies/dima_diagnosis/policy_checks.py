"""What a world model tells a policy that learns in it: rewards, and what it would do there.

A policy sees neither states nor errors; it sees which actions are said to pay. So these checks ask
what one agent's own action is said to earn, and how the rewards of imagined play compare with those
of real play from the same places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.baselines.dima.world_model import WorldModel
from benchmarks.baselines.mappo.policy import TeamPolicy
from benchmarks.studies.dima_diagnosis.model_checks import Agreement, Forks
from benchmarks.studies.dima_diagnosis.recording import Act, Recording

__all__ = ["Play", "RewardEffects", "imagined_play", "reward_effects", "sampled_act"]


@dataclass(frozen=True)
class RewardEffects:
    """What the reward model gets right in the first imagined step, where the state is real.

    Args:
        level: rewards of the places, about the true mean: what a constant misses.
        bias: mean predicted less mean true reward, in the environment's units.
        action: what changing one agent's action changes in the team's reward, over all agents.
        by_agent: the same for every agent.
    """

    level: Agreement
    bias: float
    action: Agreement
    by_agent: list[Agreement]


def reward_effects(model: WorldModel, forks: Forks) -> RewardEffects:
    """Compares predicted with true rewards, and what one agent's action changes in them.

    Args:
        model: of the environment that was forked.
        forks: of that.
    """
    states = forks.context.states[:, -1]
    base = model.reward_of(states, forks.actions).double()
    true = forks.rewards.double()
    changes = torch.stack(
        [model.reward_of(states, joint).double() - base for joint in forks.forked_actions]
    )
    wanted = forks.forked_rewards.double() - true
    return RewardEffects(
        Agreement.of(base - true.mean(), true - true.mean()),
        float(base.mean() - true.mean()),
        Agreement.of(changes, wanted),
        [Agreement.of(*pair) for pair in zip(changes, wanted, strict=True)],
    )


def sampled_act(policy: TeamPolicy) -> Act:
    """Acts as in training: drawn from the policy, not its best action."""

    def act(observations: Any) -> Any:
        with torch.no_grad():
            actions, _ = policy.network.sample(policy.scaling.joint_inputs(observations, None))
        return (actions if policy.codec.discrete else actions.clamp(-1, 1)).numpy()

    return act


@dataclass(frozen=True)
class Play:
    """A policy in the model and in the environment, from the same places, by steps ahead.

    Args:
        imagined: mean reward in the model, where the policy acts on imagined observations.
        true: mean reward in the environment.
        same_choice: with the true actions replayed in the model: share of agents whose best action
            is the same on the imagined as on the true observation (real actions: agree within a
            tenth of their range).
        same_as_before: the same for the observation at the start instead of the imagined one.
        entropy: of the policy, mean over true observations.
    """

    imagined: list[float]
    true: list[float]
    same_choice: list[float]
    same_as_before: list[float]
    entropy: float


def imagined_play(
    model: WorldModel, policy: TeamPolicy, played: Recording, horizon: int, starts: int
) -> Play:
    """Lets a policy act in the model from places that it has come to in the environment.

    Args:
        model: of the environment.
        policy: whose play was recorded, with `sampled_act`.
        played: that play.
        horizon: steps ahead.
        starts: evenly spaced in every episode.
    """
    size = model.config.denoiser.context
    places = np.unique(np.linspace(size - 1, played.num_steps - horizon, starts).astype(int))
    act = sampled_act(policy)
    imagined, true, same, before = (torch.zeros(horizon) for _ in range(4))
    for start in map(int, places):
        context = played.context(start, size)
        model.begin(context)
        observations = played.observations[:, start]
        for ahead in range(horizon):
            step = model.step(torch.from_numpy(act(observations.numpy())))
            observations = step.observations
            imagined[ahead] += step.reward.mean()
            true[ahead] += played.rewards[:, start + ahead].mean()
        model.begin(context)
        first = _best(policy, played.observations[:, start])
        for ahead in range(horizon):
            step = model.step(played.actions[:, start + ahead])
            wanted = _best(policy, played.observations[:, start + ahead + 1])
            same[ahead] += _equal(_best(policy, step.observations), wanted)
            before[ahead] += _equal(first, wanted)
    count = len(places)
    return Play(
        (imagined / count).tolist(),
        (true / count).tolist(),
        (same / count).tolist(),
        (before / count).tolist(),
        _entropy(policy, played),
    )


@torch.no_grad()
def _best(policy: TeamPolicy, observations: Tensor) -> Tensor:
    return policy.network.best(policy.scaling.joint_inputs(observations.numpy(), None))


def _equal(one: Tensor, two: Tensor) -> Tensor:
    close = one == two if one.dtype == torch.int64 else (one - two).abs().amax(-1) < 0.2
    return close.float().mean()


@torch.no_grad()
def _entropy(policy: TeamPolicy, played: Recording) -> float:
    inputs = policy.scaling.joint_inputs(played.observations[:, 0].numpy(), None)
    encoded = policy.network.best(inputs)
    return float(policy.network.evaluate(inputs, encoded)[1].mean())
