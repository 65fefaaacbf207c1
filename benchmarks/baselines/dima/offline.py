"""DIMA on stored data: the world model learns from it, the policy in imagination alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchmarks.baselines.dima.config import PRESETS, DimaConfig
from benchmarks.baselines.dima.dataset_memory import DatasetMemory
from benchmarks.baselines.dima.imagination import critic_size, imagine, improve
from benchmarks.baselines.dima.memory import Start
from benchmarks.baselines.dima.policy_config import ImaginationConfig
from benchmarks.baselines.dima.sequences import Sequences, WorldSpec
from benchmarks.baselines.dima.world_model import WorldModel
from benchmarks.baselines.mappo.actor import TeamActor
from benchmarks.baselines.mappo.policy import TeamPolicy
from benchmarks.baselines.mappo.ppo import TeamPPO
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.interface import Baseline, BaselineConfig, Learner, OfflineData
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.offline_pool import OfflinePool
from benchmarks.baselines.shared.policy import BaselinePolicy, PolicySpec
from benchmarks.baselines.shared.training_loop import batch_generator
from networld_agent.device import pick_device

__all__ = ["Dima", "DimaPolicy", "OfflineConfig"]

#: Rows that the world model's normalisation is estimated from, at most.
_MOST_ROWS = 20_000


@dataclass(frozen=True)
class OfflineConfig(ImaginationConfig):
    """Options of offline training; `steps` are updates, of the world model and then the policy.

    Args:
        steps: updates of both.
        model_share: of the updates that train the world model; the rest are policy updates.
        model: the world model, the preset "wireless" by default.
        starts: imagined episodes per policy update; they begin at any recorded step.
    """

    steps: int = 4000
    model: DimaConfig = PRESETS["wireless"]
    model_share: float = 0.95
    starts: int = 200

    @property
    def model_steps(self) -> int:
        """Updates of the world model."""
        return round(self.steps * min(self.model_share, 1.0))


class DimaPolicy(TeamPolicy):
    """The actor that was trained in imagination; it sees an agent's own observation."""

    name = "dima"
    config_type: ClassVar[type[BaselineConfig]] = OfflineConfig

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__(spec)
        self.information = "local; trained centrally"


class DimaLearner(Learner):
    """First the world model on the data, then the policy in it, without any more data.

    Args:
        data: that the world model learns from.
        scaling: of the actor's observations.
        config: of the method.
    """

    optimizers: Sequence[torch.optim.Optimizer]

    def __init__(
        self, data: OfflineData, scaling: ObservationScaling, config: OfflineConfig
    ) -> None:
        if isinstance(data, OfflinePool):
            raise ValueError(
                "DIMA models one team of a fixed number of agents: give one data set, not a folder "
                "of several."
            )
        self._config, self._memory = config, DatasetMemory(data)
        self._device = pick_device(config.device)
        codec = ActionCodec(data.action)
        spec = WorldSpec(
            data.task, data.num_agents, self._memory.state_size, data.observation_size,
            codec.size, codec.num_choices, observed=True,
        )  # fmt: skip
        self._model = WorldModel(spec, config.model).to(self._device)
        self._model.observe(*(t.to(self._device) for t in self._memory.sample(_MOST_ROWS)))
        actor = TeamActor.of(scaling.input_size, codec, config)
        self._ppo = TeamPPO(actor, critic_size(self._model, config), config)
        self._ppo.to(self._device)
        self._scaling = ObservationScaling(data.observation_size).to(self._device)
        self._scaling.load_state_dict(scaling.state_dict())
        self.module = nn.ModuleDict({"model": self._model, "ppo": self._ppo})
        self.optimizers = (*self._model.optimizers.values(), *self._ppo.make_optimizers())

    @property
    def actor(self) -> nn.Module:
        """The policy."""
        return self._ppo.actor

    def batch(self, step: int) -> dict[str, Sequences] | Start:
        """Pieces of the data for the world model, or starts of imagination."""
        rng = batch_generator(self._config.seed, step)
        if step >= self._config.model_steps:
            size = self._model.config.denoiser.context
            return self._memory.starts(self._config.starts, size, rng)
        shapes = self._model.batches()
        return {part: self._memory.batch(part, shape, rng) for part, shape in shapes.items()}

    def update(self, batch: dict[str, Sequences] | Start, step: int) -> dict[str, Tensor]:  # noqa: ARG002
        """One update of every part of the model, or of the policy."""
        device, horizon = self._device, self._config.horizon
        if isinstance(batch, Start):
            start = batch.to(device)
            return improve(
                self._ppo, imagine(self._model, self._ppo, self._scaling, start, horizon)
            )
        return self._model.update({part: pieces.to(device) for part, pieces in batch.items()})

    def extra(self) -> dict[str, Any]:
        """What stood in for the global state, for the policy's file."""
        return {"state": "joint observation"}


class Dima(Baseline):
    """Centralised in training, decentralised at play (arXiv 2505.20922), here without acting."""

    name = "dima"
    config_type: ClassVar[type[BaselineConfig]] = OfflineConfig
    policy_type: ClassVar[type[BaselinePolicy]] = DimaPolicy

    def learner(
        self, data: OfflineData, scaling: ObservationScaling, config: BaselineConfig
    ) -> Learner:
        """World model and policy of random weights."""
        assert isinstance(config, OfflineConfig)
        return DimaLearner(data, scaling, config)
