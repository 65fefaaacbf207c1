"""Episodes of this project's tasks: a whole batch in lockstep through one simulator."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import networld_agent
import wirelessenvs
from networld_agent.collecting.action_forms import action_forms
from networld_agent.collecting.settings import CollectionSettings
from networld_agent.collecting.spaces import action_info, action_size, observation_info
from networld_agent.collecting.tiers import tier_policy
from networld_agent.data.files import Chunk
from networld_agent.data.labels import action_labels, metric_labels, observation_labels
from networld_agent.data.metadata import Description
from networld_agent.worlds.randomness import BLOCK, RandomActions, task_sampler
from wirelessenvs.policy import Information, Policy, Privileged
from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import get_task, make_policy

__all__ = ["BatchSource"]

#: Bytes of steps held before they are handed on.
BUFFER_BYTES = 48_000_000


class BatchSource:
    """Plays blocks of episodes of one task.

    Every episode has its own seed, its own random actions and its own policy memory: how episodes
    are batched changes nothing but speed.

    Args:
        settings: of the collection.
    """

    def __init__(self, settings: CollectionSettings) -> None:
        self._settings = settings
        self._task = get_task(settings.env)
        overrides = settings.overrides
        if overrides.get("max_steps", settings.steps) != settings.steps:
            raise ValueError(
                f"max_steps is the length of an episode: give --steps {overrides['max_steps']} "
                "instead."
            )
        self._preset = settings.preset or next(iter(self._task.config.presets))
        self._config = self._task.config.from_preset(
            self._preset, **{**overrides, "max_steps": settings.steps}
        )
        self._simulator = self._task.simulator(self._config, 1)
        for tier in dict.fromkeys(settings.episode_policies):
            self._policy(self._simulator, tier, (0,))
        self._dynamic = self._simulator.adjacency.strides[0] != 0
        self._forms = action_forms(self._task.id, self._config)
        self._description = self._describe()
        self._dtypes = {n: np.dtype(x.dtype) for n, x in self._description.layouts().items()}

    # ----------------------------------------------------------------- describe
    def describe(self) -> Description:
        """The data set that these settings give."""
        return self._description

    def _describe(self) -> Description:
        settings, simulator, task = self._settings, self._simulator, self._task
        size = simulator.observation_space.shape[0]
        labels = observation_labels(task.id, self._config, size)
        names = action_labels(task.id, self._config, action_size(simulator.action_space))
        # Through JSON: what is described equals what is read back.
        config = json.loads(json.dumps(dataclasses.asdict(self._config)))
        rows = None if self._dynamic else simulator.graph.adjacency.astype(int).tolist()
        return Description(
            task=task.id,
            environment={
                "gymnasium_id": task.gymnasium_id,
                "preset": self._preset,
                "config": config,
            },
            versions={
                "networld_agent": networld_agent.__version__,
                "wirelessenvs": wirelessenvs.__version__,
            },
            policy=settings.policy,
            epsilon=float(settings.epsilon),
            seeds=settings.seeds,
            episode_policies=settings.episode_policies,
            steps=settings.steps,
            agents=simulator.agents,
            observation=observation_info(simulator.observation_space, labels),
            action=action_info(simulator.action_space, names),
            metrics=metric_labels(task.id, simulator.metric_names),
            forms={name: form for name, (form, _) in self._forms.items()},
            adjacency=None if rows is None else tuple(tuple(row) for row in rows),
            graph_given=True,
        )

    # --------------------------------------------------------------------- play
    def _policy(
        self, simulator: Simulator[Any], tier: str, seeds: tuple[int, ...]
    ) -> _BatchPolicy | None:
        """The policy of a block; None if all its actions are random."""
        name = tier_policy(self._task, tier, self._config)
        return None if name == "random" else _BatchPolicy(name, simulator, seeds)

    def play(self, episodes: tuple[int, ...]) -> Iterator[Chunk]:
        """Plays episodes of one tier side by side."""
        settings, total = self._settings, self._settings.steps
        tier = settings.episode_policies[episodes[0]]
        seeds = tuple(settings.seeds[e] for e in episodes)
        if self._simulator.num_envs != len(episodes):
            self._simulator = self._task.simulator(self._config, len(episodes))
        simulator = self._simulator
        observations = simulator.reset(seeds)
        policy = self._policy(simulator, tier, seeds)
        mixing = policy is None or settings.epsilon > 0
        epsilon = 1.0 if policy is None else settings.epsilon
        sampler = task_sampler(simulator)
        sources = [RandomActions(seed, epsilon, simulator.num_agents, sampler) for seed in seeds]
        chosen: NDArray[Any] = np.zeros(0)
        drawn: NDArray[Any] = np.zeros(0)
        buffer = self._buffer(len(episodes))
        length, first = buffer["rewards"].shape[2], 0
        actions: NDArray[Any]
        for t in range(total):
            if mixing and t % BLOCK == 0:
                pairs = [source.draw() for source in sources]
                chosen = np.stack([pair[0] for pair in pairs])
                drawn = np.stack([pair[1] for pair in pairs]).astype(self._dtypes["actions"])
            k = t - first
            buffer["observations"][:, :, k] = observations
            if self._dynamic:
                buffer["adjacency"][:, k] = simulator.adjacency
            if policy is None:
                actions = drawn[:, t % BLOCK]
            else:
                # What is executed is what is recorded, to the last bit.
                actions = policy(observations).astype(self._dtypes["actions"])
                if mixing:
                    mask = chosen[:, t % BLOCK]
                    actions[mask] = drawn[:, t % BLOCK][mask]
            step = simulator.step(actions)
            observations = step.observations
            buffer["actions"][:, :, k] = actions
            buffer["rewards"][:, :, k] = step.rewards
            for column, values in enumerate(step.metrics.values()):
                buffer["metrics"][:, :, k, column] = values
            if t + 1 == total:
                buffer["observations"][:, :, k + 1] = observations
                if self._dynamic:
                    buffer["adjacency"][:, k + 1] = simulator.adjacency
            if k + 1 == length or t + 1 == total:
                yield self._chunk(episodes, first, k + 1, buffer, t + 1 == total)
                first = t + 1

    def _buffer(self, num_envs: int) -> dict[str, NDArray[Any]]:
        layouts = self._description.layouts()
        played = {name: layouts[name] for name in layouts if name not in self._forms}
        per_step = sum(x.episode_bytes for x in layouts.values()) * num_envs / self._settings.steps
        length = int(min(self._settings.steps, max(1, BUFFER_BYTES // per_step)))
        buffer = {}
        for name, layout in played.items():
            shape = list(layout.shape)
            axis = 1 if name == "adjacency" else 2
            extra = layout.shape[axis] - self._settings.steps
            shape[0], shape[axis] = num_envs, length + extra
            buffer[name] = np.empty(shape, self._dtypes[name])
        return buffer

    def _chunk(
        self,
        episodes: tuple[int, ...],
        first: int,
        count: int,
        buffer: dict[str, NDArray[Any]],
        last: bool,
    ) -> Chunk:
        arrays = {}
        for name, values in buffer.items():
            final = count + 1 if last and name in ("observations", "adjacency") else count
            arrays[name] = values[:, :final] if name == "adjacency" else values[:, :, :final]
        for name, (_, convert) in self._forms.items():
            arrays[name] = convert(arrays["actions"])
        return Chunk(episodes, first, arrays)


class _BatchPolicy:
    """A policy for a block of episodes whose actions do not depend on the block.

    A policy that draws random numbers shares one stream among its environments; so each episode
    gets a policy of its own, with a seed of its own. All others play the whole batch at once.
    """

    def __init__(self, name: str, simulator: Simulator[Any], seeds: tuple[int, ...]) -> None:
        self._simulator = simulator
        self._policies = [make_policy(name, simulator)]
        self._information: Information = self._policies[0].information
        self._single = any(map(_draws, vars(self._policies[0]).values()))
        if self._single:
            policy_class: Callable[..., Policy] = type(self._policies[0])
            self._policies = [policy_class(simulator.spec, 1, seed) for seed in seeds]
        for policy in self._policies:
            policy.reset()

    def __call__(self, observations: NDArray[np.float32]) -> NDArray[Any]:
        view = self._simulator.privileged(self._information)
        if not self._single:
            return self._policies[0](observations, view)
        return np.concatenate([
            policy(observations[env : env + 1], _only(view, env, len(observations)))
            for env, policy in enumerate(self._policies)
        ])  # fmt: skip


def _draws(value: object) -> bool:
    return isinstance(value, (np.random.Generator, np.random.RandomState)) or (
        isinstance(value, Policy) and any(map(_draws, vars(value).values()))
    )


def _only(view: Privileged | None, env: int, num_envs: int) -> Privileged | None:
    """One environment's part of a privileged view."""
    if view is None:
        return None
    changes: dict[str, Any] = {
        field.name: value[env : env + 1]
        for field in dataclasses.fields(view)
        if isinstance(value := getattr(view, field.name), np.ndarray) and len(value) == num_envs
    }
    return dataclasses.replace(view, **changes)
