"""The world model: one U-Net for all tasks, an encoder and an inverse dynamics model for each.

Segments are `(batch, time, channel)`; channels [0:D] are the agent's own latent, [D:2D] the mean of
its neighbours'; time 0 is the present, which is known and clamped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn

from networld_agent.errors import ModelError
from networld_agent.model.action_value import ActionValue
from networld_agent.model.batch import Batch
from networld_agent.model.communication import NeighborAttention, heard_means
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.diffusion import Schedule
from networld_agent.model.inverse_dynamics import InverseDynamics
from networld_agent.model.losses import joint_loss
from networld_agent.model.return_classifier import ReturnClassifier
from networld_agent.model.scenario_encoder import ScenarioEncoder
from networld_agent.model.symlog import TwoHot
from networld_agent.model.task_spec import TaskSpec
from networld_agent.model.temporal_unet import (
    Conditioning,
    ContextEmbedding,
    DownPath,
    TemporalUNet,
)

__all__ = ["TASK_PARTS", "WorldModel", "task_key"]

#: Attributes that hold one module per task; everything else is shared.
TASK_PARTS: Final = ("encoders", "inverses", "behaviours", "reconstructions", "values", "contexts")


class WorldModel(nn.Module):
    """Everything that is learnt.

    Args:
        config: sizes and choices.
        tasks: that it serves; more can be added.

    Example:
        >>> from networld_agent.model import ActionSpec
        >>> task = TaskSpec("rb-v0", 0, 4, ActionSpec("discrete", sizes=(11,)))
        >>> model = WorldModel(WorldModelConfig(horizon=8), [task])
        >>> z = model.encode("rb-v0", torch.rand(6, 4))
        >>> model.decode_actions("rb-v0", z, z).shape
        torch.Size([6])
    """

    def __init__(self, config: WorldModelConfig, tasks: Sequence[TaskSpec] = ()) -> None:
        super().__init__()
        self.config = config
        self._tasks: dict[str, TaskSpec] = {}
        channels = 2 * config.latent_size
        self.schedule = Schedule(config.diffusion_steps)
        self.conditioning = Conditioning(config.embedding_size, config.max_tasks)
        self.unet = TemporalUNet(channels, config)
        separate = config.classifier == "separate"
        self.classifier_conditioning = (
            Conditioning(config.embedding_size, config.max_tasks) if separate else None
        )
        self.classifier_path = DownPath(channels, config) if separate else None
        self.classifier = ReturnClassifier(self.unet.down.channels_out, config.return_bins)
        self.attention = (
            NeighborAttention(config.latent_size, config.attention_heads)
            if config.communication == "attention"
            else None
        )
        self.encoders = nn.ModuleDict()
        self.inverses = nn.ModuleDict()
        self.reconstructions = nn.ModuleDict()
        self.behaviours = nn.ModuleDict()
        self.values = nn.ModuleDict()
        self.contexts = nn.ModuleDict()
        self._return_bins = nn.ModuleDict()
        for task in tasks:
            self._register(task)

    @property
    def latent_size(self) -> int:
        """Size D of a latent."""
        return self.config.latent_size

    @property
    def horizon(self) -> int:
        """Number of steps H of a segment."""
        return self.config.horizon

    # ------------------------------------------------------------------- tasks
    @property
    def tasks(self) -> Mapping[str, TaskSpec]:
        """Tasks by name."""
        return MappingProxyType(self._tasks)

    def task(self, name: str) -> TaskSpec:
        """The task of a name.

        Raises:
            ModelError: listing the tasks that the model has.
        """
        if name not in self._tasks:
            known = ", ".join(self._tasks) or "none"
            raise ModelError(f"the model has no task {name!r}; it has: {known}.")
        return self._tasks[name]

    def set_task(self, task: TaskSpec) -> None:
        """Replaces what is known of a task, say its guidance scale; sizes must stay."""
        old = self.task(task.name)
        kept = ("index", "observation_size", "action", "context_size")
        if any(getattr(old, name) != getattr(task, name) for name in kept):
            raise ModelError(f"task {task.name!r} cannot change its index, sizes or actions.")
        self._tasks[task.name] = task
        self._return_bins[task_key(task)] = self._make_bins(task)
        self._make_value(task)

    @torch.no_grad()
    def add_task(self, task: TaskSpec) -> None:
        """Adds a task with fresh encoder and heads; its embedding starts as the others' mean."""
        known = [spec.index for spec in self._tasks.values()]
        self._register(task)
        for conditioning in (self.conditioning, self.classifier_conditioning):
            if known and conditioning is not None:
                rows = conditioning.task.weight
                rows[task.index] = rows[known].mean(0)

    def _register(self, task: TaskSpec) -> None:
        if task.name in self._tasks:
            raise ModelError(f"the model has a task {task.name!r} already.")
        if task.index in [spec.index for spec in self._tasks.values()]:
            raise ModelError(f"task index {task.index} is taken.")
        if not 0 <= task.index < self.config.max_tasks:
            raise ModelError(
                f"task index {task.index} does not fit: max_tasks is {self.config.max_tasks}."
            )
        config, key = self.config, task_key(task)
        self._tasks[task.name] = task
        device = self.schedule.alpha_bar.device
        self.encoders[key] = ScenarioEncoder(
            task.observation_size,
            config.latent_size,
            config.encoder_size,
            config.symlog,
            config.latent_norm == "layernorm",
            task.observation_mean,
            task.observation_std,
            config.observation_limit if task.observation_std else 0.0,
            config.observation_tail,
        ).to(device)
        known_size = config.latent_size + self._context_size(task)
        self.inverses[key] = InverseDynamics(task.action, config, known_size).to(device)
        if config.reconstruction_weight:
            self.reconstructions[key] = nn.Sequential(
                nn.Linear(config.latent_size, config.encoder_size),
                nn.SiLU(),
                nn.Linear(config.encoder_size, task.observation_size),
            ).to(device)
        if config.behaviour_weight:
            self.behaviours[key] = InverseDynamics(task.action, config, known_size).to(device)
        if self._context_size(task):
            self.contexts[key] = ContextEmbedding(task.context_size, config.embedding_size).to(
                device
            )
        self._return_bins[key] = self._make_bins(task)
        self._make_value(task)

    def _context_size(self, task: TaskSpec) -> int:
        """Entries of a context that goes further than into the encoder."""
        return task.context_size if self.config.context == "conditioned" else 0

    def _make_value(self, task: TaskSpec) -> None:
        """The values of a task's actions, if it has any and they are not there yet."""
        key, config = task_key(task), self.config
        if task.value_scale is None:
            if key in self.values:
                del self.values[key]
        elif key not in self.values:
            candidates, num_agents = task.value_sizes
            value = ActionValue(
                task.action, candidates, num_agents, task.observation_size, config.latent_size,
                config.inverse_size,
            )  # fmt: skip
            self.values[key] = value.to(self.schedule.alpha_bar.device)

    def own_modules(self, task: str) -> list[nn.Module]:
        """The modules that belong to one task only."""
        key = task_key(self.task(task))
        parts = (getattr(self, part) for part in TASK_PARTS)
        return [modules[key] for modules in parts if key in modules]

    def _make_bins(self, task: TaskSpec) -> TwoHot:
        smooth = self.config.targets == "two-hot"
        bins = TwoHot(task.return_range, self.config.return_bins, smooth)
        return bins.to(self.schedule.alpha_bar.device)

    def inverse(self, task: str) -> InverseDynamics:
        """Inverse dynamics of a task."""
        module = self.inverses[task_key(self.task(task))]
        assert isinstance(module, InverseDynamics)
        return module

    def behaviour(self, task: str) -> InverseDynamics:
        """Head of a task that predicts the action from own latent and neighbours' mean.

        Raises:
            ModelError: if the model was trained without one.
        """
        key = task_key(self.task(task))
        if key not in self.behaviours:
            raise ModelError("the model has no behaviour head (behaviour_weight is 0).")
        module = self.behaviours[key]
        assert isinstance(module, InverseDynamics)
        return module

    def action_values(self, task: str, observations: Tensor, heard: Tensor) -> Tensor:
        """Values `(..., N, K)` of the task's candidates.

        Args:
            task: name.
            observations: `(..., N, d)` of all agents of a network.
            heard: `(..., N, D)` means of the neighbours' latents.

        Raises:
            ModelError: if the model has learnt none.
        """
        values: Tensor = self.value(task)(self.scaled_observations(task, observations), heard)
        return values

    def value(self, task: str) -> ActionValue:
        """The network of a task's values of actions.

        Raises:
            ModelError: if the model has learnt none.
        """
        key = task_key(self.task(task))
        if key not in self.values:
            raise ModelError(
                f"the model knows no values of actions of {task!r}: learn them with "
                "python -m networld_agent.value."
            )
        module = self.values[key]
        assert isinstance(module, ActionValue)
        return module

    def return_bins(self, task: str) -> TwoHot:
        """Bins of a task's scaled returns."""
        module = self._return_bins[task_key(self.task(task))]
        assert isinstance(module, TwoHot)
        return module

    def scaled_returns(self, task: str, returns: Tensor) -> Tensor:
        """Discounted returns as the classifier's bins hold them."""
        spec = self.task(task)
        return ((returns - spec.return_mean) / spec.return_std).float()

    # ------------------------------------------------------------ observations
    def encode(self, task: str, observations: Tensor) -> Tensor:
        """Latents `(..., D)` of observations `(..., d)`.

        Raises:
            ModelError: if the task is unknown or the size is another one.
        """
        spec = self.task(task)
        if observations.shape[-1] != spec.observation_size:
            raise ModelError(
                f"observations of task {task!r} must have {spec.observation_size} entries, "
                f"got {observations.shape[-1]}."
            )
        z: Tensor = self.encoders[task_key(spec)](observations)
        return z

    def scaled_observations(self, task: str, observations: Tensor) -> Tensor:
        """Observations `(..., d)` as the task's encoder sees them."""
        encoder = self.encoders[task_key(self.task(task))]
        assert isinstance(encoder, ScenarioEncoder)
        return encoder.scaled(observations)

    def known(self, task: str, z: Tensor, observations: Tensor) -> Tensor:
        """What heads know of the present, `(..., D + C)`: the latent, and the context if it counts.

        Args:
            task: name.
            z: `(..., D)` latents of the observations.
            observations: `(..., d)`.
        """
        size = self._context_size(self.task(task))
        if not size:
            return z
        return torch.cat([z, self.scaled_observations(task, observations)[..., -size:]], -1)

    def condition(self, task: str, observations: Tensor) -> Tensor | None:
        """What the context adds to the U-Net's conditions, `(..., 2 E)`; None if it adds nothing.

        Args:
            task: name.
            observations: `(..., d)`.
        """
        size = self._context_size(self.task(task))
        if not size:
            return None
        scaled = self.scaled_observations(task, observations)[..., -size:]
        found: Tensor = self.contexts[task_key(self.task(task))](scaled)
        return found

    def heard(self, z: Tensor, neighbors: tuple[Tensor, ...]) -> Tensor:
        """What each agent makes of its neighbours' latents, `(..., N, D)`; zeros if it hears none.

        Args:
            z: `(..., N, D)`.
            neighbors: as `model.communication` has them: `(weights,)`, `(N, N)` or `(..., N, N)`
                rows that average over the neighbours, or lists of them.
        """
        if self.config.communication == "none":
            return torch.zeros_like(z)
        if self.attention is None:
            return heard_means(z, neighbors)
        heard: Tensor = self.attention(z, neighbors)
        return heard

    def reconstruct(self, task: str, z: Tensor) -> Tensor:
        """The observation (after symlog) that a latent stands for, if that head is trained."""
        if not self.config.reconstruction_weight:
            raise ModelError("the model has no reconstruction head (reconstruction_weight is 0).")
        observation: Tensor = self.reconstructions[task_key(self.task(task))](z)
        return observation

    # ---------------------------------------------------------------- segments
    def denoise(
        self, x_tau: Tensor, tau: Tensor, task: Tensor, context: Tensor | None = None
    ) -> Tensor:
        """Estimate of x0 whatever the network predicts.

        Args:
            x_tau: `(B, H, 2 D)` noisy segments with the present clamped.
            tau: `(B,)` noise levels, int64.
            task: `(B,)` task indices, int64.
            context: `(B, 2 E)` what `condition` returns.
        """
        condition = _added(self.conditioning(tau, task), context)
        output: Tensor = self.unet(x_tau.transpose(0, 1), condition).transpose(0, 1)
        return self.to_x0(output, x_tau, tau)

    def predicted_return(
        self, x_tau: Tensor, tau: Tensor, task: Tensor, context: Tensor | None = None
    ) -> Tensor:
        """Expected discounted return `(B,)` of noisy segments, differentiable; as `denoise`."""
        features, _ = self._classifier_features(x_tau.transpose(0, 1), tau, task, context)
        return self._expected(self.classifier(features[-1]), task)

    def denoise_and_return(
        self, x_tau: Tensor, tau: Tensor, task: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`denoise` and `predicted_return` with the down path computed once where shared."""
        output, logits = self.forward_both(x_tau, tau, task, context)
        return self.to_x0(output, x_tau, tau), self._expected(logits, task)

    def denoise_with_gradient(
        self, x: Tensor, tau: Tensor, task: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`denoise`, and the gradient `(B, H, 2 D)` of `predicted_return`; neither has a graph.

        A guided step needs both at the same x: where the classifier shares the down path, that is
        computed once, and the way up is computed outside autograd.
        """
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            features, condition = self._classifier_features(x.transpose(0, 1), tau, task, context)
            returns = self._expected(self.classifier(features[-1]), task)
            # Rows do not interact: the gradient of the sum holds each row's own.
            (gradient,) = torch.autograd.grad(returns.sum(), x)
        x = x.detach()
        if self.classifier_path is not None:
            return self.denoise(x, tau, task, context).detach(), gradient
        with torch.no_grad():
            shared = [values.detach() for values in features]
            output = self.unet.up(shared, condition.detach()).transpose(0, 1)
            return self.to_x0(output, x, tau), gradient

    def forward_both(
        self, x: Tensor, tau: Tensor, task: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The U-Net's raw output `(B, H, 2 D)` and the classifier's logits `(B, n)`."""
        x = x.transpose(0, 1)
        features, condition = self._classifier_features(x, tau, task, context)
        logits = self.classifier(features[-1])
        if self.classifier_path is not None:
            condition = _added(self.conditioning(tau, task), context)
            features = self.unet.down(x, condition)
        output: Tensor = self.unet.up(features, condition)
        return output.transpose(0, 1), logits

    def _classifier_features(
        self, x: Tensor, tau: Tensor, task: Tensor, context: Tensor | None = None
    ) -> tuple[list[Tensor], Tensor]:
        if self.classifier_path is None or self.classifier_conditioning is None:
            condition = _added(self.conditioning(tau, task), context)
            return self.unet.down(x, condition), condition
        condition = _added(self.classifier_conditioning(tau, task), context)
        return self.classifier_path(x, condition), condition

    def to_x0(self, output: Tensor, x: Tensor, tau: Tensor) -> Tensor:
        """The clean estimate that the U-Net's output stands for."""
        if self.config.prediction == "noise":
            return self.schedule.x0_from_noise(x, tau, output)
        if self.config.prediction == "velocity":
            return self.schedule.x0_from_velocity(x, tau, output)
        return output

    def _expected(self, logits: Tensor, task: Tensor) -> Tensor:
        values = torch.zeros(len(logits), device=logits.device)
        for spec in self._tasks.values():
            scaled = self.return_bins(spec.name).decode(logits)
            value = spec.return_mean + spec.return_std * scaled
            values = torch.where(task == spec.index, value, values)
        return values

    def decode_actions(
        self,
        task: str,
        z: Tensor,
        z_next: Tensor,
        mode: str | None = None,
        preference: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Legal actions `(..., [A])` between present and next latents `(..., D)`.

        Args:
            task: name.
            z: present, as `known` returns it.
            z_next: next.
            mode: "mean" or "mode"; the model's own choice by default.
            preference: as of `InverseDynamics.decode`.
        """
        return self.inverse(task).decode(z, z_next, mode or self.config.decode, preference)

    # ------------------------------------------------------- training and disk
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name; "loss" is their weighted sum."""
        return joint_loss(self, batch)

    def save(self, path: str | Path) -> Path:
        """Writes the model into a folder, whole or not at all; see `model.files`."""
        from networld_agent.model.files import save_model

        return save_model(self, Path(path))

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> WorldModel:
        """A saved model, frozen and ready for planning.

        Raises:
            ModelError: one sentence naming the file and its fault.
        """
        from networld_agent.model.files import load_model

        return load_model(Path(path), device)


def _added(condition: Tensor, context: Tensor | None) -> Tensor:
    return condition if context is None else condition + context


def task_key(task: TaskSpec) -> str:
    """Name of a task's modules."""
    # Names such as "module:factory" may hold dots, which module names cannot.
    return f"task{task.index}"
