"""The policy of methods without memory: what a network finds best for the present observation."""

from __future__ import annotations

from torch import Tensor

from benchmarks.baselines.shared.networks import Actor, make_actor
from benchmarks.baselines.shared.policy import BaselinePolicy

__all__ = ["ActorPolicy"]


class ActorPolicy(BaselinePolicy):
    """Plays the actor's best action."""

    network: Actor

    def make_network(self) -> Actor:
        """A network of logits for discrete actions, of means for real-valued ones."""
        return make_actor(self.scaling.input_size, self.spec.config.hidden_size, self.codec)

    def decide(self, inputs: Tensor) -> Tensor:
        """The most probable choice, or the mean."""
        return self.network.best(inputs)
