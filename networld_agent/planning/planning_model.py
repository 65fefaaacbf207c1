"""What the planner asks of a world model: the trained one satisfies it, and so does a toy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from networld_agent.planning.agreement import ActionLikelihood

__all__ = ["NoiseSchedule", "PlanSizes", "PlanningModel", "PlanningTask"]


class PlanningTask(Protocol):
    """A task as the planner needs to know it."""

    @property
    def name(self) -> str:
        """Id of the task's environments."""

    @property
    def index(self) -> int:
        """The task's index in the network's embedding."""

    @property
    def observation_size(self) -> int:
        """Entries of one agent's observation."""

    @property
    def guidance_scale(self) -> float | None:
        """The scale tuned for this task; None before that."""

    @property
    def temperature(self) -> float | None:
        """The temperature tuned for this task; None before that."""

    @property
    def denoising_steps(self) -> int | None:
        """The steps of a plan tuned for this task; None before that."""

    @property
    def value_scale(self) -> float | None:
        """The weight of actions' values tuned for this task; None if the model has none."""


class NoiseSchedule(Protocol):
    """Signal shares of the noise levels."""

    @property
    def alpha_bar(self) -> Tensor:
        """`(T,)` squared signal share per level, falling."""


class PlanSizes(Protocol):
    """Sizes of a plan, and how an action is decoded where the planner's options do not say."""

    @property
    def decode(self) -> str:
        """One of "mean" and "mode"."""

    @property
    def latent_size(self) -> int:
        """Size D of a latent."""

    @property
    def horizon(self) -> int:
        """Number of steps H of a plan."""

    @property
    def communication(self) -> str:
        """What agents take from their neighbours' latents; "none" if they hear nobody."""


class PlanningModel(Protocol):
    """A world model as the planner sees it.

    A plan is `(R, H, 2D)`: rows, times (0 is the present), own latent and then the neighbours'.
    """

    @property
    def tasks(self) -> Mapping[str, PlanningTask]:
        """Tasks by name."""

    @property
    def schedule(self) -> NoiseSchedule:
        """Noise levels."""

    @property
    def config(self) -> PlanSizes:
        """Sizes of a plan."""

    def encode(self, task: str, observations: Tensor) -> Tensor:
        """Latents `(R, D)` of observations `(R, d)`."""

    def heard(self, z: Tensor, neighbors: tuple[Tensor, ...]) -> Tensor:
        """What agents make of their neighbours' latents, `(B, N, D)` of latents `(B, N, D)`.

        Args:
            z: of all agents.
            neighbors: see `Neighbors.tensors`; empty if agents do not hear each other.
        """

    def known(self, task: str, z: Tensor, observations: Tensor) -> Tensor:
        """What heads know of the present: latents `(R, D)`, and the context if it counts."""

    def condition(self, task: str, observations: Tensor) -> Tensor | None:
        """What the context adds to the network's conditions, one row each; None for nothing."""

    def denoise(
        self, x: Tensor, tau: Tensor, task: Tensor, context: Tensor | None = None
    ) -> Tensor:
        """Estimate `(R, H, 2D)` of the clean plan.

        Args:
            x: `(R, H, 2D)`.
            tau: `(1,)` integers.
            task: `(1,)` integers.
            context: what `condition` returned.
        """

    def predicted_return(
        self, x: Tensor, tau: Tensor, task: Tensor, context: Tensor | None = None
    ) -> Tensor:
        """Expected discounted return `(R,)` of a noisy plan, differentiable in it."""

    def denoise_with_gradient(
        self, x: Tensor, tau: Tensor, task: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`denoise`, and the gradient `(R, H, 2D)` of `predicted_return`."""

    def inverse(self, task: str) -> ActionLikelihood:
        """The distribution of actions that lead from one latent to the next."""

    def behaviour(self, task: str) -> Any:
        """The head that clones actions from own latent and neighbours' mean."""

    def decode_actions(
        self,
        task: str,
        z: Tensor,
        z_next: Tensor,
        mode: Any,
        preference: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        """Legal actions `(R, ...)` that lead from what is `known` to the next latents `(R, D)`."""

    def action_values(self, task: str, observations: Tensor, heard: Tensor) -> Tensor:
        """Values `(B, N, K)` of the candidates, of `(B, N, d)` and neighbours' means."""

    def value(self, task: str) -> Any:
        """What holds the candidates, as `actions`."""
