"""Worlds of any PettingZoo parallel environment whose agents are alike."""

from __future__ import annotations

import contextlib
import math
import weakref
from collections.abc import Callable, Container, Mapping, Sequence
from numbers import Real
from typing import Any, Final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from networld_agent.worlds.interface import WorldStep
from networld_agent.worlds.randomness import Sampler, space_sampler
from networld_agent.worlds.spaces import action_size
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.simulator import Simulator

__all__ = ["PettingZooWorlds"]

#: The first two, which most numbers are, are told at once; the abstract class takes its time.
_NUMBERS: Final = (float, int, Real)


class PettingZooWorlds:
    """Copies of a PettingZoo parallel environment, one after the other.

    Agents must share one observation and one action space, and all live until the episode ends.
    The environment's `graph.adjacency` says who hears whom if it has one; otherwise all hear all.
    They are closed with this object, at the latest when Python ends.

    Args:
        task: name, for messages and files.
        make: makes one copy.
        num_envs: B.

    Raises:
        ValueError: if the environment cannot be made, is not parallel, or its agents are not alike.
    """

    simulator: Simulator[Any] | None = None
    #: A graph is taken for static; collecting checks that it is.
    graph_changes = False

    def __init__(self, task: str, make: Callable[[], Any], num_envs: int) -> None:
        self.task, self.num_envs = task, num_envs
        self._envs: list[Any] = []
        # Nobody who makes worlds has to remember it: foreign simulators hold processes and ports.
        self._closing = weakref.finalize(self, _close, self._envs)
        for _ in range(num_envs):
            try:
                self._envs.append(make())
            except ImportError:
                raise  # says what to install
            except Exception as error:
                raise ValueError(f"{task} cannot be made: {_told(error)}.") from error
        first = self._envs[0]
        self.agents: tuple[str, ...] = tuple(getattr(first, "possible_agents", ()))
        # An environment of the agent-environment cycle has agents too, but acts for one at a time.
        cycle = hasattr(first, "agent_selection") or hasattr(first, "agent_iter")
        if cycle or not self.agents:
            raise ValueError(f"{task} gives no PettingZoo parallel environment.")
        space = self._shared("observation")
        if not isinstance(space, gymnasium.spaces.Box):
            raise ValueError(f"{task}: observations must be a Box of numbers, got {space}.")
        self.observation_space = space
        self.action_space = self._shared("action")
        action_size(self.action_space)  # raises for a space without a known form
        self.observation_size = int(np.prod(space.shape))
        self._observations = np.zeros(
            (num_envs, len(self.agents), self.observation_size), np.float32
        )
        self._seeds = np.zeros(num_envs, object)
        self._steps = np.zeros(num_envs, np.int64)
        self._over = np.ones(num_envs, np.bool_)

    def _shared(self, kind: str) -> gymnasium.Space[Any]:
        """The one space of all agents."""
        spaces = [getattr(self._envs[0], f"{kind}_space")(agent) for agent in self.agents]
        for agent, space in zip(self.agents, spaces, strict=True):
            if space != spaces[0]:
                raise ValueError(
                    f"{self.task}: agents must share one {kind} space: {self.agents[0]} has "
                    f"{spaces[0]}, {agent} has {space}; pad them with a wrapper first."
                )
        return spaces[0]

    # --------------------------------------------------------------- who hears whom
    @property
    def graph_given(self) -> bool:
        """Whether the environment has a graph; some have one only after their first reset."""
        return _graph(self._envs[0]) is not None

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """`(B, N, N)`; without a graph, every agent hears every other one."""
        return np.stack([self._neighbors(_graph(env)).adjacency for env in self._envs])

    def _neighbors(self, graph: Any) -> NeighborGraph:
        if graph is None:
            return NeighborGraph.complete(self.agents)
        if isinstance(graph, NeighborGraph):
            return graph
        return NeighborGraph(self.agents, graph.adjacency)

    # ------------------------------------------------------------------------ state
    @property
    def state_size(self) -> int:
        """Entries of the global state; starts an episode of the first copy to see it."""
        self._envs[0].reset(seed=0)
        try:
            return int(np.size(self._envs[0].state()))
        except (AttributeError, NotImplementedError):
            raise ValueError(
                f"{self.task} has no state(): a critic of the whole team needs one."
            ) from None

    def state(self) -> NDArray[np.float32]:
        """`(B, S)` global states."""
        return np.array([np.ravel(env.state()) for env in self._envs], np.float32)

    # ------------------------------------------------------------------------- play
    def sampler(self) -> Sampler:
        """Uniform actions."""
        return space_sampler(self.action_space, len(self.agents))

    def reset(self, seeds: Sequence[int | None]) -> NDArray[np.float32]:
        """Starts an episode in every copy that has a seed."""
        for index, (env, seed) in enumerate(zip(self._envs, seeds, strict=True)):
            if seed is not None:
                self._seeds[index], self._steps[index] = int(seed), 0
                try:
                    seen, _ = env.reset(seed=int(seed))
                except Exception as error:
                    raise self._fault(index, "reset", error) from error
                self._see(index, seen)
                self._over[index] = False
        return self._observations.copy()

    def step(self, actions: NDArray[Any], active: NDArray[np.bool_] | None = None) -> WorldStep:
        """Advances all copies, or the active ones, by one step."""
        rewards = np.zeros(self._observations.shape[:2])
        terminated, truncated = (np.zeros(self.num_envs, np.bool_) for _ in range(2))
        everywhere = np.ones(self.num_envs, np.bool_)
        chosen: list[int] = np.flatnonzero(everywhere if active is None else active).tolist()
        infos: list[list[dict[str, Any]]] = [[{}] * len(self.agents)] * self.num_envs
        for index in chosen:
            env, rows = self._envs[index], actions[index]
            if self._over[index]:
                raise ValueError(
                    f"{self.task}: the episode with seed {self._seeds[index]} is over after "
                    f"{self._steps[index]} steps: reset it first."
                )
            self._steps[index] += 1
            joint = {a: self._native(index, a, r) for a, r in zip(self.agents, rows, strict=True)}
            try:
                seen, reward, ended, cut, info = env.step(joint)
                terminated[index], truncated[index] = any(ended.values()), any(cut.values())
            except Exception as error:
                raise self._fault(index, "step", error) from error
            self._check_alive(index, "reward", reward)
            # After the last step an environment may have no agents, but not some of them.
            self._check_alive(index, "next turn", getattr(env, "agents", ()) or self.agents)
            self._see(index, seen)
            rewards[index] = [self._number(index, a, "reward", reward[a]) for a in self.agents]
            infos[index] = [self._numbers(index, a, info) for a in self.agents]
        truncated &= ~terminated
        self._over |= terminated | truncated
        names = dict.fromkeys(name for env in chosen for row in infos[env] for name in row)
        metrics = {
            # Where an environment said nothing, nothing is known; a world at rest has 0 throughout.
            name: np.array([
                [row.get(name, np.nan) for row in infos[env]]
                if active is None or active[env]
                else [0.0] * len(self.agents)
                for env in range(self.num_envs)
            ])
            for name in names
        }  # fmt: skip
        return WorldStep(self._observations.copy(), rewards, metrics, terminated, truncated)

    def close(self) -> None:
        """Closes all copies; nothing can be played any more."""
        self._closing()

    # ----------------------------------------------------------------------- checks
    def _native(self, index: int, agent: str, row: Any) -> Any:
        """One agent's action as its environment takes it."""
        space = self.action_space
        if isinstance(space, gymnasium.spaces.Discrete):
            native: Any = int(row)
        else:
            native = np.asarray(row, space.dtype).reshape(space.shape or ())
        if isinstance(space, gymnasium.spaces.Box):
            legal = all(map(math.isfinite, native.flat))
        else:
            legal = space.contains(native)
        if not legal:
            raise ValueError(f"{self._place(index, agent)}: the action {row} is not in {space}.")
        return native

    def _see(self, index: int, seen: Any) -> None:
        self._check_alive(index, "observation", seen)
        rows = self._observations[index]
        for row, agent in zip(rows, self.agents, strict=True):
            try:
                values = np.asarray(seen[agent], np.float32)
            except (TypeError, ValueError):
                values = np.zeros(0, np.float32)
            if values.size != self.observation_size:
                raise ValueError(
                    f"{self._place(index, agent)}: the observation has shape {np.shape(values)} "
                    f"instead of {self.observation_space.shape}."
                )
            row[:] = values.ravel()
        finite = np.isfinite(rows)
        if not finite.all():
            position, entry = np.argwhere(~finite)[0].tolist()
            raise ValueError(
                f"{self._place(index, self.agents[position])}: entry {entry} of the observation is "
                f"{rows[position, entry]}, must be finite."
            )

    def _numbers(self, index: int, agent: str, infos: Any) -> dict[str, float]:
        """An agent's infos that are numbers: what else there is, is for people."""
        own = infos.get(agent) if isinstance(infos, Mapping) else None
        return {
            str(name): self._number(index, agent, "info", value, name)
            for name, value in (own or {}).items()
            if isinstance(value, _NUMBERS)
        }

    def _number(
        self, index: int, agent: str, field: str, value: Any, name: str | None = None
    ) -> float:
        """A finite number, or an array of a single one."""
        try:
            plain = isinstance(value, _NUMBERS)
            number = float(value if plain else np.asarray(value, np.float64).reshape(()))
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            what = field if name is None else f"{field} {name!r}"
            raise ValueError(
                f"{self._place(index, agent)}: the {what} is {value!r}, must be a finite number."
            )
        return number

    def _check_alive(self, index: int, what: str, present: Any) -> None:
        held = present if isinstance(present, Container) else ()
        for agent in self.agents:
            if agent not in held:
                raise ValueError(
                    f"agent {agent} has no {what} at {self._moment(index)}: it left before the "
                    "others, but all agents must live as long as the episode."
                )

    def _moment(self, index: int) -> str:
        return f"step {self._steps[index]} of the episode with seed {self._seeds[index]}"

    def _place(self, index: int, agent: str) -> str:
        return f"{self.task}, agent {agent}, {self._moment(index)}"

    def _fault(self, index: int, call: str, error: Exception) -> ValueError:
        """What an environment raised, with the place; its traceback stays the cause."""
        return ValueError(f"{self.task} failed in {call}(), {self._moment(index)}: {_told(error)}.")


def _told(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")


def _close(envs: list[Any]) -> None:
    for env in envs:
        # The others are closed whatever this one does.
        with contextlib.suppress(Exception):
            env.close()
    envs.clear()


def _graph(env: Any) -> Any:
    return getattr(getattr(env, "unwrapped", env), "graph", None)
