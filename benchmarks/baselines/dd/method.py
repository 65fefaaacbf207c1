"""MA-DD: a decision diffuser per agent, on its own observations.

A. Ajay et al., Is Conditional Generative Modeling All You Need for Decision-Making?, ICLR 2023,
arXiv 2211.15657; decentralised as the independent variant in Z. Zhu et al., MADiff, arXiv
2305.17330. U-Net, schedule, samplers and inverse dynamics are NetWorld's own, so that what differs
is the guidance (by a condition instead of a classifier), the latent space and the communication.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchmarks.baselines.dd.network import DecisionDiffuserNetwork, DiffuserLoss
from benchmarks.baselines.dd.segments import SegmentBatch, Segments
from benchmarks.baselines.shared.config import TrajectoryConfig
from benchmarks.baselines.shared.interface import Baseline, BaselineConfig, Learner, OfflineData
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.policy import PolicySpec
from benchmarks.baselines.shared.return_policy import ReturnPolicy
from benchmarks.baselines.shared.returns import RETURN_SCOPES, ReturnScale, scoped_rewards
from benchmarks.baselines.shared.training_loop import batch_generator
from networld_agent.device import pick_device
from networld_agent.keyed_random import hashed, normals, stream_keys
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.task_spec import ActionSpec
from networld_agent.planning.samplers import SAMPLERS, sampler_steps, trailing_levels
from networld_agent.training.config import TrainingConfig, learning_rate
from networld_agent.training.ema import AveragedModel
from wirelessenvs.checks import check_choice, check_int, check_real

__all__ = ["DDConfig", "DDPolicy", "DecisionDiffuser"]

#: Quantiles of the data's segment returns that become 0 and 1; what lies beyond counts as these.
#: The extremes themselves would let one unlucky segment press all others together.
_LOWEST, _HIGHEST = 0.01, 0.99


@dataclass(frozen=True)
class DDConfig(TrajectoryConfig):
    """Options of the decision diffuser.

    Args:
        batch_size: segments per update.
        learning_rate: of Adam at its peak; it grows over 100 updates and falls to a tenth.
        hidden_size: width of the inverse dynamics.
        horizon: H, observations of a segment; divisible by 8.
        history: C, how many of them are known, the present included.
        channels: of the U-Net's finest level.
        diffusion_steps: T of the noise schedule.
        prediction: what the U-Net puts out: "x0" or "velocity". The published noise is not offered:
            in few sampling steps, the first one divides its error by a signal share of nearly 0.
        first_step_weight: of the first generated time in the denoising loss.
        planned_action_weight: of the inverse dynamics' loss on denoised transitions.
        condition_dropout: share of the segments whose return is withheld in training.
        clip: greatest norm of the gradient; 0 for no limit.
        ema_decay: of the averaged weights, which act.
        sampler: "ddim", "dpm" or "ddpm".
        sampler_steps: noise levels visited per decision.
        temperature: scale of the sampler's noise, 0 to 1.
        return_scope: whose rewards: the mean over the "team", or those of the "agent" itself.
        guidance_weight: 1 samples given the return, above 1 exaggerates it.
        target_return: to ask for; 0 and 1 are the 1st and 99th percentile of the data's.
        decoding: of actions: "mode" or "mean" of the inverse dynamics' distribution.
    """

    batch_size: int = 64
    learning_rate: float = 1e-3
    horizon: int = 32
    history: int = 4
    channels: int = 32
    diffusion_steps: int = 100
    prediction: str = "x0"
    first_step_weight: float = 5.0
    planned_action_weight: float = 1.0
    condition_dropout: float = 0.25
    clip: float = 1.0
    ema_decay: float = 0.999
    sampler: str = "ddim"
    sampler_steps: int = 5
    temperature: float = 0.5
    return_scope: str = "team"
    guidance_weight: float = 1.2
    target_return: float = 1.0
    decoding: str = "mode"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("history", self.history, 1, self.horizon - 1)
        check_int("sampler_steps", self.sampler_steps, 1, self.diffusion_steps)
        for name in ("condition_dropout", "temperature", "ema_decay"):
            check_real(name, getattr(self, name), 0, 1)
        check_choice("sampler", self.sampler, SAMPLERS)
        check_choice("return_scope", self.return_scope, RETURN_SCOPES)
        check_choice("prediction", self.prediction, ("x0", "velocity"))
        check_choice("decoding", self.decoding, ("mode", "mean"))
        self.model(1)

    def model(self, input_size: int) -> WorldModelConfig:
        """Sizes of U-Net and inverse dynamics for observations of `input_size` entries.

        Raises:
            ValueError: if they do not fit together.
        """
        return WorldModelConfig(
            horizon=self.horizon,
            latent_size=input_size,
            diffusion_steps=self.diffusion_steps,
            channels=self.channels,
            inverse_size=self.hidden_size,
            prediction=self.prediction,
            communication="none",
        )


def make_network(
    input_size: int, action: ActionSpec, config: BaselineConfig
) -> DecisionDiffuserNetwork:
    """The networks of a configuration."""
    assert isinstance(config, DDConfig)
    return DecisionDiffuserNetwork(config.model(input_size), action, config.history)


class DDLearner(Learner):
    """Denoises segments given their return, or without it; learns the action between two times."""

    optimizers: Sequence[torch.optim.Optimizer]

    def __init__(self, data: OfflineData, scaling: ObservationScaling, config: DDConfig) -> None:
        self._config, self._device = config, pick_device(config.device)
        rewards = scoped_rewards(data, config.return_scope)
        self._segments = Segments(
            data, scaling, config.horizon, config.history, rewards, config.gamma
        )
        self._scale = ReturnScale.between(self._segments.returns, _LOWEST, _HIGHEST)
        self._weights = DiffuserLoss(config.first_step_weight, config.planned_action_weight)
        self._network = make_network(scaling.input_size, data.action, config).to(self._device)
        # Annotated for world models, but it follows any module.
        self._averaged = AveragedModel(self._network, config.ema_decay)  # type: ignore[arg-type]
        self.module = nn.ModuleDict({"network": self._network, "averaged": self._averaged.model})
        self._schedule = TrainingConfig(steps=config.steps, learning_rate=config.learning_rate)
        self._adam = torch.optim.Adam(self._network.parameters(), config.learning_rate, fused=True)
        self.optimizers = [self._adam]

    @property
    def actor(self) -> nn.Module:
        """The averaged networks."""
        return self._averaged.model

    def extra(self) -> dict[str, Any]:
        """Scale of the returns, and the one to ask for."""
        return {
            "return_offset": self._scale.offset,
            "return_unit": self._scale.unit,
            "target_return": self._config.target_return,
        }

    def batch(self, step: int) -> SegmentBatch:
        """Segments of single agents."""
        rng = batch_generator(self._config.seed, step)
        return self._segments.draw(self._config.batch_size, rng)

    def held_out_loss(self, batch: SegmentBatch) -> Tensor:
        """That of training, of the averaged networks."""
        return self._losses(self._averaged.model, batch)["loss"]

    def _losses(self, network: nn.Module, batch: SegmentBatch) -> dict[str, Tensor]:
        """The losses under noise that torch's global random numbers draw."""
        config, rows = self._config, len(batch.inputs)
        clean = batch.inputs.to(self._device)
        returns = torch.from_numpy(self._scale.scaled(batch.returns)).clamp(0, 1)
        # Drawn on the CPU: the same numbers on every device.
        given = (torch.rand(rows) >= config.condition_dropout).float()
        tau = torch.randint(config.diffusion_steps, (rows,))
        noise = torch.randn(clean.shape)
        assert isinstance(network, DecisionDiffuserNetwork)
        return network.losses(
            clean,
            batch.actions.to(self._device),
            returns.to(self._device),
            given.to(self._device),
            tau.to(self._device),
            noise.to(self._device),
            self._weights,
        )

    def update(self, batch: SegmentBatch, step: int) -> dict[str, Tensor]:
        """One step of Adam, and of the average."""
        config = self._config
        self._network.train()
        values = self._losses(self._network, batch)
        for group in self._adam.param_groups:
            group["lr"] = learning_rate(self._schedule, step)
        self._adam.zero_grad(set_to_none=True)
        values["loss"].backward()
        if config.clip:
            nn.utils.clip_grad_norm_(self._network.parameters(), config.clip, foreach=True)
        self._adam.step()
        self._averaged.update(step)
        return values


