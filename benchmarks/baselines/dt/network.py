"""The decision transformer's network: three tokens a step, the action read off the observation's.

L. Chen et al., Decision Transformer: Reinforcement Learning via Sequence Modeling, NeurIPS 2021,
arXiv 2106.01345. A step is (return ahead, observation, action); the token of the observation sees
its own step's return and all that came before, and predicts the action.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.causal_transformer import (
    ByteDropout,
    CausalTransformer,
    KeyValueCache,
)

__all__ = ["DecisionTransformerNetwork"]

#: Tokens of a step, and which of them predicts.
_PER_STEP, _READOUT = 3, 1


class DecisionTransformerNetwork(nn.Module):
    """Embeddings of the three kinds of token, a causal transformer, a head.

    Actions are as `ActionCodec` encodes them: int64 choices `(...)`, or reals `(..., A)`.

    Args:
        input_size: entries k of a scaled observation.
        codec: of the actions.
        width: of the tokens.
        layers: blocks.
        heads: of the attention.
        context: steps that a decision sees.
        dropout: share, after the embeddings and in the blocks.
    """

    def __init__(
        self,
        input_size: int,
        codec: ActionCodec,
        width: int,
        layers: int,
        heads: int,
        context: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.discrete = codec.discrete
        self.return_token = nn.Linear(1, width)
        self.observation_token = nn.Linear(input_size, width)
        self.action_token: nn.Linear | nn.Embedding
        if codec.discrete:
            self.action_token = nn.Embedding(codec.num_choices, width)
            nn.init.normal_(self.action_token.weight, std=0.02)
        else:
            self.action_token = nn.Linear(codec.size, width)
        self.token_norm = nn.LayerNorm(width)
        self.dropout = ByteDropout(dropout)
        self.transformer = CausalTransformer(
            width, layers, heads, context, _PER_STEP, _READOUT, dropout
        )
        self.head = nn.Linear(width, codec.outputs)

    def forward(self, returns: Tensor, observations: Tensor, actions: Tensor) -> Tensor:
        """Outputs `(R, T, O)`: logits of the choices, or means in [-1, 1].

        Args:
            returns: `(R, T)` scaled returns ahead.
            observations: `(R, T, k)` scaled.
            actions: `(R, T[, A])`; that of a step has no influence on its own output.
        """
        tokens = torch.stack(
            [
                self.return_token(returns[..., None]),
                self.observation_token(observations),
                self.action_token(actions),
            ],
            2,
        )
        tokens = self.dropout(self.token_norm(tokens)).flatten(1, 2)
        return self._output(self.transformer(tokens))

    def decide(
        self, returns: Tensor, observations: Tensor, last: Tensor | None, cache: KeyValueCache
    ) -> Tensor:
        """Outputs `(R, O)` of the next step of episodes in a cache.

        Args:
            returns: `(R,)`.
            observations: `(R, k)`.
            last: `(R[, A])` actions of the step before; None at the first step.
            cache: of the R episodes; takes the tokens in.
        """
        tokens = [self.return_token(returns[:, None]), self.observation_token(observations)]
        if last is not None:
            tokens.insert(0, self.action_token(last))
        normed = self.token_norm(torch.stack(tokens, 1))
        return self._output(self.transformer.extend(normed, cache))

    def _output(self, features: Tensor) -> Tensor:
        raw: Tensor = self.head(features)
        return raw if self.discrete else torch.tanh(raw)

    def loss(self, returns: Tensor, observations: Tensor, actions: Tensor, real: Tensor) -> Tensor:
        """Cross-entropy of the choice, or squared error, mean over the steps that are real.

        Args:
            returns: `(R, T)`.
            observations: `(R, T, k)`.
            actions: `(R, T[, A])`.
            real: `(R, T)` booleans, false for padding.
        """
        output = self(returns, observations, actions)[real]
        if self.discrete:
            return nn.functional.cross_entropy(output, actions[real])
        return nn.functional.mse_loss(output, actions[real])

    def best(self, output: Tensor) -> Tensor:
        """Actions `(...[, A])` of outputs `(..., O)`: the most probable choices, or the means."""
        return output.argmax(-1) if self.discrete else output
