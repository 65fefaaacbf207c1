"""A new deployment in every episode, version 0, with PettingZoo's module functions."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pettingzoo import AECEnv, ParallelEnv

from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.context import Context
from wirelessenvs.facade import RENDER_FPS, RENDER_MODES
from wirelessenvs.families import Deployment, deployments
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
        self._pool = deployments(family, split)
        self._count = len(self._pool)
        if first is not None:
            self._count = check_int("first", first, 1, self._count)
        if render_mode is not None:
            check_choice("render_mode", render_mode, RENDER_MODES)
        set_length(overrides, max_cycles)
        self.render_mode = render_mode
        self._arguments = overrides
        self._entropy: int | None = None
        self._episode = 0
        self._env: WirelessParallelEnv | None = None
        self.agents: list[str] = []
        example = self._pool[0].make("simulator", **overrides)
        prefix = example.agents[0].removesuffix("0")
        largest = max(self._pool.family.splits[split].sizes)
        self.possible_agents: list[str] = [f"{prefix}{i}" for i in range(largest)]
        low = example.observation_space.low
        unbounded = gymnasium.spaces.Box(low, np.full_like(low, np.inf), dtype=np.float32)
        self.context_space = example.context.space
        self.observation_spaces = {a: copy_space(unbounded) for a in self.possible_agents}
        self.action_spaces = {a: copy_space(example.action_space) for a in self.possible_agents}

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
        sequence = np.random.SeedSequence(self._entropy, spawn_key=(self._episode,))
        index, episode_seed = np.random.default_rng(sequence).integers((self._count, 2**63))
        self._episode += 1
        self.close()
        self._deployment = self._pool[int(index)]
        self._env = self._deployment.make(render_mode=self.render_mode, **self._arguments)
        observations, infos = self._env.reset(seed=int(episode_seed), options=options)
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
