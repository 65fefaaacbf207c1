"""The diffusion model of the next state: its training loss, and samples of the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.baselines.dima.action_embedding import make_action_encoder
from benchmarks.baselines.dima.config import DenoiserConfig
from benchmarks.baselines.dima.denoiser_network import DenoiserNetwork, Matrices
from benchmarks.baselines.dima.edm import (
    SIGMA_DATA,
    Preconditioning,
    draw_noise_levels,
    euler,
    noise_levels,
)
from benchmarks.baselines.dima.sequences import WorldSpec

__all__ = ["Denoiser", "Given"]


@dataclass(frozen=True)
class Given:
    """All that one prediction is conditioned on, prepared once for all its denoising steps.

    Args:
        entered: the past states in the network's first layer.
        actions: of the action encoder.
    """

    entered: Tensor
    actions: Any


class Denoiser(nn.Module):
    """Predicts s_{t+1} from s_{t-C+1:t} and the actions taken there.

    All states are scaled: 0.5 s_n, of deviation 0.5.

    Args:
        spec: of the environment.
        config: of the denoiser.
    """

    def __init__(self, spec: WorldSpec, config: DenoiserConfig) -> None:
        super().__init__()
        self.spec, self.config = spec, config
        self.network = DenoiserNetwork(spec.state_size, config)
        self.actions = make_action_encoder(spec, config)
        self.levels = noise_levels(
            config.steps(spec.num_agents), config.first_noise, config.least_noise, config.rho
        )

    # ---------------------------------------------------------------- one step
    def given(self, states: Tensor, actions: Tensor, valid: Tensor) -> Given:
        """Prepares a prediction.

        Args:
            states: `(B, C, S)` scaled, the present one last.
            actions: `(B, C, n[, A])`, the present ones last.
            valid: `(B, C)` false where there is no such step; its contents are not looked at.
        """
        real = (states / SIGMA_DATA).masked_fill(~valid[..., None], 0)
        return Given(self.network.enter_context(real), self.actions.prepare(actions, valid))

    def denoise(
        self, x: Tensor, sigma: Tensor, given: Given, seen: Tensor, matrices: Matrices
    ) -> tuple[Tensor, Tensor, Preconditioning]:
        """D, F `(B, S)` each, and the coefficients between them.

        Args:
            x: `(B, S)` noisy.
            sigma: `(B,)` or `(1,)` noise levels.
            given: from `given`.
            seen: `(B, n)` whose present actions this step may see.
            matrices: of the network.
        """
        pre = Preconditioning.at(sigma, self.config.offset_noise)
        embedded = self.actions.embed(given.actions, seen)
        output = self.network(given.entered, pre.scale[:, None] * x, pre.noise, embedded, matrices)
        return pre.skip[:, None] * x + pre.out[:, None] * output, output, pre

    # ---------------------------------------------------------------- training
    def loss(self, states: Tensor, actions: Tensor, valid: Tensor) -> Tensor:
        """Mean square error of F, over predictions that go on from the model's own outputs.

        Args:
            states: `(B, C + M, S)` scaled: a context, then M states to predict.
            actions: `(B, C + M - 1, n[, A])`.
            valid: `(B, C + M - 1)` steps that are real; nothing before one that is not is seen.
        """
        size, matrices = self.config.context, self.network.matrices()
        known = list(states[:, :size].unbind(1))
        total, count = states.new_zeros(()), states.new_zeros(())
        for ahead in range(valid.shape[1] - size + 1):
            window = slice(ahead, ahead + size)
            given = self.given(
                torch.stack(known[window], 1), actions[:, window], reachable(valid[:, window])
            )
            clean, real = states[:, ahead + size], valid[:, ahead + size - 1]
            output, target, denoised = self._predict(clean, given, matrices)
            errors = (output - target).square().mean(-1)
            total = total + (errors * real).sum()
            count = count + real.sum()
            known.append(denoised.detach())
        return total / count.clamp(min=1)

    def _predict(
        self, clean: Tensor, given: Given, matrices: Matrices
    ) -> tuple[Tensor, Tensor, Tensor]:
        """F, what F should be, and D, at noise drawn for each row."""
        config, rows = self.config, len(clean)
        sigma = draw_noise_levels(
            clean.new_empty(rows), config.noise_mean, config.noise_std,
            config.least_noise, config.greatest_noise,
        )  # fmt: skip
        spread = torch.sqrt(sigma**2 + config.offset_noise**2)
        x = clean + spread[:, None] * torch.randn_like(clean)
        denoised, output, pre = self.denoise(x, sigma, given, self._training_view(rows), matrices)
        target = (clean - pre.skip[:, None] * x) / pre.out[:, None]
        return output, target, denoised

    def _training_view(self, rows: int) -> Tensor:
        """`(B, n)`: one agent drawn per row, or all."""
        count = self.spec.num_agents
        if self.config.conditioning == "joint":
            return torch.ones(rows, count, dtype=torch.bool, device=self._device)
        return one_agent(torch.randint(count, (rows,), device=self._device), count)

    @property
    def _device(self) -> torch.device:
        return self.network.enter_bias.device

    # ---------------------------------------------------------------- sampling
    def order(self, rows: int) -> Tensor:
        """`(B, K)`: whose action each denoising step sees, by the configured order."""
        count, steps = self.spec.num_agents, len(self.levels) - 1
        agents = torch.arange(count, device=self._device)
        if self.config.order == "random":
            order = torch.rand(rows, count, device=self._device).argsort(-1)
        else:
            order = (agents if self.config.order == "ascending" else agents.flip(0)).expand(
                rows, -1
            )
        # An agent's steps follow each other, 2 2 1 1 for K = 4. Without an offset the agent of the
        # noisy steps is heeded then; with 2 1 2 1 it would be the one seen last.
        return order[:, torch.arange(steps) * count // steps]

    @torch.no_grad()
    def sample(
        self,
        states: Tensor,
        actions: Tensor,
        valid: Tensor,
        order: Tensor | None = None,
        matrices: Matrices | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Next states `(B, S)`, scaled.

        Args:
            states: as in `given`.
            actions: as in `given`.
            valid: as in `given`.
            order: `(B, K)` whose action each denoising step sees; the configured one by default.
                Without meaning for joint conditioning.
            matrices: of the network, if they are at hand.
            noise: `(B, S)` standard Gaussian to start from; drawn by default.
        """
        rows, count = len(states), self.spec.num_agents
        given = self.given(states, actions, valid)
        matrices = matrices or self.network.matrices()
        joint = self.config.conditioning == "joint"
        order = self.order(rows) if order is None and not joint else order
        everyone = torch.ones(rows, count, dtype=torch.bool, device=states.device)
        if noise is None:
            noise = torch.randn_like(states[:, -1])

        def estimate(x: Tensor, sigma: float, step: int) -> Tensor:
            seen = everyone if order is None or joint else one_agent(order[:, step], count)
            levels = x.new_full((1,), sigma)
            return self.denoise(x, levels, given, seen, matrices)[0]

        return euler(estimate, noise, self.levels)


def one_agent(agents: Tensor, count: int) -> Tensor:
    """`(B, n)` booleans, true for one agent `(B,)` per row."""
    return torch.arange(count, device=agents.device) == agents[:, None]


def reachable(valid: Tensor) -> Tensor:
    """`(B, C)`: which states of a context are of the present one's episode.

    Args:
        valid: `(B, C)` whether the step from each state is real; the last one's is not looked at.
    """
    past = valid[:, :-1].flip(1).cumprod(1).flip(1).bool()
    return torch.cat([past, torch.ones_like(past[:, :1])], 1)
