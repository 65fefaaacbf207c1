"""The loop that scores a method: same worlds and same opening for all, counted from there on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from networld_agent.evaluation.players import Player
from networld_agent.worlds.interface import Worlds
from networld_agent.worlds.randomness import Sampler

__all__ = ["Episodes", "opening_actions", "play", "same_actions", "whole_batch"]

# Apart from the streams of the environments and of data collection.
_OPENING_KEY = 2**31 + 1


@dataclass(frozen=True)
class Episodes:
    """Means per episode, over agents and counted steps.

    Args:
        seeds: `(E,)` of the episodes.
        rewards: `(E,)`.
        metrics: by name, each `(E,)`, over the steps and agents that have it; nan where none has.
        repeated: `(E,)` share of actions equal to the agent's last one.
        seconds_per_step: wall-clock time that the method took to decide, per step of the batch.
        bytes_per_step: that an agent sent, per step.
    """

    seeds: tuple[int, ...]
    rewards: NDArray[np.float64]
    metrics: dict[str, NDArray[np.float64]]
    repeated: NDArray[np.float64]
    seconds_per_step: float
    bytes_per_step: float


def opening_actions(sampler: Sampler, seeds: Sequence[int], steps: int) -> NDArray[Any]:
    """`(steps, E, N[, A])` random joint actions; an episode's depend on its seed alone."""
    drawn = []
    for seed in seeds:
        stream = np.random.SeedSequence(seed, spawn_key=(_OPENING_KEY,))
        generator = np.random.Generator(np.random.PCG64(stream))
        rows: list[Any] = []
        while len(rows) < steps:
            rows.extend(sampler(generator))
        drawn.append(rows[:steps])
    return np.stack([np.stack([rows[t] for rows in drawn]) for t in range(steps)])


def same_actions(
    actions: NDArray[Any], last: NDArray[Any], space: gymnasium.Space[Any]
) -> NDArray[np.bool_]:
    """`(B, N)` where two joint actions are the same; reals within 1 % of the space's width."""
    if isinstance(space, gymnasium.spaces.Box):
        width = (space.high - space.low).astype(np.float64)
        near = 0.01 * np.where(np.isfinite(width), width, 0)
        return (np.abs(actions - last) <= near).reshape(*actions.shape[:2], -1).all(2)
    equal: NDArray[np.bool_] = (actions == last).reshape(*actions.shape[:2], -1).all(2)
    return equal


class _Mean:
    """Mean of a metric over agents and steps, of those that have it."""

    def __init__(self, batch: int) -> None:
        self._sum, self._steps = np.zeros(batch), np.zeros(batch)

    def add(self, values: NDArray[np.float64]) -> None:
        """Takes in a step, `(B, N)`; nan is no value."""
        known = ~np.isnan(values)
        agents = known.sum(1)
        mean = values.mean(1)
        if not known.all():
            mean = np.where(known, values, 0).sum(1) / np.maximum(agents, 1)
        self._sum += mean
        self._steps += agents > 0

    @property
    def value(self) -> NDArray[np.float64]:
        """`(B,)`."""
        return np.where(self._steps > 0, self._sum / np.maximum(self._steps, 1), np.nan)


def whole_batch(episodes: int, limit: int) -> int:
    """How many episodes to play at once: the greatest divisor that is at most `limit`."""
    return max(size for size in range(1, min(episodes, limit) + 1) if episodes % size == 0)


def play(
    worlds: Worlds,
    player: Player,
    seeds: Sequence[int],
    steps: int,
    warm_up: int = 5,
    progress: Callable[[int], None] | None = None,
    watch: Callable[[], None] | None = None,
) -> Episodes:
    """Plays one episode per seed, in batches of the worlds' size.

    The first `warm_up` joint actions are random, the same ones for every method, and not counted:
    observations hold the last action, and a method that has only learnt to repeat it must not be
    handed a good one. The method sees these steps, so that its memory is of this episode.

    Args:
        worlds: B environments; the number of seeds must be a multiple of B.
        player: the method.
        seeds: `(E,)` of worlds, openings and the method's own randomness.
        steps: counted per episode.
        warm_up: random joint actions before them.
        progress: called with the number of steps done.
        watch: called after every step, say to draw it.

    Raises:
        ValueError: if an episode ends before the others: episodes of one length are compared.
    """
    batch = worlds.num_envs
    if len(seeds) % batch:
        raise ValueError(f"{len(seeds)} episodes do not fill batches of {batch}.")
    parts: list[tuple[Any, ...]] = []
    seconds, calls, done = 0.0, 0, 0
    for first in range(0, len(seeds), batch):
        chunk = seeds[first : first + batch]
        opening = opening_actions(worlds.sampler(), chunk, warm_up) if warm_up else ()
        observations = worlds.reset(chunk)
        player.begin(chunk)
        rewards, repeated = np.zeros(batch), np.zeros(batch)
        metrics: dict[str, _Mean] = {}
        last: NDArray[Any] | None = None
        for t in range(warm_up + steps):
            start = time.perf_counter()
            actions = player.act(worlds, observations)
            if t < warm_up:
                actions = np.asarray(opening[t], actions.dtype)
            else:
                seconds += time.perf_counter() - start
                calls += 1
            step = worlds.step(actions)
            observations = step.observations
            over = step.terminated | step.truncated
            if over.any() and t + 1 < warm_up + steps:
                raise ValueError(
                    f"the episode of {worlds.task} with seed {chunk[int(over.argmax())]} ended "
                    f"after {t + 1} steps: {warm_up + steps} are to be played, ask for fewer."
                )
            if watch is not None:
                watch()
            if t >= warm_up:
                rewards += step.rewards.mean(1)
                for name, values in step.metrics.items():
                    metrics.setdefault(name, _Mean(batch)).add(values)
                if last is not None:
                    repeated += same_actions(actions, last, worlds.action_space).mean(1)
            last = actions
            done += 1
            if progress is not None:
                progress(done)
        pairs = max(steps if warm_up else steps - 1, 1)
        averages = {name: mean.value for name, mean in metrics.items()}
        parts.append((rewards / steps, averages, repeated / pairs))
    unknown = np.full(batch, np.nan)
    names = dict.fromkeys(name for part in parts for name in part[1])
    return Episodes(
        tuple(seeds),
        np.concatenate([part[0] for part in parts]),
        {name: np.concatenate([part[1].get(name, unknown) for part in parts]) for name in names},
        np.concatenate([part[2] for part in parts]),
        seconds / max(calls, 1),
        player.bytes_per_step,
    )
