"""What a denoising step is told of actions: light networks per agent, or a masked Perceiver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.baselines.dima.config import DenoiserConfig
from benchmarks.baselines.dima.sequences import WorldSpec

__all__ = ["ActionEncoder", "ActionMLP", "ActionPerceiver", "JointActions", "make_action_encoder"]


class JointActions(nn.Module):
    """The first layer: every agent's action by weights of its own.

    Args:
        spec: of the environment.
        width: W, of the result.
    """

    def __init__(self, spec: WorldSpec, width: int) -> None:
        super().__init__()
        self._choices = spec.num_choices
        rows = spec.num_choices if spec.discrete else spec.action_size
        scale = 1.0 if spec.discrete else rows**-0.5
        self.weight = nn.Parameter(torch.randn(spec.num_agents, rows, width) * scale)

    def forward(self, actions: Tensor) -> Tensor:
        """`(..., n)` integers or `(..., n, A)` reals to `(..., n, W)`."""
        if self._choices:
            agents = torch.arange(self.weight.shape[0], device=actions.device)
            return nn.functional.embedding(
                actions + agents * self._choices, self.weight.flatten(0, 1)
            )
        return torch.einsum("...na,naw->...nw", actions, self.weight)


class ActionEncoder(nn.Module, ABC):
    """Embeds the actions of C steps, the present one last.

    Work is in two halves: `prepare` once per prediction, `embed` once per denoising step.
    """

    @abstractmethod
    def prepare(self, actions: Tensor, valid: Tensor) -> Any:
        """All that does not depend on which agents' present actions are seen.

        Args:
            actions: `(B, C, n)` integers or `(B, C, n, A)` reals.
            valid: `(B, C)` false for padding.
        """

    @abstractmethod
    def embed(self, prepared: Any, seen: Tensor) -> Tensor:
        """`(B, E)`; `seen` `(B, n)` says whose present actions are seen."""


class ActionMLP(ActionEncoder):
    """One small network per agent and step, summed.

    Args:
        spec: of the environment.
        config: of the denoiser.
    """

    def __init__(self, spec: WorldSpec, config: DenoiserConfig) -> None:
        super().__init__()
        n, steps, width = spec.num_agents, config.context, config.action_hidden
        size = config.embedding_size
        self.actions = JointActions(spec, width)
        self.agents = nn.Parameter(torch.randn(n, width) * 0.5)
        self.times = nn.Parameter(torch.randn(steps, 1, width) * 0.5)
        # The sum over all that is seen has variance 1 at the start.
        at_once = n if config.conditioning == "joint" else 1
        self.past = nn.Parameter(
            torch.randn((steps - 1) * n * width, size) * ((steps - 1) * n * width) ** -0.5
        )
        self.present = nn.Parameter(torch.randn(n, width, size) * (at_once * width) ** -0.5)
        self._joint = config.conditioning == "joint"

    def prepare(self, actions: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Embedding of the past `(B, E)`, and of each present action `(B, n, E)`."""
        hidden = nn.functional.silu(self.actions(actions) + self.agents + self.times)
        past = (hidden[:, :-1] * valid[:, :-1, None, None]).flatten(1) @ self.past
        if self._joint:
            # All are seen in every step: one matrix product, no sum to be taken later.
            return past + hidden[:, -1].flatten(1) @ self.present.flatten(0, 1), hidden[:, :0]
        return past, torch.einsum("bnw,nwe->bne", hidden[:, -1], self.present)

    def embed(self, prepared: tuple[Tensor, Tensor], seen: Tensor) -> Tensor:
        """Sum over the past and what is seen of the present."""
        past, present = prepared
        if self._joint:
            return past
        return past + (seen.to(past.dtype)[:, None] @ present)[:, 0]


class _Attention(nn.Module):
    """Pre-norm attention of queries to keys, then a feed-forward layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.query_norm, self.key_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.mix = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(),
            nn.Linear(4 * width, width),
        )  # fmt: skip

    def forward(self, x: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """`(B, Q, W)`; `mask` `(B, 1, 1, K)` is true where a key may be seen."""
        q = self.query(self.query_norm(x))
        k, v = self.key_value(self.key_norm(keys)).chunk(2, -1)
        q, k, v = (y.unflatten(-1, (self._heads, -1)).transpose(1, 2) for y in (q, k, v))
        out = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.mix(out.transpose(1, 2).flatten(2))
        fed: Tensor = x + self.feed(x)
        return fed


class ActionPerceiver(ActionEncoder):
    """Learnt latents attend to all actions that are seen, then to each other.

    Args:
        spec: of the environment.
        config: of the denoiser.
    """

    def __init__(self, spec: WorldSpec, config: DenoiserConfig) -> None:
        super().__init__()
        width, heads = config.perceiver_width, max(1, config.perceiver_width // 64)
        self.actions = JointActions(spec, width)
        self.agents = nn.Parameter(torch.randn(spec.num_agents, width) * 0.5)
        self.times = nn.Parameter(torch.randn(config.context, 1, width) * 0.5)
        self.latents = nn.Parameter(torch.randn(config.perceiver_latents, width))
        layers = config.perceiver_layers
        self.cross = nn.ModuleList(_Attention(width, heads) for _ in range(layers))
        self.own = nn.ModuleList(_Attention(width, heads) for _ in range(layers))
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, config.embedding_size))

    def prepare(self, actions: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens `(B, C, n, W)`, and which of them may be seen at all `(B, C, n)`."""
        tokens = self.actions(actions) + self.agents + self.times
        return tokens, valid[:, :, None].expand(tokens.shape[:3])

    def embed(self, prepared: tuple[Tensor, Tensor], seen: Tensor) -> Tensor:
        """Mean of the latents after attention."""
        tokens, valid = prepared
        # The present is always seen in part: no row of the mask is empty.
        mask = torch.cat([valid[:, :-1], seen[:, None]], 1).flatten(1)[:, None, None]
        x, keys = self.latents.expand(len(tokens), -1, -1), tokens.flatten(1, 2)
        for cross, own in zip(self.cross, self.own, strict=True):
            x = cross(x, keys, mask)
            x = own(x, x)
        out: Tensor = self.out(x.mean(1))
        return out


def make_action_encoder(spec: WorldSpec, config: DenoiserConfig) -> ActionEncoder:
    """The encoder that the configuration names."""
    kind = ActionPerceiver if config.action_encoder == "perceiver" else ActionMLP
    return kind(spec, config)
