"""The policy learns in the model's imagination; arXiv 2505.20922, section 4.3."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.baselines.dima.memory import Start
from benchmarks.baselines.dima.policy_config import ImaginationConfig
from benchmarks.baselines.dima.sequences import WorldSpec
from benchmarks.baselines.dima.world_model import WorldModel
from benchmarks.baselines.mappo.advantages import lambda_returns
from benchmarks.baselines.mappo.ppo import Experience, TeamPPO
from benchmarks.baselines.shared.observation_scaling import ObservationScaling

__all__ = ["Imagined", "critic_size", "flat_actions", "imagine", "improve"]


def critic_size(model: WorldModel, config: ImaginationConfig) -> int:
    """Entries of what the critic sees: the scaled state, then the last joint action if at all."""
    spec = model.spec
    if not config.critic_actions:
        return spec.state_size
    return spec.state_size + spec.num_agents * (spec.num_choices or spec.action_size)


@dataclass(frozen=True)
class Imagined:
    """H steps of B imagined episodes.

    Args:
        inputs: `(H, B, n, k)` scaled observations acted on.
        actions: `(H, B, n[, A])` as they were drawn.
        log_probs: `(H, B, n)`.
        critic_inputs: `(H + 1, B, c)` before every step, and after the last.
        rewards: `(H, B)`.
        terminated: `(H, B)` booleans, where the model says that the episode ends.
    """

    inputs: Tensor
    actions: Tensor
    log_probs: Tensor
    critic_inputs: Tensor
    rewards: Tensor
    terminated: Tensor

    @property
    def alive(self) -> Tensor:
        """`(H, B)` true up to the step that ends an episode; what follows never was."""
        ended = self.terminated.cumsum(0) - self.terminated.long()
        return ended == 0


@torch.no_grad()
def imagine(
    model: WorldModel, ppo: TeamPPO, scaling: ObservationScaling, start: Start, horizon: int
) -> Imagined:
    """Acts in the model; no gradient passes through it.

    Args:
        model: of the environment.
        ppo: whose actor acts, with noise.
        scaling: of the observations.
        start: B real states with their past.
        horizon: H.
    """
    model.begin(start.context)
    observations = start.observations
    assert isinstance(ppo.config, ImaginationConfig)
    with_actions = ppo.config.critic_actions

    def shown(states: Tensor, actions: Tensor) -> Tensor:
        scaled = model.scaled_states(states)
        return torch.cat([scaled, actions], -1) if with_actions else scaled

    seen = [shown(start.context.states[:, -1], _last_action(model, start))]
    columns: list[tuple[Tensor, ...]] = []
    for _ in range(horizon):
        inputs = scaling(observations)
        actions, log_probs = ppo.actor.sample(inputs)
        # The environment, too, takes the nearest legal action for one beyond the bounds.
        taken = actions if model.spec.discrete else actions.clamp(-1, 1)
        step = model.step(taken)
        observations = step.observations
        seen.append(shown(step.state, flat_actions(model.spec, taken)))
        columns.append((inputs, actions, log_probs, step.reward, step.termination > 0.5))
    inputs, actions, log_probs, rewards, terminated = map(torch.stack, zip(*columns, strict=True))
    return Imagined(inputs, actions, log_probs, torch.stack(seen), rewards, terminated)


def improve(ppo: TeamPPO, imagined: Imagined) -> dict[str, Tensor]:
    """One policy update on imagined steps; scalars for the log."""
    values = ppo.values(imagined.critic_inputs)
    continues = 1 - imagined.terminated.to(values.dtype)
    config = ppo.config
    returns = lambda_returns(
        imagined.rewards, values[1:], continues, imagined.terminated, config.gamma, config.trace
    )
    alive = imagined.alive
    experience = Experience(
        imagined.inputs[alive],
        imagined.actions[alive],
        imagined.log_probs[alive],
        imagined.critic_inputs[:-1][alive][:, None],
        (returns - values[:-1])[alive][:, None],
        returns[alive][:, None],
    )
    reward = imagined.rewards[alive].mean()
    return {"imagined_reward": reward, **ppo.update(experience)}


def flat_actions(spec: WorldSpec, actions: Tensor) -> Tensor:
    """Joint actions `(B, n[, A])` as `(B, n K)` with a 1 per choice, or `(B, n A)`."""
    if spec.discrete:
        return nn.functional.one_hot(actions, spec.num_choices).flatten(1).float()
    return actions.flatten(1)


def _last_action(model: WorldModel, start: Start) -> Tensor:
    """Zero where the episode has just begun."""
    known = start.context.valid[:, -2, None]
    return flat_actions(model.spec, start.context.actions[:, -1]) * known
