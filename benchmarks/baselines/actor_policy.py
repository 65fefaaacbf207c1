"""The policy of methods without memory: what a network finds best for the present observation."""

from __future__ import annotations

from torch import Tensor

from benchmarks.baselines.networks import Actor
from benchmarks.baselines.policy import BaselinePolicy

__all__ = ["ActorPolicy"]


class ActorPolicy(BaselinePolicy):
    """Plays the actor's best action."""

    network: Actor

    def decide(self, inputs: Tensor) -> Tensor:
        """The most probable choice, or the mean."""
        return self.network.best(inputs)
