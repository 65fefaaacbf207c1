"""MA-BC: behaviour cloning, the control that any offline method must beat on mixed data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.baselines.shared.actor_policy import ActorPolicy
from benchmarks.baselines.shared.config import TrajectoryConfig
from benchmarks.baselines.shared.interface import Baseline, BaselineConfig, Learner, OfflineData
from benchmarks.baselines.shared.networks import make_actor
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.transitions import (
    OfflineTransitions,
    TransitionBatch,
    TransitionSource,
)
from networld_agent.device import pick_device

__all__ = ["BCConfig", "BCLearner", "BehaviourCloning"]


@dataclass(frozen=True)
class BCConfig(TrajectoryConfig):
    """Options of behaviour cloning.

    Args:
        learning_rate: of Adam.
        weight_decay: decoupled, of the weights.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.0


class BCLearner(Learner):
    """Cross-entropy of the recorded choice, or squared error of the mean."""

    optimizers: Sequence[torch.optim.Optimizer]

    def __init__(self, source: TransitionSource, config: BCConfig) -> None:
        self._device = pick_device(config.device)
        self._source = source
        self._actor = make_actor(source.input_size, config.hidden_size, source.codec).to(
            self._device
        )
        self.module = self._actor
        self._adam = torch.optim.AdamW(
            self._actor.parameters(),
            config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.optimizers = [self._adam]

    @property
    def actor(self) -> nn.Module:
        """The policy."""
        return self._actor

    def batch(self, step: int) -> TransitionBatch:
        """Transitions, of which only inputs and actions are used."""
        return self._source(step).to(self._device)

    def held_out_loss(self, batch: TransitionBatch) -> Tensor:
        """That of training."""
        return self._loss(self._actor(batch.inputs), batch.actions)

    def _loss(self, out: Tensor, actions: Tensor) -> Tensor:
        discrete = self._source.codec.discrete
        return (nn.functional.cross_entropy if discrete else nn.functional.mse_loss)(out, actions)

    def update(self, batch: TransitionBatch, step: int) -> dict[str, Tensor]:  # noqa: ARG002
        """One step of Adam."""
        out = self._actor(batch.inputs)
        values: dict[str, Tensor] = {}
        loss = self._loss(out, batch.actions)
        if self._source.codec.discrete:
            values["accuracy"] = (out.argmax(-1) == batch.actions).float().mean()
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        self._adam.step()
        return {"loss": loss, **values}


class BCPolicy(ActorPolicy):
    """A cloned policy."""

    name = "bc"
    config_type = BCConfig


class BehaviourCloning(Baseline):
    """Imitates the data, whatever its rewards (Pomerleau, Neural Computation 1991)."""

    name = "bc"
    config_type = BCConfig
    policy_type = BCPolicy

    def learner(
        self, data: OfflineData, scaling: ObservationScaling, config: BaselineConfig
    ) -> BCLearner:
        """An untrained policy on this data."""
        assert isinstance(config, BCConfig)
        return BCLearner(OfflineTransitions(data, scaling, config), config)
