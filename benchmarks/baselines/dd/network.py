"""The decision diffuser's networks: NetWorld's temporal U-Net and inverse dynamics on observations.

A. Ajay et al., Is Conditional Generative Modeling All You Need for Decision-Making?, ICLR 2023,
arXiv 2211.15657. Trajectories hold scaled observations only, `(batch, time, entry)`; the action is
what leads from the present one to the next. The first `history` times are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.baselines.dd.guidance import ReturnConditioning, guided_estimate
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.diffusion import Schedule
from networld_agent.model.inverse_dynamics import InverseDynamics
from networld_agent.model.task_spec import ActionSpec
from networld_agent.model.temporal_unet import TemporalUNet
from networld_agent.planning.samplers import SamplerStep, sample

__all__ = ["DecisionDiffuserNetwork", "DiffuserLoss"]


@dataclass(frozen=True)
class DiffuserLoss:
    """The loss that the networks are trained on.

    Args:
        first_step_weight: of the first generated time in the denoising loss, against 1 for others.
        planned_action_weight: of the inverse dynamics' loss on the denoised present transition:
            it learns to read plans, which are smoother than what was observed. The plan itself
            gets no gradient from it.
    """

    first_step_weight: float
    planned_action_weight: float


class DecisionDiffuserNetwork(nn.Module):
    """Denoises trajectories given a return, and reads actions off them.

    Args:
        config: sizes of U-Net and inverse dynamics; `latent_size` is the size of an observation,
            `prediction` "x0" or "velocity".
        action: of one agent.
        history: times at the start of a trajectory that are known, the present last.
    """

    def __init__(self, config: WorldModelConfig, action: ActionSpec, history: int) -> None:
        super().__init__()
        self.config, self.history = config, history
        self.schedule = Schedule(config.diffusion_steps)
        self.conditioning = ReturnConditioning(config.embedding_size)
        self.unet = TemporalUNet(config.latent_size, config)
        self.inverse = InverseDynamics(action, config)

    def denoise(self, x: Tensor, tau: Tensor, returns: Tensor, given: Tensor) -> Tensor:
        """Estimated clean trajectories `(R, H, k)`.

        Args:
            x: `(R, H, k)` noisy ones, with the history clamped.
            tau: `(R,)` noise levels, int64.
            returns: `(R,)` scaled.
            given: `(R,)` 1 where the return is told, else 0.
        """
        return self._clean(self._output(x, tau, returns, given), x, tau)

    def _output(self, x: Tensor, tau: Tensor, returns: Tensor, given: Tensor) -> Tensor:
        condition = self.conditioning(tau, returns, given)
        out: Tensor = self.unet(x.transpose(0, 1), condition).transpose(0, 1)
        return out

    def _clean(self, output: Tensor, x: Tensor, tau: Tensor) -> Tensor:
        if self.config.prediction == "velocity":
            return self.schedule.x0_from_velocity(x, tau, output)
        return output

    def clamped(self, x: Tensor, known: Tensor) -> Tensor:
        """`x` `(R, H, k)` with its first times replaced by the known ones `(R, history, k)`."""
        return torch.cat([known, x[:, self.history :]], 1)

    def losses(
        self,
        clean: Tensor,
        actions: Tensor,
        returns: Tensor,
        given: Tensor,
        tau: Tensor,
        noise: Tensor,
        weights: DiffuserLoss,
    ) -> dict[str, Tensor]:
        """The sum "loss" and its parts.

        No noise is added to the history and no loss is taken there: whatever the network predicts,
        it is not asked to write what is already known.

        Args:
            clean: `(R, H, k)` trajectories.
            actions: `(R, H - history[, A])` as recorded, from the present on.
            returns: `(R,)` scaled.
            given: `(R,)` 0 where the return is withheld.
            tau: `(R,)` noise levels.
            noise: `(R, H, k)`.
            weights: of the parts.
        """
        known = self.history
        x = self.clamped(self.schedule.noisy(clean, tau, noise), clean[:, :known])
        output = self._output(x, tau, returns, given)
        target = clean
        if self.config.prediction == "velocity":
            target = self.schedule.velocity(clean, tau, noise)
        per_step = (output - target)[:, known:].square().mean((0, 2))
        steps = torch.ones_like(per_step)
        steps[0] = weights.first_step_weight
        losses = {"diffusion": per_step @ steps / steps.sum()}
        present, following = clean[:, known - 1 : -1], clean[:, known:]
        losses["inverse"] = self.inverse.loss(present, following, actions).mean()
        total = losses["diffusion"] + losses["inverse"]
        if weights.planned_action_weight:
            planned = self._clean(output, x, tau)[:, known].detach()
            error = self.inverse.loss(clean[:, known - 1], planned, actions[:, 0]).mean()
            losses["planned_action"] = error
            total = total + weights.planned_action_weight * error
        return {"loss": total, **losses}

    def plan(
        self,
        known: Tensor,
        returns: Tensor,
        steps: Sequence[SamplerStep],
        draw_noise: Callable[[int], Tensor],
        weight: float,
    ) -> Tensor:
        """Trajectories `(R, H, k)` that begin with what is known.

        Args:
            known: `(R, history, k)`.
            returns: `(R,)` scaled returns to ask for.
            steps: of the sampler, from `networld_agent.planning.samplers`.
            draw_noise: `(R, H, k)` of the draw with this number; 0 is where sampling starts.
            weight: of the guidance.
        """

        def estimate(x: Tensor, step: SamplerStep) -> Tensor:
            tau = torch.full((len(x),), step.level, dtype=torch.long, device=x.device)
            return guided_estimate(self.denoise, x, tau, returns, weight)

        return sample(
            steps,
            draw_noise(0),
            estimate,
            lambda index: draw_noise(index + 1),
            lambda x: self.clamped(x, known),
        )
