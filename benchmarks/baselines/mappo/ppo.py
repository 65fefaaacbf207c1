"""Proximal policy optimisation of a shared actor and a critic."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.baselines.mappo.config import PpoConfig
from benchmarks.baselines.mappo.critic import Critic
from benchmarks.baselines.mappo.value_normaliser import ValueNormaliser
from benchmarks.baselines.shared.gradients import clip_gradients

__all__ = ["Experience", "TeamPPO", "Values", "clipped_objective", "means"]


#: Scalars for the log, by name.
Values = dict[str, Tensor]


@dataclass(frozen=True)
class Experience:
    """Steps that a policy update learns from. v is 1 for a value of the team, n for one per agent.

    Args:
        inputs: `(M, n, k)` scaled observations.
        actions: `(M, n)` indices or `(M, n, A)` reals, as they were drawn.
        log_probs: `(M, n)` of these, when they were drawn.
        critic_inputs: `(M, v, c)`.
        advantages: `(M, v)`.
        returns: `(M, v)` that the critic is to learn.
    """

    inputs: Tensor
    actions: Tensor
    log_probs: Tensor
    critic_inputs: Tensor
    advantages: Tensor
    returns: Tensor

    def rows(self, index: Tensor) -> Experience:
        """A selection of the steps."""
        return Experience(*(getattr(self, f.name)[index] for f in dataclasses.fields(self)))

    def __len__(self) -> int:
        return len(self.returns)


def clipped_objective(ratio: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """The actor's objective per action (arXiv 1707.06347, equation 7).

    Where an action has already gained, or lost, more than `clip`, its gradient is zero.

    Args:
        ratio: probability of the action now over that when it was drawn.
        advantages: of the action.
        clip: epsilon.
    """
    limited = ratio.clamp(1 - clip, 1 + clip)
    return torch.minimum(ratio * advantages, limited * advantages)


class TeamPPO(nn.Module):
    """Actor, critic and the statistics of returns, with their updates.

    Args:
        actor: of all agents, with `sample`, `evaluate` and `best` as `TeamActor` has them.
        critic_inputs: c, entries of what the critic sees.
        config: of the method.
    """

    def __init__(self, actor: Any, critic_inputs: int, config: PpoConfig) -> None:
        super().__init__()
        self.config = config
        self.actor = actor
        self.critic = Critic(critic_inputs, config.hidden_size, config.normalise_inputs)
        self.normaliser = ValueNormaliser(config.value_decay)

    def make_optimizers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        """Adam for the actor, and for the critic; to be made once."""
        rate = self.config.learning_rate
        self._optimizers = (
            torch.optim.Adam(self.actor.parameters(), rate, eps=1e-5),
            torch.optim.Adam(self.critic.parameters(), rate, eps=1e-5),
        )
        return self._optimizers

    @torch.no_grad()
    def values(self, critic_inputs: Tensor) -> Tensor:
        """`(..., c)` to returns `(...)` that the critic expects."""
        return self.normaliser.denormalise(self.critic(critic_inputs))

    def update(self, experience: Experience) -> Values:
        """One policy update: several passes in shuffled batches; scalars for the log."""
        return self.passes(self.prepared(experience), self.actor)

    def prepared(self, experience: Experience) -> Experience:
        """Takes in the returns, and standardises the advantages."""
        self.normaliser.update(experience.returns)
        advantages = experience.advantages
        scale = advantages.std(correction=0) + 1e-8
        return dataclasses.replace(experience, advantages=(advantages - advantages.mean()) / scale)

    def passes(self, experience: Experience, actor: nn.Module, critic: bool = True) -> Values:
        """All passes over prepared steps; scalars for the log.

        Args:
            experience: of the actor's agents.
            actor: that learns, `self.actor` or a part of it.
            critic: whether the critic learns beside it.
        """
        count = len(experience)
        size = min(self.config.batch_size, count)
        found: list[Values] = []
        for _ in range(self.config.epochs):
            order = torch.randperm(count, device=experience.returns.device)
            for index in order.split(size):
                batch = experience.rows(index)
                found.append(self._improve_actor(batch, actor))
                if critic:
                    found.append(self._improve_critic(batch))
        return means(found)

    def _improve_actor(self, batch: Experience, actor: Any) -> Values:
        config = self.config
        log_probs, entropy = actor.evaluate(batch.inputs, batch.actions)
        ratio = torch.exp(log_probs - batch.log_probs)
        gain = clipped_objective(ratio, batch.advantages, config.clip).mean()
        loss = -gain - config.entropy * entropy.mean()
        self._descend(loss, actor, self._optimizers[0])
        with torch.no_grad():
            clipped = ((ratio - 1).abs() > config.clip).float().mean()
        return {
            "actor_loss": loss.detach(),
            "entropy": entropy.detach().mean(),
            "clipped": clipped,
        }

    def _improve_critic(self, batch: Experience) -> Values:
        targets = self.normaliser.normalise(batch.returns)
        loss = nn.functional.huber_loss(
            self.critic(batch.critic_inputs), targets, delta=self.config.huber
        )
        self._descend(loss, self.critic, self._optimizers[1])
        return {"value_loss": loss.detach()}

    def _descend(self, loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        clip_gradients(network.parameters(), self.config.max_gradient)
        optimizer.step()


def means(found: Iterable[Values]) -> Values:
    """Mean of every scalar over those that have it."""
    columns: dict[str, list[Tensor]] = {}
    for values in found:
        for name, value in values.items():
            columns.setdefault(name, []).append(value)
    return {name: torch.stack(column).mean() for name, column in columns.items()}
