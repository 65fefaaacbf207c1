"""What is left of MAPPO at play: the actor, on an agent's own observation."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from benchmarks.baselines.mappo.actor import TeamActor
from benchmarks.baselines.mappo.config import MappoConfig, PpoConfig
from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.baselines.shared.policy import BaselinePolicy

__all__ = ["MappoPolicy", "TeamPolicy"]


class TeamPolicy(BaselinePolicy):
    """Plays the most probable choice, or the mean."""

    network: TeamActor

    def make_network(self) -> TeamActor:
        """An actor with the configuration's sizes."""
        config = self.spec.config
        assert isinstance(config, PpoConfig)
        return TeamActor.of(self.scaling.input_size, self.codec, config)

    def decide(self, inputs: Tensor) -> Tensor:
        """`(B, N, k)` to encoded actions."""
        return self.network.best(inputs)


class MappoPolicy(TeamPolicy):
    """A policy trained by MAPPO or IPPO."""

    name = "mappo"
    config_type: ClassVar[type[BaselineConfig]] = MappoConfig
