"""MA-DT: a decision transformer, conditioned on the mean reward that is asked for.

L. Chen et al., Decision Transformer: Reinforcement Learning via Sequence Modeling, NeurIPS 2021,
arXiv 2106.01345. Behaviour cloning of a_t given the last K steps of (return ahead, observation,
action); what is better than the data's average comes from asking for it. Three things differ from
the published code, all because these tasks go on for thousands of steps and do not end: returns
ahead are means (see `decision_returns`), positions are relative, and the return that is asked for
is the same at every step instead of falling by each reward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.baselines.dt.network import DecisionTransformerNetwork
from benchmarks.baselines.dt.windows import DecisionBatch, DecisionWindows
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.causal_transformer import KeyValueCache
from benchmarks.baselines.shared.config import TrajectoryConfig
from benchmarks.baselines.shared.interface import Baseline, BaselineConfig, Learner, OfflineData
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.policy import PolicySpec
from benchmarks.baselines.shared.return_policy import ReturnPolicy
from benchmarks.baselines.shared.returns import (
    RETURN_KINDS,
    RETURN_SCOPES,
    ReturnScale,
    returns_ahead,
    scoped_rewards,
)
from benchmarks.baselines.shared.training_loop import batch_generator
from networld_agent.device import pick_device
from wirelessenvs.checks import check_choice, check_int, check_real

__all__ = ["DTConfig", "DTPolicy", "DecisionTransformer"]

MEMORIES = ("cache", "window")


@dataclass(frozen=True)
class DTConfig(TrajectoryConfig):
    """Options of the decision transformer, with the published defaults for continuous control.

    Args:
        batch_size: windows per update.
        learning_rate: of AdamW, after the warm-up.
        hidden_size: width of the tokens.
        layers: blocks.
        heads: of the attention; `hidden_size / heads` must be even.
        context: K, steps that a decision sees.
        dropout: share, of embeddings, attention weights and layer outputs.
        weight_decay: of AdamW.
        warmup: share of the updates over which the learning rate grows; the published 10,000 of
            100,000.
        clip: greatest norm of the gradient; 0 for no limit.
        return_kind: "discounted" mean of the rewards ahead, by `gamma`, or "windowed", their mean
            over the next `return_window` steps.
        return_window: steps, if windowed.
        return_scope: whose rewards: the mean over the "team", or those of the "agent" itself.
        target_return: mean reward per step to ask for; None takes it from the data.
        target_quantile: of the trajectories' mean rewards in the data, if `target_return` is None.
        target_factor: stretches its distance from the data's mean. A factor of the return itself,
            as published, would ask for less where rewards are negative.
        memory: in an evaluation, "cache" keeps keys and values, of steps whose own context goes
            further back; "window" computes the last K steps anew, exactly as in training, at about
            K times the cost.
    """

    batch_size: int = 64
    learning_rate: float = 1e-4
    hidden_size: int = 128
    layers: int = 3
    heads: int = 1
    context: int = 20
    dropout: float = 0.1
    weight_decay: float = 1e-4
    warmup: float = 0.1
    clip: float = 0.25
    return_kind: str = "discounted"
    return_window: int = 50
    return_scope: str = "team"
    target_return: float | None = None
    target_quantile: float = 1.0
    target_factor: float = 1.0
    memory: str = "cache"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden_size % (2 * self.heads):
            raise ValueError(
                f"hidden_size must be a multiple of twice the heads ({2 * self.heads}), "
                f"got {self.hidden_size}."
            )
        check_int("context", self.context, 1)
        for name in ("warmup", "target_quantile"):
            check_real(name, getattr(self, name), 0, 1)
        check_real("dropout", self.dropout, 0, 0.9)
        check_choice("return_kind", self.return_kind, RETURN_KINDS)
        check_choice("return_scope", self.return_scope, RETURN_SCOPES)
        check_choice("memory", self.memory, MEMORIES)
        if self.target_return is not None:
            object.__setattr__(
                self, "target_return", check_real("target_return", self.target_return)
            )


def make_network(
    input_size: int, codec: ActionCodec, config: BaselineConfig
) -> DecisionTransformerNetwork:
    """The network of a configuration."""
    assert isinstance(config, DTConfig)
    return DecisionTransformerNetwork(
        input_size,
        codec,
        config.hidden_size,
        config.layers,
        config.heads,
        config.context,
        config.dropout,
    )


class DTLearner(Learner):
    """Clones the actions of windows, given returns ahead."""

    optimizers: Sequence[torch.optim.Optimizer]

    def __init__(self, data: OfflineData, scaling: ObservationScaling, config: DTConfig) -> None:
        self._config, self._device = config, pick_device(config.device)
        rewards = scoped_rewards(data, config.return_scope)
        ahead = returns_ahead(rewards, config.return_kind, config.gamma, config.return_window)
        self._scale = ReturnScale.standard(ahead)
        self._target = config.target_return
        if self._target is None:
            best = float(np.quantile(rewards.mean(-1), config.target_quantile))
            mean = float(rewards.mean())
            self._target = mean + config.target_factor * (best - mean)
        self._windows = DecisionWindows(data, scaling, self._scale.scaled(ahead), config.context)
        self._network = make_network(scaling.input_size, ActionCodec(data.action), config)
        self.module = self._network.to(self._device)
        self._adam = torch.optim.AdamW(
            self._network.parameters(),
            config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.optimizers = [self._adam]

    @property
    def actor(self) -> nn.Module:
        """The network."""
        return self._network

    def extra(self) -> dict[str, Any]:
        """Scale of the returns, and the one to ask for."""
        return {
            "return_offset": self._scale.offset,
            "return_unit": self._scale.unit,
            "target_return": self._target,
        }

    def batch(self, step: int) -> DecisionBatch:
        """Windows of single agents."""
        rng = batch_generator(self._config.seed, step)
        return self._windows.draw(self._config.batch_size, rng).to(self._device)

    def held_out_loss(self, batch: DecisionBatch) -> Tensor:
        """That of training, without dropout."""
        self._network.eval()
        return self._network.loss(batch.returns, batch.inputs, batch.actions, batch.real)

    def update(self, batch: DecisionBatch, step: int) -> dict[str, Tensor]:
        """One step of AdamW."""
        config = self._config
        growth = min(1.0, (step + 1) / max(1.0, config.warmup * config.steps))
        for group in self._adam.param_groups:
            group["lr"] = config.learning_rate * growth
        self._network.train()
        loss = self._network.loss(batch.returns, batch.inputs, batch.actions, batch.real)
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        values = {"loss": loss}
        if config.clip:
            values["gradient"] = nn.utils.clip_grad_norm_(
                self._network.parameters(), config.clip, foreach=True
            )
        self._adam.step()
        return values


class DTPolicy(ReturnPolicy):
    """A trained decision transformer: asks for `target_return` at every step.

    It remembers the last steps of every agent since `begin`. The actions it remembers are its own.
    """

    name = "dt"
    config_type = DTConfig
    tuned_shares: ClassVar[tuple[float, ...]] = (0.0, 0.4, 0.7, 1.0, 1.3, 1.6)
    network: DecisionTransformerNetwork

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__(spec)
        self._scale = ReturnScale(
            float(spec.extra["return_offset"]), float(spec.extra["return_unit"])
        )
        self.begin(())

    @property
    def tuned_from(self) -> float:
        """The data's mean reward per step: returns are in the environment's units."""
        return self._scale.offset

    def make_network(self) -> DecisionTransformerNetwork:
        """A network of the same shape as the learner's."""
        return make_network(self.scaling.input_size, self.codec, self.spec.config)

    def begin(self, seeds: Sequence[int]) -> None:  # noqa: ARG002
        """Forgets the past; the policy draws nothing at random."""
        self._shape: tuple[int, int] | None = None
        self._cache: KeyValueCache | None = None
        self._inputs: list[Tensor] = []
        self._actions: list[Tensor] = []

    def decide(self, inputs: Tensor) -> Tensor:
        """The most probable choices, or the means.

        Raises:
            ValueError: if the batch has changed since `begin`.
        """
        shape = (inputs.shape[0], inputs.shape[1])
        if self._shape not in (None, shape):
            raise ValueError(
                f"the batch has changed from {self._shape} environments and agents to {shape}: "
                "call begin first."
            )
        self._shape = shape
        assert isinstance(self.spec.config, DTConfig)
        cached = self.spec.config.memory == "cache"
        rows = inputs.flatten(0, 1)
        output = self._by_cache(rows) if cached else self._by_window(rows)
        actions = self.network.best(output)
        self._actions.append(actions)
        return actions.unflatten(0, shape)

    def _asked(self, *shape: int) -> Tensor:
        value = float(self._scale.scaled(np.array(self._target)))
        return torch.full(shape, value)

    def _by_cache(self, rows: Tensor) -> Tensor:
        if self._cache is None:
            self._cache = KeyValueCache(len(rows), self.network.transformer)
        last = self._actions.pop() if self._actions else None
        return self.network.decide(self._asked(len(rows)), rows, last, self._cache)

    def _by_window(self, rows: Tensor) -> Tensor:
        context = self.network.transformer.context
        self._inputs = [*self._inputs, rows][-context:]
        self._actions = self._actions[-(context - 1) :] if context > 1 else []
        steps = len(self._inputs)
        # The present step's action is not known yet, and nothing that is read sees it.
        placeholder = self.codec.encode(self._any_action(len(rows)))
        actions = torch.stack([*self._actions, placeholder], 1)
        returns = self._asked(len(rows), steps)
        out: Tensor = self.network(returns, torch.stack(self._inputs, 1), actions)[:, -1]
        return out

    def _any_action(self, rows: int) -> NDArray[Any]:
        spec = self.spec.action
        if spec.kind == "box":
            return np.tile(np.array(spec.low), (rows, 1))
        return np.full((rows, *spec.shape), spec.start, np.int64)


class DecisionTransformer(Baseline):
    """Sequence modelling conditioned on return (Chen et al. 2021, arXiv 2106.01345)."""

    name = "dt"
    config_type = DTConfig
    policy_type = DTPolicy

    def learner(
        self, data: OfflineData, scaling: ObservationScaling, config: BaselineConfig
    ) -> DTLearner:
        """An untrained network on this data."""
        assert isinstance(config, DTConfig)
        return DTLearner(data, scaling, config)
