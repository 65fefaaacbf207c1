"""A data set on disk as memory-mapped arrays."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from networld_agent.data.data_frame import to_pandas
from networld_agent.data.layout import map_array
from networld_agent.data.metadata import FAMILY_FILE, Description, Metadata
from networld_agent.data.verification import check_sample, verify_files
from networld_agent.errors import DatasetError
from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.loading import load
from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import TASKS, get_task

__all__ = ["TrajectoryDataset"]


class TrajectoryDataset:
    """Trajectories of one environment: E episodes of N agents and T steps.

    Arrays are read-only memory maps in the shapes of the files; nothing is scaled or converted.
    `episodes` says which of them belong to this data set: `first` and `select` give smaller data
    sets over the same maps. Windows for training are read by `networld_agent.data.windows`.

    Attributes:
        path: folder.
        metadata: all that the data set says about itself.
        verified: whether the arrays are what the checksums say.
        observations: `(E, N, T + 1, D)` float32; entry t was seen before action t.
        actions: `(E, N, T[, A])` as executed.
        rewards: `(E, N, T)` float64.
        episodes: indices of the episodes that belong to this data set.

    Example:
        >>> dataset = TrajectoryDataset.open("data/rb-expert")  # doctest: +SKIP
        >>> dataset.first(10).seeds  # doctest: +SKIP
        (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    """

    def __init__(
        self,
        path: Path,
        metadata: Metadata,
        arrays: dict[str, NDArray[Any]],
        episodes: NDArray[np.int64],
        verified: bool = False,
    ) -> None:
        self.path, self.metadata, self._arrays = path, metadata, arrays
        self.verified = verified
        self.episodes = episodes
        self.observations: NDArray[np.float32] = arrays["observations"]
        self.actions: NDArray[Any] = arrays["actions"]
        self.rewards: NDArray[np.float64] = arrays["rewards"]

    @classmethod
    def open(cls, path: str | Path, verify: str = "once") -> TrajectoryDataset:
        """Opens a data set.

        Args:
            path: its folder.
            verify: "full" checks every value and every checksum; "once" does so unless these very
                files have passed before (see `networld_agent.verified`); "quick" checks metadata,
                headers, sizes, and the values of the first and last episode.

        Raises:
            DatasetError: naming file, field and position of the first fault.
        """
        check_choice("verify", verify, ("once", "quick", "full"))
        folder = Path(path)
        if (folder / FAMILY_FILE).exists() and not (folder / "metadata.json").exists():
            raise DatasetError(
                f"{folder} holds a data set for each deployment of a family: name one of these."
            )
        metadata = Metadata.read(folder)
        arrays = {
            name: map_array(folder / f"{name}.npy", info.layout)
            for name, info in metadata.arrays.items()
        }
        if verify == "quick":
            check_sample(metadata, arrays)
        else:
            verify_files(folder, metadata, again=verify == "full")
        episodes = np.arange(metadata.description.num_episodes)
        return cls(folder, metadata, arrays, episodes, verify != "quick")

    def __reduce__(self) -> tuple[Any, ...]:
        # To another process goes the path, not a copy of the arrays.
        return _reopen, (str(self.path.absolute()), self.episodes, self.verified)

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

    @property
    def terminations(self) -> NDArray[np.bool_]:
        """`(E, T)` where the task ended for good, not because the time was up."""
        if not self.description.terminations:
            return np.zeros(self.rewards.shape[::2], np.bool_)
        return self._arrays["terminations"].astype(np.bool_)

    def metric(self, name: str) -> NDArray[np.float32]:
        """`(E, N, T)` one per-agent metric; nan where an environment of others said none."""
        names = [metric.name for metric in self.description.metrics]
        values: NDArray[np.float32] = self._arrays["metrics"]
        return values[..., names.index(check_choice("metric", name, names))]

    @cached_property
    def graph(self) -> NeighborGraph | None:
        """The neighbour graph; None if it changes with the steps (see `array("adjacency")`)."""
        return self.description.graph()

    def make_simulator(self, num_envs: int = 1, *, trusted: bool = False) -> Simulator[Any]:
        """The simulator that the data came from, for this project's tasks.

        Args:
            num_envs: B.
            trusted: allow to import the function that the metadata names as reward, if it does.
                Only if you know where the data set comes from.

        Raises:
            ValueError: for data of another environment, and if it would load foreign code and is
                not trusted.
            DatasetError: for settings that are not those of the data.
        """
        task = get_task(check_choice("task", self.description.task, tuple(TASKS)))
        try:
            simulator = task.simulator(self._config(trusted), num_envs)
        except (MemoryError, OverflowError):
            raise DatasetError(
                "metadata.json: key 'environment.config' asks for more memory than there is."
            ) from None
        if simulator.num_agents != self.num_agents:
            raise DatasetError(
                f"metadata.json: key 'environment.config' has {simulator.num_agents} agents, the "
                f"data {self.num_agents}."
            )
        return simulator

    @property
    def names_code(self) -> bool:
        """Whether the environment needs code that the metadata names, a factory or a reward."""
        reward = self.description.environment.get("config", {}).get("reward")
        return self.description.task not in TASKS or (isinstance(reward, str) and ":" in reward)

    def _config(self, trusted: bool) -> Any:
        """Of this project's task that the data came from."""
        if self.names_code and not trusted:
            reward = self.description.environment["config"]["reward"]
            raise ValueError(
                f"the reward is {reward!r}, code that this data set names: pass trusted=True if "
                "you trust it."
            )
        description, place = self.description, "metadata.json: key 'environment.config'"
        settings = description.environment["config"]
        try:
            config = TASKS[description.task].config(**_deep_tuples(settings))
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{place} cannot be used: {str(error).rstrip('.')}.") from None
        return config

    def make_env(self, *, trusted: bool = False) -> Any:
        """The PettingZoo environment that the data came from.

        Args:
            trusted: allow to import and call the factory that the metadata of a data set from
                another environment names, or the reward. Only if you know where the data set comes
                from.

        Raises:
            ValueError: if it would call foreign code and is not trusted.
        """
        task, environment = self.description.task, self.description.environment
        if task in TASKS:
            return importlib.import_module(TASKS[task].module).parallel_env(
                config=self._config(trusted)
            )
        if not trusted:
            raise ValueError(
                f"the environment is made by {task!r}, code that this data set names: pass "
                "trusted=True if you trust it."
            )
        return load(environment["factory"], "factory")(**environment["arguments"])

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row per episode, agent and step, copied into memory.

        Columns: "episode" (position in this data set), "seed", "policy", "agent", "step", then
        "observation.NAME" as seen before the action, "action.NAME", "reward", "metric.NAME" and
        "terminated". The last observation of an episode, which no action follows, has no row.

        Raises:
            ImportError: if pandas is not installed.
        """
        return to_pandas(self)

    # ------------------------------------------------------------------- subsets
    def select(self, episodes: Sequence[int] | NDArray[np.int64]) -> TrajectoryDataset:
        """The data set with these of its episodes (positions in `self.episodes`), in this order."""
        positions = np.asarray(episodes, dtype=np.int64)
        if positions.size == 0 or positions.min() < 0 or positions.max() >= self.num_episodes:
            raise ValueError(
                f"episodes must be between 0 and {self.num_episodes - 1} and at least one, "
                f"got {episodes}."
            )
        chosen = self.episodes[positions]
        return TrajectoryDataset(self.path, self.metadata, self._arrays, chosen, self.verified)

    def first(self, count: int) -> TrajectoryDataset:
        """The data set with its first `count` episodes only."""
        return self.select(np.arange(check_int("count", count, 1, self.num_episodes)))

    def drawn(self, seed: int | None) -> TrajectoryDataset:
        """The same episodes in an order that the seed draws: its first n are n drawn ones.

        None leaves the order as it is. Those of each policy change places among themselves alone,
        so that the first n hold the same shares of policies as before.
        """
        if seed is None:
            return self
        rng = np.random.default_rng(check_int("seed", seed, 0))
        names = self.description.episode_policies
        policies = np.array([names[e] for e in self.episodes])
        order = np.arange(self.num_episodes)
        for policy in dict.fromkeys(policies.tolist()):
            places = np.flatnonzero(policies == policy)
            order[places] = rng.permutation(places)
        return self.select(order)


def _reopen(path: str, episodes: NDArray[np.int64], verified: bool) -> TrajectoryDataset:
    # What the sender has verified is not read once more by each of its helpers.
    dataset = TrajectoryDataset.open(path, verify="quick").select(episodes)
    dataset.verified = verified
    return dataset


def _deep_tuples(value: Any) -> Any:
    """Lists of JSON as the tuples that configurations hold."""
    if isinstance(value, dict):
        return {key: _deep_tuples(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return tuple(_deep_tuples(entry) for entry in value)
    return value
