"""Offline data of two classic control tasks, made by a script, for comparisons between libraries.

CartPole-v1 has discrete actions and episodes that end by failure; Pendulum-v1 has one torque and
episodes that are only cut off. Both come with Gymnasium.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.training_loop import batch_generator
from benchmarks.baselines.shared.transitions import TransitionBatch
from networld_agent.model.task_spec import ActionSpec

__all__ = [
    "CONTROL_TASKS",
    "ControlData",
    "ControlTransitions",
    "Remembering",
    "collect_control",
    "score",
]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class ControlTask:
    """One task, a controller for it, and what it takes to learn it.

    Args:
        env: Gymnasium's id.
        action: of the learner; a box is [-1, 1], times `torque`.
        torque: greatest one.
        reward_scale: that rewards are multiplied by for learning.
        episodes: to collect.
        skills: of the controller, from one episode to the next.
    """

    env: str
    action: ActionSpec
    torque: float
    reward_scale: float
    episodes: int
    skills: tuple[float, ...]


CONTROL_TASKS = {
    "cartpole": ControlTask(
        "CartPole-v1", ActionSpec("discrete", sizes=(2,)), 1.0, 1.0, 300, (0.4, 0.5, 0.58)
    ),
    "pendulum": ControlTask(
        "Pendulum-v1", ActionSpec("box", low=(-1.0,), high=(1.0,)), 2.0, 0.1, 100, (0.2, 0.5, 0.8)
    ),
}


def _cartpole(seen: Array, skill: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """A linear controller that does the opposite with probability 1 - skill.

    Imitation of the more frequent action is no good plan here: values are needed.
    """
    good = int(seen @ np.array([0.05, 0.2, 1.0, 0.6]) > 0)
    return np.array(good if rng.random() < skill else 1 - good)


def _pendulum(seen: Array, skill: float, rng: np.random.Generator) -> Array:
    """Swings up by energy and balances by angle; acts at random with probability 1 - skill."""
    if rng.random() >= skill:
        return rng.uniform(-1, 1, 1).astype(np.float32)
    cosine, sine, speed = seen.tolist()
    angle = np.arctan2(sine, cosine)
    if cosine > 0.9:
        torque = -(12.0 * angle + 3.0 * speed)
    else:
        energy = speed**2 / 6 + 5.0 * (cosine - 1)
        torque = -np.sign(speed + 1e-9) * np.sign(energy) * 2.0
    return np.clip([torque / 2], -1, 1).astype(np.float32)


_CONTROLLERS: dict[str, Callable[..., NDArray[Any]]] = {
    "cartpole": _cartpole,
    "pendulum": _pendulum,
}


@dataclass(frozen=True)
class ControlData:
    """M transitions; observations are standardised over the data.

    Args:
        task: name.
        observations: `(M, d)`.
        actions: `(M,)` or `(M, A)` in [-1, 1].
        rewards: `(M,)` scaled.
        next_observations: `(M, d)`.
        terminals: `(M,)` where the task ended.
        ends: `(M,)` where an episode ended, for whichever reason.
        mean: `(d,)` taken off the observations.
        deviation: `(d,)` that they are divided by.
        returns: `(E,)` of the episodes, unscaled.
    """

    task: str
    observations: Array
    actions: NDArray[Any]
    rewards: Array
    next_observations: Array
    terminals: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    mean: Array
    deviation: Array
    returns: Array


def collect_control(name: str, seed: int = 0) -> ControlData:
    """Episodes of a controller whose skill differs from one to the next."""
    task, rng = CONTROL_TASKS[name], np.random.default_rng(seed)
    env = gymnasium.make(task.env)
    rows: list[tuple[np.ndarray, np.ndarray, float, np.ndarray, bool, bool]] = []
    returns = []
    for episode in range(task.episodes):
        seen, _ = env.reset(seed=1000 * seed + episode)
        skill, over, total = task.skills[episode % len(task.skills)], False, 0.0
        while not over:
            action = _CONTROLLERS[name](seen, skill, rng)
            played = int(action) if task.action.kind == "discrete" else action * task.torque
            following, reward, ended, cut, _ = env.step(played)
            over, total = ended or cut, total + float(reward)
            rows.append((seen, action, float(reward), following, ended, over))
            seen = following
        returns.append(total)
    observations, actions, rewards, following, terminals, ends = map(
        np.array, zip(*rows, strict=True)
    )
    mean, deviation = observations.mean(0), observations.std(0)
    return ControlData(
        name,
        ((observations - mean) / deviation).astype(np.float32),
        actions,
        (task.reward_scale * rewards).astype(np.float32),
        ((following - mean) / deviation).astype(np.float32),
        terminals,
        ends,
        mean.astype(np.float32),
        deviation.astype(np.float32),
        np.array(returns, np.float32),
    )


class ControlTransitions:
    """Random batches of such data.

    Args:
        data: to draw from.
        batch_size: B.
        seed: of the batches.
    """

    def __init__(self, data: ControlData, batch_size: int, seed: int) -> None:
        self.codec = ActionCodec(CONTROL_TASKS[data.task].action)
        self.input_size = data.observations.shape[1]
        self._data, self._batch_size, self._seed = data, batch_size, seed

    def __call__(self, step: int) -> TransitionBatch:
        """The batch of a step."""
        data, rng = self._data, batch_generator(self._seed, step)
        at = rng.integers(len(data.rewards), size=self._batch_size)
        return TransitionBatch(
            torch.from_numpy(data.observations[at]),
            self.codec.encode(data.actions[at]),
            torch.from_numpy(data.rewards[at]),
            torch.from_numpy(data.next_observations[at]),
            torch.from_numpy(~data.terminals[at]).float(),
        )


@runtime_checkable
class Remembering(Protocol):
    """A policy that is told what its actions earned."""

    def told(self, rewards: NDArray[np.float64], alive: NDArray[np.bool_]) -> None:
        """The last step's rewards `(B,)`, scaled as for learning, and which episodes go on."""
        ...


def score(
    data: ControlData, act: Callable[[Array], NDArray[Any]], episodes: int, seed: int
) -> float:
    """Mean unscaled return over episodes that are played side by side.

    Args:
        data: whose task and standardisation are used.
        act: from `(B, d)` standardised observations to actions as in the data; called with all
            episodes until the last one has ended. A `Remembering` one is told rewards, too.
        episodes: B.
        seed: of the first one.
    """
    task = CONTROL_TASKS[data.task]
    envs = [gymnasium.make(task.env) for _ in range(episodes)]
    seen = np.array([env.reset(seed=seed + i)[0] for i, env in enumerate(envs)])
    alive, totals = np.ones(episodes, bool), np.zeros(episodes)
    while alive.any():
        actions = act(((seen - data.mean) / data.deviation).astype(np.float32))
        rewards = np.zeros(episodes)
        for i in np.flatnonzero(alive):
            discrete = task.action.kind == "discrete"
            played = int(actions[i]) if discrete else actions[i] * task.torque
            seen[i], reward, ended, cut, _ = envs[i].step(played)
            rewards[i] = float(reward)
            alive[i] = not (ended or cut)
        totals += rewards
        if isinstance(act, Remembering):
            act.told(task.reward_scale * rewards, alive)
    return float(totals.mean())
