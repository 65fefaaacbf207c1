"""The data of many deployments as one: rows of single agents, whatever network each stands in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.shared.offline_data import OfflineData, Places
from networld_agent.data.family import check_alike
from networld_agent.data.windows import windows_of
from networld_agent.model.task_spec import ActionSpec

__all__ = ["OfflinePool"]


class OfflinePool(OfflineData):
    """Data sets of one task in which networks differ in size, layout and load.

    A row is one agent in one episode; to a method it is an episode of a single agent. Every data
    set has an equal share of what is drawn, whatever its number of agents. Rows are held in memory,
    so that a batch that touches a hundred deployments costs what one of a single network does.

    Args:
        parts: at least one, all of one task and length.

    Raises:
        ValueError: if they do not fit each other, or a graph changes within an episode.
    """

    def __init__(self, parts: Sequence[OfflineData]) -> None:
        self._check(parts)
        self.parts = tuple(parts)
        self.temperature = parts[0].temperature
        self.num_steps = parts[0].num_steps
        self.dataset = parts[0].dataset
        counts = [len(part.episodes) * part.num_agents for part in parts]
        self.episodes = np.arange(sum(counts))
        self._rows = {
            name: np.concatenate([_rows(part, name, self.num_steps + more) for part in parts])
            for name, more in (("observations", 1), ("actions", 0), ("rewards", 0))
        }
        first = np.cumsum([0, *counts[:-1]])
        degree = max(int((_weights(part) > 0).sum(1).max()) for part in parts)
        tables = [_neighbors(part, degree, at) for part, at in zip(parts, first, strict=True)]
        #: `(R, K)` rows of each row's neighbours, and their weights in the mean, 0 where it has
        #: fewer than K.
        self._neighbors, self._weights = (
            np.concatenate([table[i] for table in tables]) for i in range(2)
        )
        self._cumulative = np.cumsum(np.concatenate([_shares(part) for part in parts]))

    @staticmethod
    def _check(parts: Sequence[OfflineData]) -> None:
        first = parts[0]
        for part in parts:
            check_alike(part.dataset, first.dataset)
            if part.num_steps != first.num_steps:
                raise ValueError(
                    f"{part.dataset.path} does not fit {first.dataset.path}: it has another number "
                    "of steps."
                )
            _weights(part)

    def hold_out(self) -> bool:
        """Refused: a row is no trajectory.

        Raises:
            ValueError: always.
        """
        raise ValueError("held_out takes a single data set, not one of many deployments.")

    # ---------------------------------------------------------------- what it is
    @property
    def num_agents(self) -> int:
        """1: every row is one agent."""
        return 1

    @property
    def num_trajectories(self) -> int:
        """Joint trajectories in all."""
        return sum(part.num_trajectories for part in self.parts)

    @property
    def num_places(self) -> int:
        """Refused: an index is another place in every deployment.

        Raises:
            ValueError: always.
        """
        raise ValueError("agent_ids takes a single data set, not one of many deployments.")

    @property
    def action(self) -> ActionSpec:
        """One agent's action."""
        return self.parts[0].action

    @property
    def where(self) -> str:
        """Where it lies, for messages."""
        return str(self.parts[0].dataset.path.parent)

    def preferring(self, temperature: float) -> OfflinePool:
        """The same data with another preference for trajectories of high reward.

        They are preferred within their data set: means of different networks say nothing of what
        was done there.
        """
        return OfflinePool([part.preferring(temperature) for part in self.parts])

    def identity(self) -> dict[str, Any]:
        """What tells this data from other data, wherever it lies, as JSON values."""
        return {"parts": [part.identity() for part in self.parts]}

    # -------------------------------------------------------------------- drawing
    def positions(
        self, count: int, starts: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Random rows, zeros, and steps below `starts`, `(B,)` each."""
        drawn = rng.random(count) * self._cumulative[-1]
        rows = np.minimum(
            np.searchsorted(self._cumulative, drawn, side="right"), len(self.episodes) - 1
        )
        return rows, np.zeros(count, np.int64), rng.integers(starts, size=count)

    # -------------------------------------------------------------------- reading
    def observations(self, places: Places, length: int) -> NDArray[np.float32]:
        """`(B, L, d)` in the environment's units."""
        return windows_of(self._rows["observations"], places, length)

    def actions(self, places: Places, length: int) -> NDArray[Any]:
        """`(B, L[, A])` as executed."""
        return windows_of(self._rows["actions"], places, length)

    def rewards(self, places: Places, length: int) -> NDArray[np.float64]:
        """`(B, L)` in the environment's units."""
        return windows_of(self._rows["rewards"], places, length)

    def terminations(self, places: Places) -> NDArray[np.bool_]:
        """`(B,)` false: this project's tasks have no end."""
        return np.zeros(len(places.episodes), np.bool_)

    def heard(
        self, places: Places, length: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """As `OfflineData.heard`."""
        weights = self._weights[places.episodes]
        window, k = np.nonzero(weights)
        rows = self._neighbors[places.episodes[window], k]
        there = Places(rows, places.starts[window], np.zeros(len(rows), np.int64))
        values = self.observations(there, length)
        steps = np.tile(np.arange(length), len(rows))
        return (
            np.repeat(window, length),
            steps,
            values.reshape(-1, values.shape[-1]),
            np.repeat(weights[window, k], length),
        )

    # ------------------------------------------------------------- the whole data
    def joint_rewards(self, credit: str = "own") -> NDArray[np.float64]:
        """`(R, 1, T)` of all rows, as `OfflineData.joint_rewards` within each network."""
        if credit == "own":
            return self._rows["rewards"]
        found = [part.joint_rewards(credit).reshape(-1, 1, self.num_steps) for part in self.parts]
        return np.concatenate(found)

    def sample_rows(self, most: int | None = None) -> NDArray[np.float32]:
        """`(M, d)` observations of every part, an equal number where they are long enough."""
        each = max(1, (self.MOST_ROWS if most is None else most) // len(self.parts))
        return np.concatenate([part.sample_rows(each) for part in self.parts])


def _rows(part: OfflineData, name: str, length: int) -> NDArray[Any]:
    """`(E N, 1, length, ...)` of an array of a data set."""
    array = part.dataset.array(name)
    chosen = np.concatenate([array[episode, :, :length] for episode in part.episodes])
    return chosen[:, None]


def _weights(part: OfflineData) -> NDArray[np.float32]:
    """`(N, N)` of the mean of the neighbours in a data set."""
    if part.mean_weights is None:
        raise ValueError(
            f"{part.dataset.path}: its graph changes within an episode: train on it by itself."
        )
    return part.mean_weights


def _neighbors(
    part: OfflineData, degree: int, first: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows `(E N, K)` of the neighbours of all rows of a data set, and their weights."""
    weights = _weights(part)
    # Neighbours first, in their order.
    order = np.argsort(weights == 0, axis=1, kind="stable")[:, :degree]
    shares = np.take_along_axis(weights, order, axis=1)
    padding = [(0, 0), (0, degree - order.shape[1])]
    order, shares = np.pad(order, padding), np.pad(shares, padding)
    starts = first + part.num_agents * np.arange(len(part.episodes))
    rows = (starts[:, None, None] + order).reshape(-1, degree)
    return rows, np.tile(shares, (len(part.episodes), 1))


def _shares(part: OfflineData) -> NDArray[np.float64]:
    """Share of each row of a data set in what is drawn of it; they sum to 1."""
    if part.temperature:
        shares = part.preferences
    else:
        shares = np.full(len(part.episodes), 1 / len(part.episodes))
    return np.repeat(shares / part.num_agents, part.num_agents)
