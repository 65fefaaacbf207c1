"""A new deployment in every episode, version 0, with PettingZoo's module functions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pettingzoo import AECEnv, ParallelEnv

from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.context import Context
from wirelessenvs.facade import RENDER_FPS, RENDER_MODES
from wirelessenvs.families.deployment import Deployment
from wirelessenvs.families.pool import FamilyPool
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.parallel import OwnSpaces, WirelessParallelEnv, aec_env, copy_space, set_length
from wirelessenvs.simulator import Simulator

__all__ = ["FamilyParallelEnv", "env", "parallel_env", "raw_env"]


class FamilyParallelEnv(OwnSpaces, ParallelEnv):
    """Every episode is played at another site: a new deployment of a family at each reset.

    ## Agents
    Those of the deployment, which may be fewer than in the episode before. `possible_agents` are
    those of the largest deployment of the split; an episode has the first of them.

    ## Observation, action, reward, infos
    As in the family's task (`rb-v0`, `cbf-v0`, `slicing-v0`). Spaces hold for every deployment of
    the family: observations have no upper bounds, since these depend on the site. There is no
    `state()`: its size would change with the number of agents.

    ## What tells deployments apart
    `env.deployment` is the one being played, `env.graph` its neighbour graph, `env.context` what
    its agents may know of it; `context=True` appends that to each observation.

    ## Episode
    `reset(seed)` restarts the sequence of deployments and of episodes at them; `reset()` goes on to
    the next. Both are a pure function of the seed and of the number of resets since.

    ## Arguments
    | argument | default | meaning |
    |---|---|---|
    | `family` | "rb" | "rb", "cbf", "slicing" |
    | `split` | "train" | "train", "validation", "test", or one of the family's "beyond-..." |
    | `first` | None | only the first so many deployments of the split |
    | `render_mode` | None | "rgb_array" or "human" |
    | `max_cycles` | 1000 | PettingZoo's name for `max_steps` |
    | others | | arguments of the task that a deployment leaves open, `observation` or `context` |

    ## Version history
    * v0: first version.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "family_v0",
        "render_modes": RENDER_MODES,
        "render_fps": RENDER_FPS,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        family: str = "rb",
        split: str = "train",
        first: int | None = None,
        render_mode: str | None = None,
        max_cycles: int | None = None,
        **overrides: Any,
    ) -> None:
        if render_mode is not None:
            check_choice("render_mode", render_mode, RENDER_MODES)
        set_length(overrides, max_cycles)
        self._pool = FamilyPool(family, split, first, **overrides)
        self.render_mode = render_mode
        self._arguments = overrides
        self._entropy: int | None = None
        self._episode = 0
        self._env: WirelessParallelEnv | None = None
        self.agents: list[str] = []
        self.possible_agents: list[str] = list(self._pool.agents)
        self.context_space = self._pool.context_space
        seen, acted = self._pool.observation_space, self._pool.action_space
        self.observation_spaces = {a: copy_space(seen) for a in self.possible_agents}
        self.action_spaces = {a: copy_space(acted) for a in self.possible_agents}

    @property
    def _site(self) -> WirelessParallelEnv:
        if self._env is None:
            raise RuntimeError("there is no deployment before the first reset.")
        return self._env

    @property
    def deployment(self) -> Deployment:
        """The deployment of the running episode."""
        self._site  # noqa: B018, raises before the first reset
        return self._deployment

    @property
    def simulator(self) -> Simulator[Any]:
        """Of the running episode, a batch of one."""
        return self._site.simulator

    @property
    def graph(self) -> NeighborGraph:
        """The neighbour graph of the running episode."""
        return self._site.graph

    @property
    def context(self) -> Context:
        """What the agents of the running episode may know of their site."""
        return self._site.context

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Starts an episode at another deployment.

        Args:
            seed: restarts the sequence of deployments; without it the environment goes on to the
                next (the first seed is drawn by the operating system).
            options: none are known; an unknown one warns.

        Returns:
            Observations and infos by agent of the deployment.
        """
        if seed is not None:
            self._entropy, self._episode = check_int("seed", seed, 0), 0
            self._restart_np_random(self._entropy)
        elif self._entropy is None:
            self._entropy = int(np.random.SeedSequence().entropy)  # type: ignore[arg-type]
        assert self._entropy is not None
        site, episode_seed = self._pool.draw(self._entropy, self._episode)
        self._episode += 1
        self.close()
        self._deployment = site
        self._env = site.make(render_mode=self.render_mode, **self._arguments)
        observations, infos = self._env.reset(seed=episode_seed, options=options)
        self.agents = self._env.agents
        return observations, infos

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Any],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """One step; see `WirelessParallelEnv.step`."""
        if self._env is None:
            raise RuntimeError("step was called before reset.")
        results = self._env.step(actions)
        self.agents = self._env.agents
        return results

    def render(self) -> NDArray[np.uint8] | None:
        """`(height, width, 3)` uint8 for "rgb_array"; None for "human"."""
        frame: NDArray[np.uint8] | None = self._site.render()
        return frame

    def close(self) -> None:
        """Closes the window, if any."""
        if self._env is not None:
            self._env.close()


parallel_env = FamilyParallelEnv


def raw_env(**kwargs: Any) -> AECEnv:
    """The environment with agents in turn (AEC)."""
    return aec_env(parallel_env(**kwargs))


def env(**kwargs: Any) -> AECEnv:
    """Same as `raw_env`: illegal actions raise errors already."""
    return raw_env(**kwargs)
