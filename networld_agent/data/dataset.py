"""A data set on disk as memory-mapped arrays, with windows for training."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from networld_agent.data.layout import map_array
from networld_agent.data.metadata import Description, Metadata
from networld_agent.data.verification import check_sample, verify_full
from networld_agent.data.windows import Windows, gather_neighbors, gather_rows
from wirelessenvs.checks import check_choice, check_int, check_real
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import TASKS, get_task

__all__ = ["TrajectoryDataset"]


class TrajectoryDataset:
    """Trajectories of one environment: E episodes of N agents and T steps.

    Arrays are read-only memory maps in the shapes of the files; nothing is scaled or converted.
    `episodes` says which of them belong to this data set: `split`, `first` and `select` give
    smaller data sets over the same maps.

    Attributes:
        path: folder.
        metadata: all that the data set says about itself.
        observations: `(E, N, T + 1, D)` float32; entry t was seen before action t.
        actions: `(E, N, T[, A])` as executed.
        rewards: `(E, N, T)` float64.
        episodes: indices of the episodes that belong to this data set.

    Example:
        >>> dataset = TrajectoryDataset.open("data/rb-expert")  # doctest: +SKIP
        >>> train, held_out = dataset.split(0.9, seed=0)  # doctest: +SKIP
        >>> batch = train.windows(256, 32, np.random.default_rng(0))  # doctest: +SKIP
        >>> batch.observations.shape  # doctest: +SKIP
        (256, 32, 4)
    """

    def __init__(
        self,
        path: Path,
        metadata: Metadata,
        arrays: dict[str, NDArray[Any]],
        episodes: NDArray[np.int64],
    ) -> None:
        self.path, self.metadata, self._arrays = path, metadata, arrays
        self.episodes = episodes
        self.observations: NDArray[np.float32] = arrays["observations"]
        self.actions: NDArray[Any] = arrays["actions"]
        self.rewards: NDArray[np.float64] = arrays["rewards"]

    @classmethod
    def open(cls, path: str | Path, verify: str = "quick") -> TrajectoryDataset:
        """Opens a data set.

        Args:
            path: its folder.
            verify: "quick" checks metadata, headers, sizes, and the values of the first and last
                episode; "full" every value and every checksum.

        Raises:
            DatasetError: naming file, field and position of the first fault.
        """
        check_choice("verify", verify, ("quick", "full"))
        folder = Path(path)
        metadata = Metadata.read(folder)
        arrays = {
            name: map_array(folder / f"{name}.npy", info.layout)
            for name, info in metadata.arrays.items()
        }
        if verify == "full":
            verify_full(folder, metadata)
        else:
            check_sample(metadata, arrays)
        return cls(folder, metadata, arrays, np.arange(metadata.description.num_episodes))

    def __reduce__(self) -> tuple[Any, ...]:
        # To another process goes the path, not a copy of the arrays.
        return _reopen, (str(self.path.absolute()), self.episodes)

    # ---------------------------------------------------------------- what it is
    @property
    def description(self) -> Description:
        """Task, policy, seeds, spaces, graph."""
        return self.metadata.description

    @property
    def num_episodes(self) -> int:
        """Number of episodes that belong to this data set."""
        return len(self.episodes)

    @property
    def num_agents(self) -> int:
        """Number of agents N."""
        return self.description.num_agents

    @property
    def num_steps(self) -> int:
        """Number of steps T of every episode."""
        return self.description.steps

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the episodes that belong to this data set."""
        return tuple(self.description.seeds[e] for e in self.episodes)

    def __repr__(self) -> str:
        return (
            f"TrajectoryDataset({str(self.path)!r}, task={self.description.task!r}, "
            f"episodes={self.num_episodes}, agents={self.num_agents}, steps={self.num_steps})"
        )

    def array(self, name: str) -> NDArray[Any]:
        """Any array by name, such as "beams" `(E, N, T, 2 A)`."""
        return self._arrays[check_choice("array", name, self._arrays)]

    def metric(self, name: str) -> NDArray[np.float32]:
        """`(E, N, T)` one per-agent metric of the environment."""
        names = [metric.name for metric in self.description.metrics]
        values: NDArray[np.float32] = self._arrays["metrics"]
        return values[..., names.index(check_choice("metric", name, names))]

    @cached_property
    def graph(self) -> NeighborGraph | None:
        """The neighbour graph; None if it changes with the steps (see `array("adjacency")`)."""
        return self.description.graph()

    def make_simulator(self, num_envs: int = 1) -> Simulator[Any]:
        """The simulator that the data came from, for this project's tasks.

        Raises:
            ValueError: for data of another environment.
        """
        task = get_task(check_choice("task", self.description.task, tuple(TASKS)))
        config = task.config(**_deep_tuples(self.description.environment["config"]))
        return task.simulator(config, num_envs)

    def make_env(self, *, trusted: bool = False) -> Any:
        """The PettingZoo environment that the data came from.

        Args:
            trusted: allow to import and call the factory that the metadata of a data set from
                another environment names. Only if you know where the data set comes from.

        Raises:
            ValueError: if it would call foreign code and is not trusted.
        """
        task, environment = self.description.task, self.description.environment
        if task in TASKS:
            config = TASKS[task].config(**_deep_tuples(environment["config"]))
            return importlib.import_module(TASKS[task].module).parallel_env(config=config)
        if not trusted:
            raise ValueError(
                f"the environment is made by {task!r}, code that this data set names: pass "
                "trusted=True if you trust it."
            )
        from networld_agent.worlds.pettingzoo import load

        return load(environment["factory"], "factory")(**environment["arguments"])

    # ------------------------------------------------------------------- subsets
    def select(self, episodes: Sequence[int] | NDArray[np.int64]) -> TrajectoryDataset:
        """The data set with these of its episodes (positions in `self.episodes`), in this order."""
        positions = np.asarray(episodes, dtype=np.int64)
        if positions.size == 0 or positions.min() < 0 or positions.max() >= self.num_episodes:
            raise ValueError(
                f"episodes must be between 0 and {self.num_episodes - 1} and at least one, "
                f"got {episodes}."
            )
        return TrajectoryDataset(self.path, self.metadata, self._arrays, self.episodes[positions])

    def first(self, count: int) -> TrajectoryDataset:
        """The data set with its first `count` episodes only."""
        return self.select(np.arange(check_int("count", count, 1, self.num_episodes)))

    def split(self, share: float, seed: int = 0) -> tuple[TrajectoryDataset, TrajectoryDataset]:
        """Two data sets without a common episode: random `share` of the episodes, and the rest.

        Raises:
            ValueError: if one of them would be empty.
        """
        check_real("share", share, 0, 1)
        count = round(share * self.num_episodes)
        if not 0 < count < self.num_episodes:
            raise ValueError(
                f"share {share:g} of {self.num_episodes} episodes leaves one part empty."
            )
        order = np.random.default_rng(seed).permutation(self.num_episodes)
        return self.select(np.sort(order[:count])), self.select(np.sort(order[count:]))

    # ------------------------------------------------------------------- windows
    def num_windows(self, horizon: int) -> int:
        """Number of different windows of a length."""
        check_int("horizon", horizon, 1, self.num_steps)
        return self.num_episodes * self.num_agents * (self.num_steps - horizon + 1)

    def windows(
        self,
        batch_size: int,
        horizon: int,
        rng: np.random.Generator,
        neighbors: bool = True,
    ) -> Windows:
        """Uniformly random windows, each within one episode of one agent.

        Args:
            batch_size: B.
            horizon: H, at most T.
            rng: draws the windows; equal generators draw equal windows.
            neighbors: whether to gather the neighbours' mean too.
        """
        check_int("batch_size", batch_size, 1)
        index = rng.integers(self.num_windows(horizon), size=batch_size)
        index, starts = np.divmod(index, self.num_steps - horizon + 1)
        positions, agents = np.divmod(index, self.num_agents)
        return self.gather(self.episodes[positions], agents, starts, horizon, neighbors)

    def gather(
        self,
        episodes: NDArray[np.int64],
        agents: NDArray[np.int64],
        starts: NDArray[np.int64],
        horizon: int,
        neighbors: bool = True,
    ) -> Windows:
        """The windows of given episodes (numbered as in the files), agents and first steps.

        Raises:
            ValueError: naming the first window that would leave its episode.
        """
        check_int("horizon", horizon, 1, self.num_steps)
        places = []
        limits = (len(self.observations), self.num_agents, self.num_steps - horizon + 1)
        for name, values, limit in zip(
            ("episodes", "agents", "starts"), (episodes, agents, starts), limits, strict=True
        ):
            array = np.ascontiguousarray(values, dtype=np.int64)
            wrong = np.flatnonzero((array < 0) | (array >= limit))
            if array.shape != np.shape(episodes) or array.ndim != 1 or wrong.size:
                given = array.ravel()[wrong[0]] if wrong.size else f"shape {array.shape}"
                raise ValueError(f"{name} must be (B,) between 0 and {limit - 1}, got {given}.")
            places.append(array)
        e, i, s = places
        batch = len(s)
        size = self.observations.shape[-1]
        # One allocation for both: where it is large, NumPy asks for huge pages.
        both = np.empty((1 + neighbors, batch, horizon, size), np.float32)
        own, mean = both[0], both[1] if neighbors else None
        gather_rows(self.observations, e, i, s, own)
        if mean is not None:
            first, heard, dynamic = self._heard
            gather_neighbors(self.observations, first, heard, dynamic, e, i, s, mean)
        actions = self.actions.reshape(*self.actions.shape[:3], -1)
        chosen = np.empty((batch, horizon, actions.shape[3]), actions.dtype)
        gather_rows(actions, e, i, s, chosen)
        rewards = np.empty((batch, horizon, 1), np.float64)
        gather_rows(self.rewards[..., None], e, i, s, rewards)
        return Windows(
            own,
            mean,
            chosen.reshape(batch, horizon, *self.actions.shape[3:]),
            rewards[..., 0],
            e,
            i,
            s,
            np.zeros(batch, np.int64),
        )

    @cached_property
    def _heard(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
        """The graph as the kernel reads it: neighbour lists, or adjacency per step."""
        if self.graph is None:
            nobody = np.zeros(self.num_agents + 1, np.int64)
            return nobody, np.zeros(0, np.int64), self._arrays["adjacency"]
        first = np.concatenate([[0], np.cumsum(self.graph.degrees)])
        heard = np.nonzero(self.graph.adjacency)[1].astype(np.int64)
        return first, heard, np.zeros((0, 0, 0, 0), np.uint8)


def _reopen(path: str, episodes: NDArray[np.int64]) -> TrajectoryDataset:
    return TrajectoryDataset.open(path).select(episodes)


def _deep_tuples(value: Any) -> Any:
    """Lists of JSON as the tuples that configurations hold."""
    if isinstance(value, dict):
        return {key: _deep_tuples(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return tuple(_deep_tuples(entry) for entry in value)
    return value
