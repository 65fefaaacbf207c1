"""HalfCheetah with its joints divided among agents, observed as in published results.

Environment: multi-agent MuJoCo (B. Peng et al., NeurIPS 2021, arXiv 2003.06709) of
gymnasium-robotics: `pip install 'wirelessenvs[mamujoco]'`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pettingzoo.utils.wrappers import BaseParallelWrapper

__all__ = ["DIVISIONS", "JOINTS", "FullObservation", "make_halfcheetah", "quiet_mujoco"]

#: In the order of the undivided environment's actions.
JOINTS: Final = ("bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot")
#: Joints of each agent. 3x2 is not shipped; its agents are those of the HAPPO authors' release.
DIVISIONS: Final = {
    "2x3": (("bfoot", "bshin", "bthigh"), ("ffoot", "fshin", "fthigh")),
    "6x1": tuple((joint,) for joint in JOINTS),
    "3x2": (("bfoot", "bshin"), ("bthigh", "ffoot"), ("fshin", "fthigh")),
}


class FullObservation(BaseParallelWrapper):
    """Every agent sees the whole state and who it is, each vector standardised by itself.

    Observation `(S + n)`: the S entries of the state, then n entries of which the agent's own is 1;
    from all of these their mean is subtracted, and they are divided by their deviation. So do the
    published results on multi-agent MuJoCo (the environment itself shows an agent only the joints
    next to its own). `state()` is float32.

    Args:
        env: parallel environment with `state()`.
    """

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        env.reset(seed=0)
        self.state_size = int(np.size(env.state()))
        size = self.state_size + len(env.possible_agents)
        self._space = gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)

    def observation_space(self, agent: str) -> gymnasium.spaces.Box:  # noqa: ARG002
        """`(S + n,)` reals."""
        return self._space

    def state(self) -> NDArray[np.float32]:
        """`(S,)` positions and velocities."""
        return np.asarray(self.env.state(), np.float32)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
        """Starts an episode."""
        _, info = self.env.reset(seed=seed, options=options)
        return self._observations(), info

    def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
        """One step of all agents."""
        _, *rest = self.env.step(actions)
        return (self._observations(), *rest)

    def _observations(self) -> dict[str, NDArray[np.float32]]:
        state = np.asarray(self.env.state(), np.float64)
        count = len(self.possible_agents)
        rows = np.concatenate([np.tile(state, (count, 1)), np.eye(count)], 1)
        rows = (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True)
        return dict(zip(self.possible_agents, rows.astype(np.float32), strict=True))


def make_halfcheetah(division: str) -> FullObservation:
    """HalfCheetah, its six joints divided among agents.

    Args:
        division: in `DIVISIONS`, agents x joints of each.

    Raises:
        ValueError: for an unknown division.
        ImportError: without gymnasium-robotics.
    """
    if division not in DIVISIONS:
        raise ValueError(
            f"halfcheetah is divided as {', '.join(DIVISIONS)}, got halfcheetah-{division}."
        )
    try:
        with warnings.catch_warnings():
            # About other environments of that package.
            warnings.simplefilter("ignore")
            from gymnasium_robotics import mamujoco_v1
            from gymnasium_robotics.envs.multiagent_mujoco.obsk import get_parts_and_edges
    except ImportError:
        raise ImportError(
            "gymnasium-robotics is not installed: pip install 'wirelessenvs[mamujoco]'."
        ) from None
    parts, edges, shared = get_parts_and_edges("HalfCheetah", "6x1")
    nodes = {node.label: node for (node,) in parts}
    factorization = {
        "partition": [tuple(nodes[joint] for joint in joints) for joints in DIVISIONS[division]],
        "edges": edges,
        "globals": shared,
    }
    with quiet_mujoco():
        env = mamujoco_v1.parallel_env(
            "HalfCheetah", division, agent_obsk=0, agent_factorization=factorization
        )
    return FullObservation(env)


@contextmanager
def quiet_mujoco() -> Iterator[None]:
    """MuJoCo would leave a log in the working folder: the model file has an old attribute."""
    import mujoco

    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda _: None)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(before)
