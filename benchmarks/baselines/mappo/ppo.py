"""Proximal policy optimisation of a shared actor and a critic."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.baselines.mappo.actor import TeamActor
from benchmarks.baselines.mappo.config import PpoConfig
from benchmarks.baselines.mappo.critic import Critic
from benchmarks.baselines.mappo.value_normaliser import ValueNormaliser
from benchmarks.baselines.shared.action_codec import ActionCodec

__all__ = ["Experience", "TeamPPO", "clipped_objective"]


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
        inputs: k, entries of a scaled observation.
        critic_inputs: c, entries of what the critic sees.
        codec: of the actions.
        config: of the method.
    """

    def __init__(
        self, inputs: int, critic_inputs: int, codec: ActionCodec, config: PpoConfig
    ) -> None:
        super().__init__()
        self.config = config
        hidden, normalise = config.hidden_size, config.normalise_inputs
        self.actor = TeamActor(inputs, hidden, codec, normalise, config.first_std)
        self.critic = Critic(critic_inputs, hidden, normalise)
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

    def update(self, experience: Experience) -> dict[str, Tensor]:
        """One policy update: several passes in shuffled batches; scalars for the log."""
        self.normaliser.update(experience.returns)
        advantages = experience.advantages
        scale = advantages.std(correction=0) + 1e-8
        experience = dataclasses.replace(
            experience, advantages=(advantages - advantages.mean()) / scale
        )
        count = len(experience)
        size = min(self.config.batch_size, count)
        sums: dict[str, Tensor] = {}
        batches = 0
        for _ in range(self.config.epochs):
            order = torch.randperm(count, device=experience.returns.device)
            for index in order.split(size):
                values = self._step(experience.rows(index))
                sums = {name: sums.get(name, 0) + value for name, value in values.items()}
                batches += 1
        return {name: total / batches for name, total in sums.items()}

    def _step(self, batch: Experience) -> dict[str, Tensor]:
        config = self.config
        log_probs, entropy = self.actor.evaluate(batch.inputs, batch.actions)
        ratio = torch.exp(log_probs - batch.log_probs)
        gain = clipped_objective(ratio, batch.advantages, config.clip).mean()
        targets = self.normaliser.normalise(batch.returns)
        value_loss = nn.functional.huber_loss(
            self.critic(batch.critic_inputs), targets, delta=config.huber
        )
        actor_loss = -gain - config.entropy * entropy.mean()
        pairs = ((actor_loss, self.actor), (value_loss, self.critic))
        for (loss, network), optimizer in zip(pairs, self._optimizers, strict=True):
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), config.max_gradient)
            optimizer.step()
        with torch.no_grad():
            clipped = ((ratio - 1).abs() > config.clip).float().mean()
        return {
            "actor_loss": actor_loss.detach(),
            "value_loss": value_loss.detach(),
            "entropy": entropy.detach().mean(),
            "clipped": clipped,
        }
