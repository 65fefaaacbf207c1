"""Bodies of MuJoCo with their joints divided among agents, observed as in published results.

Environment: multi-agent MuJoCo (B. Peng et al., NeurIPS 2021, arXiv 2003.06709) of
gymnasium-robotics: `pip install 'wirelessenvs[mamujoco]'`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pettingzoo.utils.wrappers import BaseParallelWrapper

from wirelessenvs.checks import check_choice

__all__ = ["DIVIDED", "DividedBody", "FullObservation", "make_divided", "quiet_mujoco"]


@dataclass(frozen=True)
class DividedBody:
    """A body, and which joints each agent moves.

    Args:
        scenario: the body, as gymnasium-robotics names it.
        shipped: a division of that package that has every joint, from which these are taken.
        agents: joints of each.
    """

    scenario: str
    shipped: str
    agents: tuple[tuple[str, ...], ...]

    @property
    def undivided(self) -> str:
        """Id of the environment of one agent."""
        return f"{self.scenario}-v5"


def _each(*joints: str) -> tuple[tuple[str, ...], ...]:
    return tuple((joint,) for joint in joints)


def _paired(*joints: str) -> tuple[tuple[str, ...], ...]:
    return tuple(zip(joints[::2], joints[1::2], strict=True))


_CHEETAH: Final = ("bfoot", "bshin", "bthigh", "ffoot", "fshin", "fthigh")
_WALKER: Final = (
    "foot_joint", "leg_joint", "thigh_joint",
    "foot_left_joint", "leg_left_joint", "thigh_left_joint",
)  # fmt: skip
_ANT: Final = ("hip1", "ankle1", "hip2", "ankle2", "hip3", "ankle3", "hip4", "ankle4")
#: The seven teams of the published results, agents x joints of each; those that
#: gymnasium-robotics does not ship are divided as in the HAPPO authors' release.
DIVIDED: Final = {
    "ant-2x4": DividedBody("Ant", "4x2", (_ANT[:4], _ANT[4:])),
    "ant-4x2": DividedBody("Ant", "4x2", _paired(*_ANT)),
    "halfcheetah-2x3": DividedBody("HalfCheetah", "6x1", (_CHEETAH[:3], _CHEETAH[3:])),
    "halfcheetah-3x2": DividedBody(
        "HalfCheetah", "6x1", (("bfoot", "bshin"), ("bthigh", "ffoot"), ("fshin", "fthigh"))
    ),
    "halfcheetah-6x1": DividedBody(
        "HalfCheetah", "6x1", _each("bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot")
    ),
    "walker2d-2x3": DividedBody("Walker2d", "2x3", (_WALKER[:3], _WALKER[3:])),
    "walker2d-3x2": DividedBody("Walker2d", "2x3", _paired(*_WALKER)),
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


def make_divided(team: str) -> FullObservation:
    """A body of MuJoCo, its joints divided among agents.

    Args:
        team: in `DIVIDED`.

    Raises:
        ValueError: for an unknown team.
        ImportError: without gymnasium-robotics or MuJoCo.
    """
    body = DIVIDED[check_choice("team", team, tuple(DIVIDED))]
    try:
        with warnings.catch_warnings(), redirect_stderr(StringIO()):
            # It warns, and prints, about other environments of that package.
            warnings.simplefilter("ignore")
            import mujoco  # noqa: F401  gymnasium has an error of its own where it is missing
            from gymnasium_robotics import mamujoco_v1
            from gymnasium_robotics.envs.multiagent_mujoco.obsk import get_parts_and_edges
    except ImportError as error:
        raise ImportError(
            f"{team} needs {_package(error)}: pip install 'wirelessenvs[mamujoco]'."
        ) from None
    parts, edges, shared = get_parts_and_edges(body.scenario, body.shipped)
    nodes = {node.label: node for agent in parts for node in agent}
    factorization = {
        "partition": [tuple(nodes[joint] for joint in joints) for joints in body.agents],
        "edges": edges,
        "globals": shared,
    }
    with quiet_mujoco():
        env = mamujoco_v1.parallel_env(
            body.scenario, body.shipped, agent_obsk=0, agent_factorization=factorization
        )
    return FullObservation(env)


def _package(error: ImportError) -> str:
    missing = (error.name or "gymnasium_robotics").partition(".")[0]
    return missing.replace("_", "-")


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
