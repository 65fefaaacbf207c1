"""A batch whose environments play another deployment in every episode, padded to one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.actions import check_actions
from wirelessenvs.checks import check_int
from wirelessenvs.families.deployment import Deployment
from wirelessenvs.families.pool import FamilyPool
from wirelessenvs.lockstep import check_mask, check_seeds
from wirelessenvs.simulator import Simulator, Step

__all__ = ["FamilyBatch"]


class FamilyBatch:
    """`num_envs` environments as `family_v0` plays them, with arrays of one shape.

    Environment b equals a `family_v0.FamilyParallelEnv` with the same seed, bit for bit. N is the
    number of agents of the largest deployment of the split; `present` says which of them a
    running episode has. The rows of all others are zero, and their actions change nothing.

    Args:
        family: "rb", "cbf" or "slicing".
        split: of the family.
        num_envs: batch size B.
        first: only the first so many deployments of the split.
        **overrides: arguments of the task that a deployment leaves open.

    Example:
        >>> batch = FamilyBatch("rb", num_envs=2)
        >>> batch.reset(seeds=0).shape, batch.present.sum(1).tolist()
        ((2, 12, 4), [11, 5])
    """

    def __init__(
        self,
        family: str = "rb",
        split: str = "train",
        num_envs: int = 1,
        first: int | None = None,
        **overrides: Any,
    ) -> None:
        self.num_envs = check_int("num_envs", num_envs, 1, 1_000_000)
        self._pool = FamilyPool(family, split, first, **overrides)
        self._overrides = overrides
        self.agents = self._pool.agents
        self.observation_space = self._pool.observation_space
        self.action_space = self._pool.action_space
        self.context_space = self._pool.context_space
        self.metric_names = self._pool.example.metric_names
        self._entropy: list[int | None] = [None] * self.num_envs
        self._episode = [0] * self.num_envs
        #: Of the running episodes; empty before the first reset.
        self.deployments: list[Deployment] = []
        self._simulators: list[Simulator[Any]] = []
        width = self.observation_space.shape[0]
        self._observations = np.zeros((self.num_envs, self.num_agents, width), np.float32)

    @property
    def num_agents(self) -> int:
        """Number of agents N of the largest deployment."""
        return len(self.agents)

    @property
    def present(self) -> NDArray[np.bool_]:
        """`(B, N)` which agents the running episodes have."""
        counts = np.array([[simulator.num_agents] for simulator in self._simulators])
        return np.arange(self.num_agents) < counts

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """`(B, N, N)` current neighbour relation of every environment."""
        adjacency = np.zeros((self.num_envs, self.num_agents, self.num_agents), np.bool_)
        for env, simulator in enumerate(self._simulators):
            n = simulator.num_agents
            adjacency[env, :n, :n] = simulator.adjacency[0]
        return adjacency

    @property
    def contexts(self) -> NDArray[np.float32]:
        """`(B, N, C)` what the agents of every environment may know of their site."""
        shape = (self.num_envs, self.num_agents, *self.context_space.shape)
        contexts = np.zeros(shape, np.float32)
        for env, simulator in enumerate(self._simulators):
            contexts[env, : simulator.num_agents] = simulator.context.values
        return contexts

    def reset(
        self,
        seeds: int | Sequence[int | None] | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float32]:
        """Starts an episode at another deployment, everywhere or where `mask` is true.

        Args:
            seeds: as in `Simulator.reset`; a seed restarts an environment's sequence of
                deployments and episodes, and None goes on to the next.
            mask: `(B,)` booleans; all true before anything has begun.

        Returns:
            `(B, N, D)` observations of all environments.
        """
        entropy = check_seeds(seeds, self.num_envs)
        chosen = check_mask(mask, self.num_envs)
        if not self._simulators:
            if not chosen.all():
                raise ValueError("mask must hold only True before the first reset.")
            self._simulators = [self._pool.example] * self.num_envs
            self.deployments = [self._pool.sites[0]] * self.num_envs
        for env in np.flatnonzero(chosen).tolist():
            self._restart(env, entropy[env])
        return self._observations.copy()

    def _restart(self, env: int, seed: int | None) -> None:
        if seed is None and self._entropy[env] is None:
            seed = int(np.random.SeedSequence().entropy)  # type: ignore[arg-type]
        if seed is not None:
            self._entropy[env], self._episode[env] = seed, 0
        entropy = self._entropy[env]
        assert entropy is not None
        site, episode_seed = self._pool.draw(entropy, self._episode[env])
        simulator = site.make("simulator", **self._overrides)
        self._observations[env] = 0
        self._observations[env, : simulator.num_agents] = simulator.reset([episode_seed])[0]
        self._simulators[env], self.deployments[env] = simulator, site
        self._episode[env] += 1

    def step(self, actions: Any, mask: NDArray[np.bool_] | None = None) -> Step:
        """Advances every environment, or those where `mask` is true, by one step.

        Args:
            actions: `(B, N)` integers or `(B, N, A)` reals; checked before anything changes.
            mask: `(B,)` booleans, as in `Simulator.step`.
        """
        if not self._simulators:
            raise RuntimeError("step was called before reset.")
        rounds = self._pool.example.rounds_real_actions
        checked = check_actions(actions, self.action_space, self.agents, self.num_envs, rounds)
        active = check_mask(mask, self.num_envs)
        shape = (self.num_envs, self.num_agents)
        rewards, truncated = np.zeros(shape), np.zeros(self.num_envs, np.bool_)
        metrics = {name: np.zeros(shape) for name in self.metric_names}
        for env in np.flatnonzero(active).tolist():
            simulator = self._simulators[env]
            n = simulator.num_agents
            step = simulator.step(checked[env : env + 1, :n])
            self._observations[env, :n] = step.observations[0]
            rewards[env, :n] = step.rewards[0]
            truncated[env] = step.truncated[0]
            for name, values in step.metrics.items():
                metrics[name][env, :n] = values[0]
        return Step(self._observations.copy(), rewards, truncated, metrics)
