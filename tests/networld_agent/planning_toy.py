"""A world whose plans are Gaussian: denoiser, classifier and best plans are known in closed form.

Latents are the observations themselves. In every plan, each channel fades from its present value
by 0.9 per step, plus independent noise of spread `SPREAD`. The return of a plan is the sum of
channel 0 over the times after the present. An action is the next latent's channel 0, rounded.
"""

import math
from dataclasses import dataclass

import torch

from networld_agent.model.communication import heard_means

SPREAD = 0.5
LEVELS = 20


def cosine(num_levels: int = LEVELS) -> torch.Tensor:
    def share(t: float) -> float:
        return math.cos((t / num_levels + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [min(1 - share(t + 1) / share(t), 0.999) for t in range(num_levels)]
    return torch.cumprod(1 - torch.tensor(betas, dtype=torch.float64), 0).float()


@dataclass(frozen=True)
class ToyTask:
    name: str = "toy"
    index: int = 0
    observation_size: int = 3
    guidance_scale: float | None = 0.5
    temperature: float | None = None
    denoising_steps: int | None = None
    value_scale: float | None = None


@dataclass(frozen=True)
class ToySizes:
    latent_size: int = 3
    horizon: int = 8
    communication: str = "mean"


@dataclass(frozen=True)
class ToySchedule:
    alpha_bar: torch.Tensor


class ToyModel:
    """Satisfies `PlanningModel`."""

    def __init__(self, *tasks: ToyTask) -> None:
        self.config = ToySizes()
        self.tasks = {task.name: task for task in tasks or (ToyTask(),)}
        self.schedule = ToySchedule(cosine())
        self.denoised = self.rated = 0

    def encode(self, task: str, observations: torch.Tensor) -> torch.Tensor:
        return observations

    def heard(self, z: torch.Tensor, neighbors: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return heard_means(z, neighbors)

    def known(self, task, z, observations) -> torch.Tensor:
        return z

    def condition(self, task, observations) -> None:
        return None

    def prior(self, x: torch.Tensor) -> torch.Tensor:
        fade = 0.9 ** torch.arange(self.config.horizon)
        return x[:, :1] * fade[:, None]

    def _estimate(self, x: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
        alpha = self.schedule.alpha_bar[tau].sqrt()[:, None, None]
        gain = SPREAD**2 * alpha / (alpha**2 * SPREAD**2 + 1 - alpha**2)
        mean = self.prior(x)
        return mean + gain * (x - alpha * mean)

    def denoise(self, x: torch.Tensor, tau: torch.Tensor, task: torch.Tensor) -> torch.Tensor:
        self.denoised += 1
        return self._estimate(x, tau)

    def predicted_return(
        self, x: torch.Tensor, tau: torch.Tensor, task: torch.Tensor
    ) -> torch.Tensor:
        self.rated += 1
        return self._estimate(x, tau)[:, 1:, 0].sum(1)

    def denoise_with_gradient(
        self, x: torch.Tensor, tau: torch.Tensor, task: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.predicted_return(x, tau, task).sum(), x)
        return self.denoise(x.detach(), tau, task), gradient

    def inverse(self, task: str) -> "ToyInverse":
        return ToyInverse()

    def decode_actions(self, task, z, z_next, mode, preference=None) -> torch.Tensor:
        return z_next[:, 0].round().long()


class ToyInverse:
    """Certain of its action: probability 1 - ERROR."""

    ERROR = 0.1

    def loss(self, z, z_next, actions) -> torch.Tensor:
        hit = z_next[..., 0].round() == actions
        return -torch.where(hit, 1 - self.ERROR, self.ERROR).log()
