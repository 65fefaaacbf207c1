"""Conservative Q-learning for reals: soft actor-critic with the conservative term."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from benchmarks.baselines.cql.config import CQLConfig
from benchmarks.baselines.shared.networks import Ensemble, SquashedGaussianActor
from benchmarks.baselines.shared.target_network import follow, frozen_copy
from benchmarks.baselines.shared.training_loop import Learner
from benchmarks.baselines.shared.transitions import TransitionBatch, TransitionSource
from networld_agent.device import pick_device

__all__ = ["BoxCQLLearner"]

#: A Lagrange multiplier beyond it has long left any use.
_GREATEST_WEIGHT = 1e6
#: States whose actions are judged at once.
_PART = 64


class BoxCQLLearner(Learner):
    """Two critics with their targets, a soft policy, its temperature, perhaps a multiplier.

    The logsumexp over all actions is estimated from actions drawn uniformly, from the policy here
    and from the policy at the next state, all judged at the present state and weighted by one over
    their densities. Targets hold no entropy, as in the reference.
    """

    optimizers: Sequence[torch.optim.Optimizer]

    def __init__(self, source: TransitionSource, config: CQLConfig) -> None:
        self._device, self._config, self._source = pick_device(config.device), config, source
        self._size = source.codec.size
        hidden, alpha = config.hidden_size, config.weight(discrete=False)
        self.critics = Ensemble(2, source.input_size, hidden, 1, self._size)
        self._targets = frozen_copy(self.critics)
        self._actor = SquashedGaussianActor(source.input_size, hidden, source.codec)
        # exp(.) of the first is the temperature of the entropy, of the second the weight alpha.
        scalars = {
            "log_temperature": nn.Parameter(torch.zeros(())),
            "log_weight": nn.Parameter(torch.tensor(math.log(max(alpha, 1e-6)))),
        }
        self._alpha, self._scalars = alpha, nn.ParameterDict(scalars)
        self.module = nn.ModuleDict(
            {
                "critics": self.critics,
                "targets": self._targets,
                "actor": self._actor,
                "scalars": self._scalars,
            }
        ).to(self._device)
        rate = config.actor_learning_rate
        self._actor_parameters = list(self._actor.parameters())
        self._critic_adam = torch.optim.Adam(
            [*self.critics.parameters(), self._scalars["log_weight"]],
            config.learning_rate,
            fused=True,
        )
        self._actor_adam = torch.optim.Adam(
            [*self._actor_parameters, self._scalars["log_temperature"]], rate, fused=True
        )
        self.optimizers = [self._critic_adam, self._actor_adam]

    @property
    def actor(self) -> nn.Module:
        """The soft policy."""
        return self._actor

    def batch(self, step: int) -> TransitionBatch:
        """Transitions."""
        return self._source(step).to(self._device)

    def held_out_loss(self, batch: TransitionBatch) -> Tensor:
        """That of the critics, which the policy follows: its own moves with the values' level."""
        weight = self._weight()
        parts = [td_loss + weight * gap for td_loss, gap, _, _ in self._critic_losses(batch)]
        return torch.stack(parts).sum()

    def update(self, batch: TransitionBatch, step: int) -> dict[str, Tensor]:  # noqa: ARG002
        """One step of the policy and the temperature, one of the critics; the targets follow."""
        self._actor_adam.zero_grad(set_to_none=True)
        self._critic_adam.zero_grad(set_to_none=True)
        values = self._actor_gradients(batch) | self._critic_gradients(batch)
        self._actor_adam.step()
        self._critic_adam.step()
        follow(self._targets, self.critics, self._config.tau)
        return values

    def _actor_gradients(self, batch: TransitionBatch) -> dict[str, Tensor]:
        actions, log_density = self._actor.sample(batch.inputs, 1)
        temperature = self._scalars["log_temperature"].exp()
        q = self.critics(batch.inputs, actions)[..., 0].amin(0)
        loss = (temperature.detach() * log_density - q).mean()
        # The critics only pass the gradient on: none is computed for their weights.
        loss.backward(inputs=self._actor_parameters)
        # Entropy is held at -A, as soft actor-critic does (arXiv 1812.05905, section 6).
        (temperature * (self._size - log_density.detach()).mean()).backward()
        return {
            "actor_loss": loss,
            "entropy": -log_density.mean(),
            "temperature": temperature.detach().clone(),
        }

    def _critic_losses(
        self, batch: TransitionBatch
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Part by part: what it adds to both losses, and values of the data's and other actions."""
        config = self._config
        rows, count = len(batch.rewards), config.num_samples
        with torch.no_grad():
            here, here_density = self._actor.sample(batch.inputs, count)
            there, there_density = self._actor.sample(batch.next_inputs, count)
            ahead = self._targets(batch.next_inputs, there[:, :1])[..., 0, 0].amin(0)
            wanted = batch.rewards + config.gamma * batch.continues * ahead
            uniform = torch.rand(rows, count, self._size, device=self._device) * 2 - 1
            log_density = torch.cat(
                [
                    torch.full((rows, count), -self._size * math.log(2), device=self._device),
                    here_density,
                    there_density,
                ],
                1,
            )
        several = torch.cat([batch.actions[:, None], uniform, here, there], 1)
        # Part by part, so that what the layers put out stays in the cache: 10 % less time.
        for part in range(0, rows, _PART):
            at = slice(part, part + _PART)
            q = self.critics(batch.inputs[at], several[at])[..., 0]
            taken, others = q[..., 0], q[..., 1:]
            everywhere = torch.logsumexp(others - log_density[at], -1) - math.log(3 * count)
            td_loss = (taken - wanted[at]).square().sum() / rows
            yield td_loss, (everywhere - taken).sum() / rows, taken, others

    def _critic_gradients(self, batch: TransitionBatch) -> dict[str, Tensor]:
        config = self._config
        rows, count = len(batch.rewards), config.num_samples
        weight, totals = self._weight(), torch.zeros(4, device=self._device)
        for td_loss, gap, taken, others in self._critic_losses(batch):
            (td_loss + weight * gap).backward()
            with torch.no_grad():
                better = others[..., count : 2 * count].mean(-1) - taken
                sums = [td_loss, taken.sum() / rows, gap, better.sum() / rows]
                totals += torch.stack(sums)
        td_loss, q_sum, gap, better = totals
        gap = gap / 2
        if config.lagrange:
            multiplier = self._scalars["log_weight"].exp().clamp(max=_GREATEST_WEIGHT)
            (-2 * multiplier * (gap - config.lagrange)).backward()
        return {
            "td_loss": td_loss,
            "q": q_sum / 2,
            "conservative_gap": gap,
            # How much better the policy's own actions look than those of the data.
            "action_gap": better / 2,
            "weight": weight,
        }

    def _weight(self) -> Tensor:
        """Weight of the conservative term now."""
        if self._config.lagrange:
            return self._scalars["log_weight"].detach().exp().clamp(max=_GREATEST_WEIGHT)
        return torch.tensor(self._alpha, device=self._device)
