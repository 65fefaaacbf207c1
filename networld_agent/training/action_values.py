"""Learns what actions are worth from recorded transitions, with a trained model held fixed.

The return classifier rates states, and in a stochastic environment good states are mostly lucky
ones: steering plans towards them does not change what is done. The value of an action averages over
luck. It is learnt from single transitions by double Q-learning (van Hasselt, Guez and Silver 2016,
arXiv 1509.06461) with the mean action of the neighbours (Yang et al. 2018, arXiv 1802.05438): a
critic hears what they did and thereby knows what the data does not show often, that all agents
improve at once; an agent's own values are what the critic says where the neighbours take the
actions that are best for them.
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

from networld_agent.data.credit import CREDITS, credited
from networld_agent.data.windows import Places, WindowSource
from networld_agent.keyed_random import hashed, signed
from networld_agent.model.action_value import ActionValue, action_features, feature_size
from networld_agent.model.world_model import WorldModel
from wirelessenvs.checks import check_fields, check_real

__all__ = ["ValueConfig", "learn_action_values"]

#: Weight of values in decisions until one is tuned.
DEFAULT_VALUE_SCALE: Final = 30.0
#: Most actions that a decision chooses from, at random of those that the data shows.
MOST_CANDIDATES: Final = 512
#: Of these, how many an update looks at, others in each.
_PER_UPDATE: Final = 128
#: Pulls the networks to what is simple: values of few transitions are noise.
_WEIGHT_DECAY: Final = 1e-2
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
        learning_rate: of AdamW at first; falls to 0 along a cosine.
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
        actions: `(W, N, [A])` between.
        rewards: `(W, N)` that each agent answers for.
        goes_on: `(W, 1)` 0 where the task ended, else 1.
        weights: `(N, N)` or `(W, N, N)` rows that average over the neighbours.
    """

    seen: Tensor
    heard: Tensor
    actions: Tensor
    rewards: Tensor
    goes_on: Tensor
    weights: Tensor


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
    candidates = draw.shown()
    torch.manual_seed(config.seed)
    model.set_task(dataclasses.replace(spec, value_scale=None, value_sizes=()))
    sizes = len(candidates), source.num_agents
    model.set_task(dataclasses.replace(spec, value_scale=DEFAULT_VALUE_SCALE, value_sizes=sizes))
    value = model.value(task)
    value.actions.copy_(candidates)
    value.mean.copy_(draw.mean)
    value.std.copy_(draw.std)
    value.requires_grad_(True)
    target = copy.deepcopy(value).requires_grad_(False)
    size = feature_size(spec.action)
    critic = ActionValue(
        spec.action, *sizes, spec.observation_size, model.config.latent_size + size,
        model.config.inverse_size,
    ).to(draw.mean.device)  # fmt: skip
    critic.actions.copy_(candidates)
    critic.mean.copy_(torch.cat([draw.mean, draw.mean.new_zeros(size)]))
    critic.std.copy_(torch.cat([draw.std, draw.std.new_ones(size)]))
    parameters = [*value.parameters(), *critic.parameters()]
    optimizer = torch.optim.AdamW(parameters, config.learning_rate, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    for step in range(config.steps):
        batch, some = draw(step), draw.some(step, len(candidates))
        seen, heard = batch.seen[:, :, 0], batch.heard[:, :, 0]

        def told(actions: Tensor, heard: Tensor = heard, rows: Tensor = batch.weights) -> Tensor:
            # What the critic hears: latents and mean action of the neighbours.
            return torch.cat([heard, rows @ action_features(spec.action, actions)], -1)

        wanted = batch.rewards
        with torch.no_grad():
            if config.gamma > 0:
                after = batch.seen[:, :, 1], batch.heard[:, :, 1]
                # The network that learns chooses, the one that follows says what that is worth.
                best = value(*after, some).argmax(-1, keepdim=True)
                ahead = target(*after, some).gather(-1, best)[..., 0]
                wanted = wanted + config.gamma * batch.goes_on * ahead
        values = value(seen, heard, some)
        with torch.no_grad():
            improved = critic(seen, told(candidates[some][values.argmax(-1)]), some)
        found = critic.of(seen, told(batch.actions), batch.actions)
        loss = (found - wanted).square().mean() + (values - improved).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
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

    def some(self, step: int, count: int) -> Tensor | slice:
        """Which of so many candidates the update of a step looks at: all of few."""
        if count <= _PER_UPDATE:
            return slice(None)
        keys = hashed(
            torch.full((count,), signed(self._config.seed)), -2 - step, torch.arange(count)
        )
        return keys.argsort()[:_PER_UPDATE].to(self._device)

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
        rows = weights if weights.ndim == 2 else weights[:, 0]
        return _Transitions(
            self._model.scaled_observations(task, observations), heard, actions,
            credited(rewards, rows, self._config.credit).float(), goes_on[:, None].float(),
            rows.float(),
        )  # fmt: skip

    def shown(self) -> Tensor:
        """`(K, [A])` different actions of the data, all of them or at random."""
        action, source = self._model.inverse(self._source.task).action, self._source
        parts = []
        for episode, first, end in source.segments.tolist():
            recorded = np.array(source.dataset.actions[episode, :, first : end - 1])
            parts.append(torch.from_numpy(recorded).flatten(0, 1).unique(dim=0))
        shown = torch.cat(parts).unique(dim=0)
        generator = torch.Generator().manual_seed(self._config.seed)
        order = torch.randperm(len(shown), generator=generator)[:MOST_CANDIDATES].sort().values
        kind = torch.float32 if action.kind == "box" else torch.int64
        return shown[order].to(self._device, kind)
