"""Data of several deployments for methods that learn from single agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.shared.offline_data import OfflineData, Places
from networld_agent.data import TrajectoryDataset
from networld_agent.model.task_spec import ActionSpec

__all__ = ["FamilyData"]

S = TypeVar("S", bound=np.generic)


class FamilyData(OfflineData):
    """Trajectories of deployments that differ in their number of agents, as rows of one agent each.

    What is an episode of N agents elsewhere is N rows here: every row of every data set is drawn
    alike, so that each agent and step counts the same. Good trajectories are preferred within their
    deployment: at another one, the same reward says something else.

    Args:
        datasets: of one task, kind of agent and length.
        trajectories: as in `OfflineData`, of each data set.
        first_steps: as in `OfflineData`.
        temperature: as in `OfflineData`.

    Raises:
        ValueError: if the data sets do not fit each other, or hold less than asked for.
    """

    def __init__(
        self,
        datasets: Sequence[TrajectoryDataset],
        trajectories: int | None = None,
        first_steps: int | None = None,
        temperature: float = 0.0,
    ) -> None:
        self._datasets, self._trajectories, self._first_steps = datasets, trajectories, first_steps
        self.temperature = temperature
        self.parts = [OfflineData(d, trajectories, first_steps, temperature) for d in datasets]
        first = self.parts[0]
        for part in self.parts[1:]:
            for what, here, there in (
                ("task", part.task, first.task),
                ("observations", part.observation_size, first.observation_size),
                ("actions", part.action, first.action),
                ("steps", part.num_steps, first.num_steps),
            ):
                if here != there:
                    raise ValueError(
                        f"{part.dataset.path} does not fit {first.dataset.path}: other {what}."
                    )
        #: `(R, 3)` data set, episode of its file and agent of every row.
        self._rows = np.concatenate([
            np.stack([
                np.full(len(part.episodes) * part.num_agents, index),
                np.repeat(part.episodes, part.num_agents),
                np.tile(np.arange(part.num_agents), len(part.episodes)),
            ], 1)
            for index, part in enumerate(self.parts)
        ])  # fmt: skip
        self.episodes = np.arange(len(self._rows))
        self.num_steps = first.num_steps

    def preferring(self, temperature: float) -> FamilyData:
        """The same data with another preference for trajectories of high reward."""
        return FamilyData(self._datasets, self._trajectories, self._first_steps, temperature)

    # ----------------------------------------------------------------- what it is
    @property
    def dataset(self) -> TrajectoryDataset:  # type: ignore[override]
        """None that holds all: raises for a method that needs all agents at once."""
        raise ValueError(
            f"this method learns from all agents at once, of a single data set; it was given "
            f"{len(self.parts)} of them."
        )

    @property
    def where(self) -> str:
        """For messages."""
        return str(self._datasets[0].path.parent)

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.parts[0].task

    @property
    def num_agents(self) -> int:
        """Of a row: one."""
        return 1

    @property
    def observation_size(self) -> int:
        """Entries d of an observation."""
        return self.parts[0].observation_size

    @cached_property
    def action(self) -> ActionSpec:
        """One agent's action."""
        return self.parts[0].action

    @cached_property
    def preferences(self) -> NDArray[np.float64]:
        """`(R,)` shares of the rows: of each data set as many as it has rows."""
        shares = [
            np.repeat(part.preferences * len(part.episodes), part.num_agents) for part in self.parts
        ]
        return np.concatenate(shares) / len(self._rows)

    def identity(self) -> dict[str, Any]:
        """What tells this data from other data."""
        return {"parts": [part.identity() for part in self.parts]}

    # -------------------------------------------------------------------- reading
    def observations(self, places: Places, length: int) -> NDArray[np.float32]:
        """`(B, L, d)` in the environment's units."""
        return self._read(places, lambda part, where: part.observations(where, length))

    def actions(self, places: Places, length: int) -> NDArray[Any]:
        """`(B, L[, A])` as executed."""
        return self._read(places, lambda part, where: part.actions(where, length))

    def rewards(self, places: Places, length: int) -> NDArray[np.float64]:
        """`(B, L)` in the environment's units."""
        return self._read(places, lambda part, where: part.rewards(where, length))

    def terminations(self, places: Places) -> NDArray[np.bool_]:
        """`(B,)` where the first action of a window ended the task for good."""
        return self._read(places, lambda part, where: part.terminations(where))

    def neighbor_means(
        self, places: Places, length: int, scaled: Callable[[NDArray[np.float32]], NDArray[Any]]
    ) -> NDArray[np.float32]:
        """`(B, L, d)` means of the neighbours' scaled observations."""
        return self._read(places, lambda part, where: part.neighbor_means(where, length, scaled))

    def _read(
        self, places: Places, read: Callable[[OfflineData, Places], NDArray[S]]
    ) -> NDArray[S]:
        """What `read` gives of every window, each from its own data set."""
        owner, episodes, agents = self._rows[places.episodes].T
        found: NDArray[S] | None = None
        for index in np.unique(owner):
            rows = np.flatnonzero(owner == index)
            where = Places(episodes[rows], places.starts[rows], agents[rows])
            values = read(self.parts[index], where)
            if found is None:
                found = np.empty((len(owner), *values.shape[1:]), values.dtype)
            found[rows] = values
        assert found is not None
        return found

    # ------------------------------------------------------------- the whole data
    def joint_rewards(self) -> NDArray[np.float64]:
        """`(R, 1, T)` of the rows in their order."""
        rewards = [part.joint_rewards().reshape(-1, 1, self.num_steps) for part in self.parts]
        return np.concatenate(rewards)

    def team_rewards(self) -> NDArray[np.float64]:
        """`(R, 1, T)` means over the agents of the row's own episode."""
        rewards = [part.team_rewards().reshape(-1, 1, self.num_steps) for part in self.parts]
        return np.concatenate(rewards)

    def sample_rows(self, most: int | None = None) -> NDArray[np.float32]:
        """`(M, d)` observations, from every data set in proportion to what it holds."""
        most = self.MOST_ROWS if most is None else most
        sizes = np.bincount(self._rows[:, 0])
        shares = [max(1, most * size // len(self._rows)) for size in sizes.tolist()]
        return np.concatenate(
            [part.sample_rows(share) for part, share in zip(self.parts, shares, strict=True)]
        )
