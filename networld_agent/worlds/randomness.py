"""Random numbers of collection: one stream per episode, whatever batch plays it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import get_task

__all__ = ["BLOCK", "RandomActions", "episode_generator", "space_sampler", "task_sampler"]

#: Steps whose random numbers are drawn at once. A part of the recipe of every data set: changing
#: it changes which actions are random.
BLOCK = 256

# Far from the keys of the environments' own streams, which are small.
_KEY = 2**31

#: Draws the random actions of `BLOCK` steps of one episode: `(BLOCK, N[, A])`.
Sampler = Callable[[np.random.Generator], NDArray[Any]]


def episode_generator(seed: int) -> np.random.Generator:
    """The collector's own stream of the episode with this seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(_KEY,))))


class RandomActions:
    """Which actions of one episode are random, and which they are.

    Args:
        seed: of the episode.
        epsilon: probability per agent and step.
        num_agents: N.
        sampler: draws the actions.
    """

    def __init__(self, seed: int, epsilon: float, num_agents: int, sampler: Sampler) -> None:
        self._rng, self._sampler = episode_generator(seed), sampler
        self._epsilon, self._agents = epsilon, num_agents

    def draw(self) -> tuple[NDArray[np.bool_], NDArray[Any]]:
        """The next block: `(BLOCK, N)` where an action is random, and `(BLOCK, N[, A])` actions."""
        chosen = self._rng.random((BLOCK, self._agents)) < self._epsilon
        return chosen, self._sampler(self._rng)


def task_sampler(simulator: Simulator[Any]) -> Sampler:
    """Random actions as the task's own "random" policy draws them.

    That policy ignores what it sees, so a batch of `BLOCK` environments of it stands for `BLOCK`
    steps of one episode.
    """
    spec = simulator.spec
    policy_class = get_task(simulator.task).policies["random"]
    blind = np.zeros((BLOCK, spec.num_agents, *spec.observation_space.shape), np.float32)

    def sample(rng: np.random.Generator) -> NDArray[Any]:
        return policy_class(spec, BLOCK, int(rng.integers(2**63)))(blind)

    return sample


def space_sampler(space: gymnasium.Space[Any], num_agents: int) -> Sampler:
    """Uniformly random actions of a space.

    Raises:
        ValueError: for a space without bounds.
    """
    lead = (BLOCK, num_agents)
    if isinstance(space, gymnasium.spaces.Discrete):
        start, count = int(space.start), int(space.n)
        return lambda rng: start + rng.integers(count, size=lead)
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        sizes = space.nvec.ravel()
        return lambda rng: rng.integers(sizes, size=(*lead, sizes.size))
    assert isinstance(space, gymnasium.spaces.Box)
    low, high = space.low.ravel().astype(np.float64), space.high.ravel().astype(np.float64)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError(
            "random actions need an action space with finite bounds: play a policy of your own, "
            "with --epsilon 0 in collecting and --warm-up 0 in evaluation."
        )
    return lambda rng: rng.uniform(low, high, (*lead, low.size))