class DDPolicy(ReturnPolicy):
    """A trained decision diffuser: plans anew at every step, and takes the first action.

    It remembers the last observations of every agent since `begin`. The noise of a plan is a
    function of the configuration's seed, the episode's seed, the step and the agent.
    """

    name = "dd"
    config_type = DDConfig
    #: Of returns in units in which 0 is a low one and 1 the best.
    tuned_shares: ClassVar[tuple[float, ...]] = (0.55, 0.7, 0.85, 1.0, 1.15, 1.3)
    network: DecisionDiffuserNetwork

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__(spec)
        assert isinstance(spec.config, DDConfig)
        self._config = spec.config
        levels = trailing_levels(spec.config.diffusion_steps, spec.config.sampler_steps)
        self._steps = sampler_steps(
            spec.config.sampler, self.network.schedule.alpha_bar.double(), levels
        )
        self._begin(None)

    def make_network(self) -> DecisionDiffuserNetwork:
        """A network of the same shape as the learner's."""
        return make_network(self.scaling.input_size, self.spec.action, self.spec.config)

    def begin(self, seeds: Sequence[int]) -> None:
        """Forgets the past; `seeds`, one per environment, are of the plans' noise."""
        self._begin(tuple(seeds))

    def _begin(self, seeds: tuple[int, ...] | None) -> None:
        self._seeds = seeds
        self._known: Tensor | None = None
        self._decision = 0

    def decide(self, inputs: Tensor) -> Tensor:
        """Actions that lead to the next observations of the plans.

        Raises:
            ValueError: if the batch has changed since `begin`, or had another number of seeds.
        """
        self._remember(inputs)
        assert self._known is not None
        known = self._known.flatten(0, 1)
        keys = stream_keys(self._keys(inputs.shape[0], inputs.shape[1]))
        shape = (self._config.horizon, inputs.shape[2])
        plans = self.network.plan(
            known,
            torch.full((len(known),), self._target),
            self._steps,
            lambda draw: self._config.temperature * normals(hashed(keys, draw), shape),
            self._config.guidance_weight,
        )
        following = plans[:, self._config.history]
        actions = self.network.inverse.decode(known[:, -1], following, self._config.decoding)
        self._decision += 1
        return self.codec.encode(actions.numpy()).unflatten(0, inputs.shape[:2])

    def _remember(self, inputs: Tensor) -> None:
        if self._known is None:
            self._known = inputs[:, :, None].repeat(1, 1, self._config.history, 1)
            return
        before = tuple(self._known.shape[:2])
        if before != tuple(inputs.shape[:2]):
            raise ValueError(
                f"the batch has changed from {before} environments and agents to "
                f"{tuple(inputs.shape[:2])}: call begin first."
            )
        self._known = torch.cat([self._known[:, :, 1:], inputs[:, :, None]], 2)

    def _keys(self, num_envs: int, num_agents: int) -> Tensor:
        seeds = tuple(range(num_envs)) if self._seeds is None else self._seeds
        if len(seeds) != num_envs:
            raise ValueError(f"begin was given {len(seeds)} seeds for {num_envs} environments.")
        return stream_keys(
            torch.tensor(self._config.seed),
            torch.tensor(seeds)[:, None],
            torch.tensor(self._decision),
            torch.arange(num_agents),
        ).flatten()


class DecisionDiffuser(Baseline):
    """Classifier-free guided diffusion of observations (Ajay et al. 2023, arXiv 2211.15657)."""

    name = "dd"
    config_type = DDConfig
    policy_type = DDPolicy

    def learner(
        self, data: OfflineData, scaling: ObservationScaling, config: BaselineConfig
    ) -> DDLearner:
        """Untrained networks on this data."""
        assert isinstance(config, DDConfig)
        return DDLearner(data, scaling, config)
