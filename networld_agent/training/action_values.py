"""Learns what actions are worth from recorded transitions, with a trained model held fixed.

The return classifier rates states, and in a stochastic environment good states are mostly lucky
ones: steering plans towards them does not change what is done. The value of an action averages over
luck. It is learnt by double Q-learning (van Hasselt, Guez and Silver 2016, arXiv 1509.06461) from
single transitions.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from networld_agent.data.windows import Places, WindowSource
from networld_agent.keyed_random import hashed, signed
from networld_agent.model.world_model import WorldModel
from wirelessenvs.checks import check_fields, check_real

__all__ = ["CREDITS", "ValueConfig", "learn_action_values"]

CREDITS: Final = ("own", "neighbors", "team")
#: Weight of values in decisions until one is tuned.
DEFAULT_VALUE_SCALE: Final = 30.0
#: Transitions that the scale of rewards is estimated from.
_SAMPLE: Final = 8192


@dataclass(frozen=True)
class ValueConfig:
    """How values of actions are learnt.

    Args:
        gamma: discount.
        credit: whose rewards an action answers for: the agent's "own", the mean over it and its
            "neighbors", or over the "team". An agent that answers for itself alone takes what
            others need.
        steps: updates.
        batch_size: transitions of single agents per update, rounded to whole joint ones.
        learning_rate: of Adam.
        target_rate: share of the weights that the target network takes over per update.
        seed: of first weights and batches.

    Raises:
        TypeError: for a value of another type.
        ValueError: for a value out of bounds.
    """

    gamma: float = 0.9
    credit: str = "neighbors"
    steps: int = 3000
    batch_size: int = 512
    learning_rate: float = 1e-3
    target_rate: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self, zero=("seed",), choices={"credit": CREDITS})
        check_real("gamma", self.gamma, 0, 1)
        check_real("learning_rate", self.learning_rate, 0, 1, low_open=True)
        check_real("target_rate", self.target_rate, 0, 1, low_open=True)


@dataclass(frozen=True)
class _Transitions:
    """W joint transitions.

    Args:
        seen: `(W, N, 2, d)` observations before and after, as the encoder sees them.
        heard: `(W, N, 2, D)` means of the neighbours' latents.
        choices: `(W, N, A)` of the actions between.
        rewards: `(W, N)` that each agent answers for.
        goes_on: `(W, 1)` 0 where the task ended, else 1.
    """

    seen: Tensor
    heard: Tensor
    choices: Tensor
    rewards: Tensor
    goes_on: Tensor


def learn_action_values(
    model: WorldModel,
    source: WindowSource,
    config: ValueConfig | None = None,
    report: Callable[[int], None] | None = None,
) -> None:
    """Gives a model values of the actions of a task, new ones if it has some.

    Args:
        model: a trained world model that knows the task; nothing else of it changes.
        source: data of the task.
        config: how to learn.
        report: called with the number of updates done.

    Raises:
        ModelError: if the model does not know the task.
        ValueError: if the source holds no transition, or has other actions.
    """
    config = ValueConfig() if config is None else config
    task = source.task
    spec = model.task(task)
    if (spec.observation_size, spec.action) != (source.observation_size, source.action):
        raise ValueError(
            f"{source.dataset.path} does not fit the model's {task}: its observations or actions "
            "are others."
        )
    draw = _Drawer(model, source, config)
    torch.manual_seed(config.seed)
    model.set_task(dataclasses.replace(spec, value_scale=None))
    model.set_task(dataclasses.replace(spec, value_scale=DEFAULT_VALUE_SCALE))
    value = model.value(task)
    value.seen.copy_(draw.shown())
    value.mean.copy_(draw.mean)
    value.std.copy_(draw.std)
    value.requires_grad_(True)
    target = copy.deepcopy(value).requires_grad_(False)
    optimizer = torch.optim.Adam(value.parameters(), config.learning_rate)
    for step in range(config.steps):
        batch = draw(step)
        with torch.no_grad():
            after = batch.seen[:, :, 1], batch.heard[:, :, 1]
            # The network that learns chooses, the one that follows it says what that is worth.
            best = value.best(value(*after))
            ahead = target.of(target(*after), best)
            wanted = batch.rewards + config.gamma * batch.goes_on * ahead
        found = value.of(value(batch.seen[:, :, 0], batch.heard[:, :, 0]), batch.choices)
        loss = (found - wanted).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(
                list(target.parameters()), list(value.parameters()), config.target_rate
            )
        if report is not None:
            report(step + 1)
    value.requires_grad_(False)


class _Drawer:
    """Draws transitions as a function of the seed and the step."""

    def __init__(self, model: WorldModel, source: WindowSource, config: ValueConfig) -> None:
        self._model, self._source, self._config = model, source, config
        self._table = source.table(2)
        self._device = model.schedule.alpha_bar.device
        self._count = max(1, round(config.batch_size / source.num_agents))
        sample = self._read(max(_SAMPLE // source.num_agents, 2), -1)
        self._reward = float(sample.rewards.mean()), float(sample.rewards.std()) or 1.0
        inputs = torch.cat([sample.seen, sample.heard], -1).flatten(0, -2)
        #: `(d + D)` each, of what the network sees.
        self.mean, self.std = inputs.mean(0), inputs.std(0).clamp_min(1e-6)

    def __call__(self, step: int) -> _Transitions:
        """The transitions of a step, with standardised rewards."""
        drawn = self._read(self._count, step)
        mean, std = self._reward
        return dataclasses.replace(drawn, rewards=(drawn.rewards - mean) / std)

    @torch.no_grad()
    def _read(self, count: int, step: int) -> _Transitions:
        keys = hashed(torch.full((count,), signed(self._config.seed)), step, torch.arange(count))
        episodes, starts = self._table.places(keys)
        places = Places(episodes.numpy(), starts.numpy())
        windows = self._source.gather(places, 2)
        observations, actions, rewards, weights = (
            torch.from_numpy(np.ascontiguousarray(part)).to(self._device)
            for part in (
                windows.observations, windows.actions[:, :, 0], windows.rewards[..., 0],
                windows.mean_weights,
            )
        )  # fmt: skip
        task = self._source.task
        z = self._model.encode(task, observations)
        heard = self._model.heard(z.transpose(1, 2), (weights,)).transpose(1, 2)
        goes_on = torch.from_numpy(~self._source.terminations(places)).to(self._device)
        return _Transitions(
            self._model.scaled_observations(task, observations), heard,
            self._model.inverse(task).choices(actions),
            self._credited(rewards, weights).float(), goes_on[:, None].float(),
        )  # fmt: skip

    def _credited(self, rewards: Tensor, weights: Tensor) -> Tensor:
        if self._config.credit == "own":
            return rewards
        if self._config.credit == "team":
            return rewards.mean(1, keepdim=True).expand_as(rewards)
        rows = (weights if weights.ndim == 2 else weights[:, 0]).to(rewards.dtype)
        heard = (rows @ rewards[..., None])[..., 0]
        degrees = (rows > 0).sum(-1)
        return (rewards + degrees * heard) / (degrees + 1)

    def shown(self) -> Tensor:
        """`(sum of sizes)` 1 for every choice that the data shows, 0 for others."""
        head, source = self._model.inverse(self._source.task), self._source
        parts = [torch.zeros(size, device=self._device) for size in head.sizes]
        for episode, first, end in source.segments.tolist():
            recorded = source.dataset.actions[episode, :, first : end - 1]
            actions = torch.from_numpy(np.array(recorded)).to(self._device)
            for part, column in zip(parts, head.choices(actions).flatten(0, -2).T, strict=True):
                part[column.unique()] = 1.0
        return torch.cat(parts)
