"""The action between two latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from networld_agent.model.config import WorldModelConfig
from networld_agent.model.symlog import TwoHot, limit_of
from networld_agent.model.task_spec import ActionSpec

__all__ = ["InverseDynamics"]

#: Scaled actions are at most this: symexp-spaced bins then have 0.2 to 4 % of it between them.
_SCALED_LIMIT = 10.0


class InverseDynamics(nn.Module):
    """(z_t, z_{t+1}) to a distribution over each component of the action of one task.

    A discrete component has one logit per choice, or symexp-spaced bins over its integers; a real
    one always has bins.

    Args:
        action: of the task.
        config: of the model.
        known_size: of what stands for z_t, D by default; more where it ends with a context.
    """

    low: Tensor
    high: Tensor
    unit: Tensor

    def __init__(
        self, action: ActionSpec, config: WorldModelConfig, known_size: int | None = None
    ) -> None:
        super().__init__()
        self.action = action
        self.categorical = action.kind != "box" and config.discrete_head == "categorical"
        if action.kind == "box":
            low, high = torch.tensor(action.low), torch.tensor(action.high)
        else:
            low = torch.full((len(action.sizes),), float(action.start))
            high = low + torch.tensor(action.sizes) - 1
        greatest = torch.maximum(low.abs(), high.abs()).clamp(min=1e-12)
        scaled = action.kind == "box" and config.action_scaling == "bounds"
        unit = greatest / _SCALED_LIMIT if scaled else torch.ones_like(greatest)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("high", high, persistent=False)
        self.register_buffer("unit", unit, persistent=False)
        if self.categorical:
            self._sizes: Sequence[int] = action.sizes
        else:
            limit = limit_of(float((greatest / unit).max()), margin=1.0)
            self.bins = TwoHot(limit, config.action_bins, config.targets == "two-hot")
            self._sizes = (config.action_bins,) * action.num_components
        width = config.inverse_size
        self.layers = nn.Sequential(
            nn.Linear((known_size or config.latent_size) + config.latent_size, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
        )
        self.head = nn.Linear(width, sum(self._sizes))
        # A random far bin would dominate the first means.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, z: Tensor, z_next: Tensor) -> tuple[Tensor, ...]:
        """Logits per component `(..., n)`, of latents `(..., D)`."""
        logits: Tensor = self.head(self.layers(torch.cat([z, z_next], -1)))
        return logits.float().split(tuple(self._sizes), -1)

    def _columns(self, actions: Tensor) -> Tensor:
        """Recorded actions as `(..., A)`."""
        return actions[..., None] if self.action.kind == "discrete" else actions

    @property
    def sizes(self) -> tuple[int, ...]:
        """Choices per component: legal ones, or bins."""
        return tuple(self._sizes)

    def choices(self, actions: Tensor) -> Tensor:
        """`(..., A)` int64 choice of each component of recorded actions `(..., [A])`."""
        columns = self._columns(actions)
        if self.categorical:
            return (columns - self.action.start).long()
        lower, share = self.bins.weights(columns.float() / self.unit)
        return lower + (share >= 0.5).long()

    def loss(self, z: Tensor, z_next: Tensor, actions: Tensor) -> Tensor:
        """Cross-entropy `(...)`, mean over components, with recorded actions `(..., [A])`."""
        columns = self._columns(actions)
        losses = []
        for k, logits in enumerate(self(z, z_next)):
            if self.categorical:
                choice = (columns[..., k] - self.action.start).long()
                entropy = nn.functional.cross_entropy(
                    logits.flatten(0, -2), choice.flatten(), reduction="none"
                )
                losses.append(entropy.reshape(choice.shape))
            else:
                value = columns[..., k].to(logits.dtype) / self.unit[k]
                losses.append(self.bins.cross_entropy(logits, value))
        return torch.stack(losses).mean(0)

    def decode(
        self,
        z: Tensor,
        z_next: Tensor,
        mode: str,
        preference: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Legal actions `(..., [A])`: int64 for discrete ones, else float32 within the bounds.

        Args:
            z: `(..., D)` present latents.
            z_next: `(..., D)` next latents.
            mode: "mean" of the distribution or its "mode"; a categorical head knows no mean other
                than the one over the choices' numbers.
            preference: actions `(K, [A])` to choose from, and `(..., K)` that is added to the
                logarithms of their probabilities; the greatest sum is taken, whatever the mode.
        """
        values = []
        rows = self(z, z_next)
        if preference is not None:
            candidates, rating = preference
            for logits, column in zip(rows, self.choices(candidates).unbind(-1), strict=True):
                rating = rating + logits.log_softmax(-1)[..., column]
            return candidates[rating.argmax(-1)]
        for k, logits in enumerate(rows):
            if self.categorical:
                if mode == "mode":
                    values.append(logits.argmax(-1) + float(self.action.start))
                else:
                    numbers = torch.arange(logits.shape[-1], device=logits.device)
                    mean = (logits.softmax(-1) * numbers).sum(-1)
                    values.append(mean + self.action.start)
            elif mode == "mode" and self.action.kind != "box":
                values.append(self._nearest_legal(logits, k))
            else:
                decoded = self.bins.mode(logits) if mode == "mode" else self.bins.decode(logits)
                values.append(decoded * self.unit[k])
        actions = torch.stack(values, -1).clamp(self.low, self.high)
        if self.action.kind == "box":
            return actions
        actions = actions.round().long()
        return actions[..., 0] if self.action.kind == "discrete" else actions

    def _nearest_legal(self, logits: Tensor, component: int) -> Tensor:
        """The integer whose code is nearest to the distribution, by Kullback-Leibler divergence.

        The likelihood alone would prefer integers that lie on a bin.
        """
        # From the description: bounds read from a buffer would make a GPU wait.
        low = float(self.action.start)
        integers = torch.arange(low, low + self.action.sizes[component], device=logits.device)
        codes = self.bins.encode(integers)
        entropy = -(codes * torch.log(codes.clamp(min=1e-30))).sum(-1)
        likelihood = nn.functional.log_softmax(logits, -1) @ codes.T
        return integers[(likelihood + entropy).argmax(-1)]
