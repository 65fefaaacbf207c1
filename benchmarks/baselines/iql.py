"""MA-IQL: implicit Q-learning (I. Kostrikov et al., arXiv 2110.06169).

The value V(s) approaches the best of the actions in the data by an expectile regression (equation
5), Q learns from it without asking for any other action (equation 6), and the policy imitates
actions by how much better than V they are (equation 7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.baselines.shared.actor_policy import ActorPolicy
from benchmarks.baselines.shared.config import TransitionConfig
from benchmarks.baselines.shared.interface import Baseline, BaselineConfig, Learner, OfflineData
from benchmarks.baselines.shared.networks import Ensemble, TanhMeanActor, make_actor, mlp
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.target_network import follow, frozen_copy
from benchmarks.baselines.shared.transitions import (
    OfflineTransitions,
    TransitionBatch,
    TransitionSource,
)
from networld_agent.device import pick_device
from wirelessenvs.checks import check_real

__all__ = ["IQLConfig", "IQLLearner", "ImplicitQLearning"]


@dataclass(frozen=True)
class IQLConfig(TransitionConfig):
    """Options of implicit Q-learning.

    Args:
        expectile: of the value among the data's actions; 0.5 is their mean, 1 their maximum.
        beta: inverse temperature of the policy's weights exp(beta (Q - V)).
        greatest_weight: of a transition in the policy's loss.
        tau: share by which the target network follows, per update.
    """

    expectile: float = 0.7
    beta: float = 3.0
    greatest_weight: float = 100.0
    tau: float = 0.005

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("expectile", self.expectile, 0.5, 1)
        check_real("tau", self.tau, 0, 1, low_open=True)


class IQLLearner(Learner):
    """Value, two action values with their targets, and a policy.

    All three losses are of separate weights and of what these were before the update: one backward
    pass and one optimiser serve them all.
    """

    optimizers: Sequence[torch.optim.Optimizer]

    def __init__(self, source: TransitionSource, config: IQLConfig) -> None:
        self._device, self._config = pick_device(config.device), config
        self._source, self._discrete = source, source.codec.discrete
        size, hidden, codec = source.input_size, config.hidden_size, source.codec
        self.value = mlp(size, hidden, 1)
        self.critics = Ensemble(2, size, hidden, codec.num_choices or 1, codec.size)
        self._actor = make_actor(size, hidden, codec)
        self.targets = frozen_copy(self.critics)
        self.module = nn.ModuleDict(
            {
                "value": self.value,
                "critics": self.critics,
                "targets": self.targets,
                "actor": self._actor,
            }
        ).to(self._device)
        judges = [*self.value.parameters(), *self.critics.parameters()]
        self._adam = torch.optim.Adam(
            [{"params": judges}, {"params": list(self._actor.parameters())}],
            config.learning_rate,
            fused=True,
        )
        self.optimizers = [self._adam]

    @property
    def actor(self) -> nn.Module:
        """The policy."""
        return self._actor

    def batch(self, step: int) -> TransitionBatch:
        """Transitions."""
        return self._source(step).to(self._device)

    def action_values(self, critics: Ensemble, inputs: Tensor, actions: Tensor) -> Tensor:
        """`(2, B)` values of actions."""
        if self._discrete:
            index = actions.expand(2, -1)[..., None]
            return critics(inputs).gather(-1, index)[..., 0]
        return critics(inputs, actions[:, None])[..., 0, 0]

    def _log_prob(self, inputs: Tensor, actions: Tensor) -> Tensor:
        if isinstance(self._actor, TanhMeanActor):
            return self._actor.log_prob(inputs, actions)
        return -nn.functional.cross_entropy(self._actor(inputs), actions, reduction="none")

    def held_out_loss(self, batch: TransitionBatch) -> Tensor:
        """The policy's, over the mean of its weights: their size grows with the values."""
        held = self.action_values(self.targets, batch.inputs, batch.actions).amin(0)
        weight = self._weight(held - self.value(batch.inputs)[:, 0])
        return -(weight * self._log_prob(batch.inputs, batch.actions)).mean() / weight.mean()

    def _weight(self, advantage: Tensor) -> Tensor:
        weight = torch.exp(self._config.beta * advantage.detach())
        return weight.clamp(max=self._config.greatest_weight)

    def update(self, batch: TransitionBatch, step: int) -> dict[str, Tensor]:
        """One step of all networks; then the targets follow."""
        config = self._config
        with torch.no_grad():
            held = self.action_values(self.targets, batch.inputs, batch.actions).amin(0)
            ahead = self.value(batch.next_inputs)[:, 0]
            wanted = batch.rewards + config.gamma * batch.continues * ahead
        value = self.value(batch.inputs)[:, 0]
        advantage = held - value
        share = torch.where(advantage > 0, config.expectile, 1 - config.expectile)
        value_loss = (share * advantage.square()).mean()
        q = self.action_values(self.critics, batch.inputs, batch.actions)
        q_loss = (q - wanted).square().mean()
        weight = self._weight(advantage)
        policy_loss = -(weight * self._log_prob(batch.inputs, batch.actions)).mean()
        # Cosine decay of the policy's learning rate, as in the reference.
        self._adam.param_groups[1]["lr"] = (
            config.learning_rate * (1 + math.cos(math.pi * step / config.steps)) / 2
        )
        self._adam.zero_grad(set_to_none=True)
        (value_loss + q_loss + policy_loss).backward()
        self._adam.step()
        follow(self.targets, self.critics, config.tau)
        return {
            "value_loss": value_loss,
            "q_loss": q_loss,
            "policy_loss": policy_loss,
            "value": value.mean(),
            "q": q.mean(),
            "advantage": advantage.mean(),
            "weight": weight.mean(),
        }


class IQLPolicy(ActorPolicy):
    """The policy that implicit Q-learning extracts."""

    name = "iql"
    config_type = IQLConfig


class ImplicitQLearning(Baseline):
    """Learns values of the data's actions only, and imitates the better ones."""

    name = "iql"
    config_type = IQLConfig
    policy_type = IQLPolicy

    def learner(
        self, data: OfflineData, scaling: ObservationScaling, config: BaselineConfig
    ) -> IQLLearner:
        """Untrained networks on this data."""
        assert isinstance(config, IQLConfig)
        return IQLLearner(OfflineTransitions(data, scaling, config, config.credit), config)
