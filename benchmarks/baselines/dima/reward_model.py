"""Reward and termination: a causal transformer over states and joint actions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.baselines.dima.action_embedding import JointActions
from benchmarks.baselines.dima.config import RewardConfig
from benchmarks.baselines.dima.sequences import WorldSpec
from benchmarks.baselines.shared.causal_transformer import CausalTransformer, KeyValueCache

__all__ = ["RewardModel", "episode_mask"]

#: Tokens of one step: its state, and its joint action.
_PER_STEP = 2


def episode_mask(valid: Tensor, context: int) -> Tensor:
    """`(B, 1, 2 L, 2 L)` booleans: which tokens each token attends to.

    Those before it or at its own place, of its own episode, at most `context` steps back.

    Args:
        valid: `(B, L)` steps that are real; one that is not separates two episodes.
        context: steps that a token sees, its own included.
    """
    episode = (~valid).cumsum(1).repeat_interleave(_PER_STEP, 1)
    tokens = torch.arange(episode.shape[1], device=valid.device)
    steps = tokens // _PER_STEP
    near = (tokens[:, None] >= tokens) & (steps[:, None] - steps < context)
    real = valid.repeat_interleave(_PER_STEP, 1)
    same = (episode[:, :, None] == episode[:, None, :]) & real[:, None, :]
    # A padded token sees itself, so that no row is empty: an empty softmax is not a number.
    own = tokens[:, None] == tokens
    return ((near & same) | own)[:, None]


def _head(width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, width), nn.SiLU(),
        nn.Linear(width, width), nn.SiLU(),
        nn.Linear(width, outputs),
    )  # fmt: skip


class RewardModel(nn.Module):
    """Predicts, at the action of every step, its reward and whether the episode ends by it.

    Args:
        spec: of the environment.
        config: of this model.
    """

    def __init__(self, spec: WorldSpec, config: RewardConfig) -> None:
        super().__init__()
        self.config = config
        self.state = nn.Linear(spec.state_size, config.width)
        self.actions = JointActions(spec, config.width)
        with torch.no_grad():
            self.actions.weight.mul_(spec.num_agents**-0.5)
        self.trunk = CausalTransformer(
            width=config.width,
            layers=config.layers,
            heads=config.heads,
            context=config.context,
            per_step=_PER_STEP,
            readout=1,
            dropout=config.dropout,
        )
        self.reward, self.termination = _head(config.width, 1), _head(config.width, 2)

    def _tokens(self, states: Tensor, actions: Tensor) -> Tensor:
        """`(B, 2 L, W)`."""
        pairs = torch.stack([self.state(states), self.actions(actions).sum(-2)], 2)
        return pairs.flatten(1, 2)

    def _read(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        return self.reward(outputs)[..., 0], self.termination(outputs)

    def forward(self, states: Tensor, actions: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Rewards `(B, L)`, normalised, and logits `(B, L, 2)` of going on and ending.

        Args:
            states: `(B, L, S)` scaled.
            actions: `(B, L, n[, A])`.
            valid: `(B, L)` steps that are real.
        """
        x = self._tokens(states, actions)
        mask = episode_mask(valid, self.config.context)
        return self._read(self.trunk(x, mask))

    def loss(
        self, states: Tensor, actions: Tensor, rewards: Tensor, terminated: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Smooth L1 of rewards, cross-entropy of termination; means over real steps."""
        predicted, logits = self(states, actions, valid)
        real = valid.to(predicted.dtype)
        count = real.sum().clamp(min=1)
        reward = nn.functional.smooth_l1_loss(predicted, rewards, reduction="none")
        ending = nn.functional.cross_entropy(
            logits.flatten(0, 1), terminated.long().flatten(), reduction="none"
        )
        return (reward * real).sum() / count, (ending.view_as(real) * real).sum() / count

    def begin(self, rows: int) -> KeyValueCache:
        """Memory of B imagined episodes."""
        return KeyValueCache(rows, self.trunk)

    def extend(
        self, states: Tensor, actions: Tensor, memory: KeyValueCache
    ) -> tuple[Tensor, Tensor]:
        """Reward `(B,)`, normalised, and probability `(B,)` of an end, of the next step.

        Args:
            states: `(B, S)` scaled.
            actions: `(B, n[, A])`.
            memory: of the steps before, which this one joins.
        """
        tokens = self._tokens(states[:, None], actions[:, None])
        reward, logits = self._read(self.trunk.extend(tokens, memory))
        return reward, logits.softmax(-1)[..., 1]
