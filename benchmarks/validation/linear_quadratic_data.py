"""Data of the linear-quadratic problem, in the shape in which every baseline reads its data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.baselines import make_baseline
from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.offline_data import OfflineData
from benchmarks.baselines.shared.policy import BaselinePolicy, PolicySpec
from benchmarks.validation.fitting import updated
from benchmarks.validation.linear_quadratic import GaussianData, PointMass
from networld_agent.data import TrajectoryDataset

__all__ = [
    "Behaviour",
    "PointMassTrajectories",
    "gaussian_data",
    "gaussian_trajectories",
    "mean_rewards",
    "recorded",
    "trained",
]

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Behaviour:
    """a = -K s + noise N(0, 1).

    Args:
        gain: K `(1, 2)`.
        noise: deviation of the action.
    """

    gain: Reals
    noise: float


@dataclass(frozen=True)
class PointMassTrajectories:
    """E episodes of one agent in memory, as `OfflineData` reads a data set.

    Args:
        observations: `(E, 1, T + 1, 2)`.
        actions: `(E, 1, T, 1)`.
        rewards: `(E, 1, T)`.
        bound: of the actions.
    """

    observations: NDArray[np.float32]
    actions: NDArray[np.float32]
    rewards: Reals
    bound: float

    path = Path("point-mass")
    num_agents = 1
    graph = None

    @property
    def num_episodes(self) -> int:
        """Number of episodes E."""
        return len(self.rewards)

    @property
    def num_steps(self) -> int:
        """Number of steps T."""
        return self.rewards.shape[-1]

    @property
    def episodes(self) -> NDArray[np.int64]:
        """Indices of all episodes."""
        return np.arange(self.num_episodes)

    @property
    def description(self) -> SimpleNamespace:
        """Task and spaces."""
        bounds = (np.array([-self.bound]), np.array([self.bound]))
        return SimpleNamespace(
            task="point-mass",
            observation=SimpleNamespace(size=2),
            action=SimpleNamespace(kind="box", bounds=lambda: bounds),
            terminations=False,
        )

    @property
    def metadata(self) -> SimpleNamespace:
        """Statistics of the actions: their extremes."""
        extremes = {"min": [-self.bound], "max": [self.bound]}
        return SimpleNamespace(statistics={"actions": extremes})

    def offline(self) -> OfflineData:
        """The data in the form that a baseline takes."""
        return OfflineData(cast(TrajectoryDataset, self))


def recorded(
    problem: PointMass,
    behaviours: Sequence[Behaviour],
    starts: Reals,
    steps: int,
    bound: float,
    seed: int,
) -> PointMassTrajectories:
    """Plays the behaviours by turns, one per episode.

    Args:
        problem: to play.
        behaviours: of the episodes.
        starts: `(E, 2)` first states.
        steps: T.
        bound: that actions are limited to.
        seed: of all noise.
    """
    rng, count = np.random.default_rng(seed), len(starts)
    which = np.arange(count) % len(behaviours)
    gains = np.concatenate([behaviour.gain for behaviour in behaviours])[which]
    noise = np.array([behaviour.noise for behaviour in behaviours])[which]
    states, seen, taken, earned = starts, [starts], [], []
    for _ in range(steps):
        actions = -(gains * states).sum(1) + noise * rng.normal(size=count)
        actions = np.clip(actions, -bound, bound)[:, None]
        states, rewards = problem.step(states, actions, rng)
        seen.append(states)
        taken.append(actions)
        earned.append(rewards)
    return PointMassTrajectories(
        np.stack(seen, 1)[:, None].astype(np.float32),
        np.stack(taken, 1)[:, None].astype(np.float32),
        np.stack(earned, 1)[:, None],
        bound,
    )


def gaussian_data(
    state_reward: Sequence[float], action_reward: float, gamma: float, future: int
) -> GaussianData:
    """Half the best gain and little noise, so that scaled observations are linear in the states."""
    problem = PointMass(velocity_noise=0.005)
    gain = 0.5 * problem.best_gain()
    reward = np.array(state_reward)
    return GaussianData(problem, gain, 0.1, reward, action_reward, gamma, future)


def gaussian_trajectories(
    data: GaussianData, episodes: int, steps: int, rng: np.random.Generator
) -> PointMassTrajectories:
    """Trajectories of such data from states as they are in the long run, with its rewards."""
    starts = rng.multivariate_normal(np.zeros(2), data.stationary(), episodes)
    behaviour = Behaviour(data.gain, data.sigma)
    raw = recorded(data.problem, [behaviour], starts, steps, 1.0, int(rng.integers(2**31)))
    states, actions = raw.observations[:, :, :-1].astype(np.float64), raw.actions[..., 0]
    rewards = states @ data.state_reward + data.action_reward * actions.astype(np.float64)
    return dataclasses.replace(raw, rewards=rewards)


def trained(method: str, data: OfflineData, config: BaselineConfig) -> BaselinePolicy:
    """A baseline's policy, trained on data in memory as `fit` trains it on files."""
    torch.manual_seed(config.seed)
    baseline = make_baseline(method)
    scaling = ObservationScaling.of_data(data)
    learner = baseline.learner(data, scaling, config)
    updated(learner, config.steps)
    spec = PolicySpec(data.task, data.observation_size, data.action, config, learner.extra())
    return baseline.policy_type(spec).fill(learner.actor, scaling)


def mean_rewards(
    problem: PointMass, policy: BaselinePolicy, episodes: int, steps: int, seed: int
) -> Reals:
    """Mean reward per step `(B,)` of episodes that are played side by side."""
    rng: Any = np.random.default_rng(seed)
    states, total = problem.starts(episodes, rng), np.zeros(episodes)
    policy.begin(range(episodes))
    for _ in range(steps):
        actions = policy.act_on(states[:, None].astype(np.float32))[:, 0]
        states, rewards = problem.step(states, actions.astype(np.float64), rng)
        total += rewards
    return total / steps
