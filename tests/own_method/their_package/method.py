"""Reward-weighted cloning: imitates what was done, more of it where it paid."""

from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy

from benchmarks.baselines import Baseline, BaselineConfig, Learner
from benchmarks.baselines.shared.actor_policy import ActorPolicy
from benchmarks.baselines.shared.networks import make_actor
from benchmarks.baselines.shared.transitions import OfflineTransitions


@dataclass(frozen=True)
class RewardWeightedConfig(BaselineConfig):
    """Options beside those that every method has; temperature in deviations of the reward."""

    temperature: float = 1.0


class RewardWeightedLearner(Learner):
    def __init__(self, data, scaling, config):
        self._temperature = config.temperature
        self._draw = OfflineTransitions(data, scaling, config)
        self._discrete = self._draw.codec.discrete
        self.module = make_actor(scaling.input_size, config.hidden_size, self._draw.codec)
        self.optimizers = [torch.optim.Adam(self.module.parameters(), config.learning_rate)]

    @property
    def actor(self):
        return self.module

    def batch(self, step):
        return self._draw(step)

    def update(self, batch, step):
        output = self.module(batch.inputs)
        if self._discrete:
            errors = cross_entropy(output, batch.actions, reduction="none")
        else:
            errors = (output - batch.actions).square().mean(-1)
        loss = (torch.softmax(batch.rewards / self._temperature, 0) * errors).sum()
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()
        return {"loss": loss}


class RewardWeightedPolicy(ActorPolicy):
    name, config_type = "reward-weighted", RewardWeightedConfig


class RewardWeighted(Baseline):
    name, config_type = "reward-weighted", RewardWeightedConfig
    policy_type = RewardWeightedPolicy

    def learner(self, data, scaling, config):
        return RewardWeightedLearner(data, scaling, config)
