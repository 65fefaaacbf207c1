"""Conservative Q-learning for discrete actions: double Q-learning with the conservative term."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmarks.baselines.cql.config import CQLConfig
from benchmarks.baselines.shared.networks import CategoricalActor
from benchmarks.baselines.shared.target_network import follow, frozen_copy
from benchmarks.baselines.shared.training_loop import Learner
from benchmarks.baselines.shared.transitions import TransitionBatch, TransitionSource
from networld_agent.device import pick_device

__all__ = ["DiscreteCQLLearner"]


class DiscreteCQLLearner(Learner):
    """One network of values, and a target that copies it now and then.

    Every index of a codec is a legal action: the logsumexp needs no mask.
    """

    optimizers: Sequence[torch.optim.Optimizer]

    def __init__(self, source: TransitionSource, config: CQLConfig) -> None:
        self._device, self._config, self._source = pick_device(config.device), config, source
        self._alpha = config.weight(discrete=True)
        self.values = CategoricalActor(source.input_size, config.hidden_size, source.codec)
        self._target = frozen_copy(self.values)
        self.module = nn.ModuleDict({"network": self.values, "target": self._target})
        self.module.to(self._device)
        self._adam = torch.optim.Adam(self.values.parameters(), config.learning_rate, fused=True)
        self.optimizers = [self._adam]

    @property
    def actor(self) -> nn.Module:
        """The values, whose greatest is played."""
        return self.values

    def batch(self, step: int) -> TransitionBatch:
        """Transitions."""
        return self._source(step).to(self._device)

    def held_out_loss(self, batch: TransitionBatch) -> Tensor:
        """That of training."""
        _, _, td_loss, gap = self._losses(batch)
        return td_loss + self._alpha * gap

    def _losses(self, batch: TransitionBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All values, those of the data's actions, and the two parts of the loss."""
        with torch.no_grad():
            # The network chooses, the target judges (double Q-learning, arXiv 1509.06461).
            best = self.values(batch.next_inputs).argmax(-1, keepdim=True)
            ahead = self._target(batch.next_inputs).gather(-1, best)[:, 0]
            wanted = batch.rewards + self._config.gamma * batch.continues * ahead
        q = self.values(batch.inputs)
        taken = q.gather(-1, batch.actions[:, None])[:, 0]
        td_loss = nn.functional.smooth_l1_loss(taken, wanted)
        return q, taken, td_loss, (q.logsumexp(-1) - taken).mean()

    def update(self, batch: TransitionBatch, step: int) -> dict[str, Tensor]:
        """One step of Adam."""
        q, taken, td_loss, gap = self._losses(batch)
        self._adam.zero_grad(set_to_none=True)
        (td_loss + self._alpha * gap).backward()
        self._adam.step()
        if (step + 1) % self._config.target_every == 0:
            follow(self._target, self.values, 1.0)
        with torch.no_grad():
            first, second = q.topk(min(2, q.shape[-1]), -1).values.mean(0)[[0, -1]]
        return {
            "td_loss": td_loss,
            "q": taken.mean(),
            "conservative_gap": gap,
            "action_gap": first - second,
        }
