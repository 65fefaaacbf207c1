"""Statistics of a data set and its checksums, in one pass of bounded memory over the files."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from networld_agent.data.layout import ArrayLayout
from networld_agent.data.metadata import ArrayInfo, Description
from wirelessenvs.files import open_regular

__all__ = ["Moments", "rows_of_file", "summarise"]

#: Values of a discrete action space up to which a histogram is stored.
_MAX_HISTOGRAM = 4096

#: Called with episode, agent and the values of one agent in one episode.
Visit = Callable[[int, int, NDArray[Any]], None]


class Moments:
    """Least, greatest, mean and spread per column, taken in row by row; nan is no value.

    Mean and variance are combined by Chan's formula: sums of squares of large numbers would lose
    the spread.
    """

    def __init__(self, columns: int) -> None:
        self.count = np.zeros(columns, np.int64)
        self.low = np.full(columns, math.inf)
        self.high = np.full(columns, -math.inf)
        self.mean = np.zeros(columns)
        self._square = np.zeros(columns)

    def add(self, values: NDArray[Any]) -> None:
        """Takes in `(K, columns)` values."""
        values = values.astype(np.float64)
        count, mean = np.full(len(self.mean), len(values)), values.mean(0)
        if np.isnan(mean).any():
            known = ~np.isnan(values)
            count = known.sum(0)
            mean = np.where(known, values, 0).sum(0) / np.maximum(count, 1)
            squares = np.where(known, values - mean, 0) ** 2
        else:
            squares = (values - mean) ** 2
        total = np.maximum(self.count + count, 1)
        delta = mean - self.mean
        self._square += squares.sum(0) + delta**2 * self.count * count / total
        self.mean += delta * count / total
        self.count += count
        np.fmin(self.low, np.fmin.reduce(values, 0), out=self.low)
        np.fmax(self.high, np.fmax.reduce(values, 0), out=self.high)

    def to_json(self) -> dict[str, list[float | None]]:
        """The moments as JSON values, a list each with an entry per column; null without values."""
        spread = np.sqrt(self._square / np.maximum(self.count, 1))
        parts = {"min": self.low, "max": self.high, "mean": self.mean, "std": spread}
        return {
            name: [
                _rounded(x) if n else None for x, n in zip(values.tolist(), self.count, strict=True)
            ]
            for name, values in parts.items()
        }


def _rounded(value: float) -> float:
    # Nine digits: the last ones depend on the vector width of the processor.
    return float(f"{value:.9g}")


def rows_of_file(path: Path, layout: ArrayLayout, visit: Visit | None = None) -> ArrayInfo:
    """Reads a file once from start to end.

    Args:
        path: of the file.
        layout: of the array.
        visit: called with episode, agent and each row `layout.row_shape` in order; agent is 0 where
            the array has no axis for it.

    Returns:
        The array's description with its checksums.
    """
    digest, crcs = hashlib.sha256(), []
    dtype = np.dtype(layout.dtype)
    row_bytes = math.prod(layout.row_shape) * dtype.itemsize
    with open_regular(path) as file:
        digest.update(file.read(len(layout.header)))
        for episode in range(layout.shape[0]):
            crc = 0
            for agent in range(math.prod(layout.shape[1 : layout.lead])):
                data = file.read(row_bytes)
                crc = zlib.crc32(data, crc)
                digest.update(data)
                if visit is not None:
                    visit(episode, agent, np.frombuffer(data, dtype).reshape(layout.row_shape))
            crcs.append(crc)
    return ArrayInfo(layout, digest.hexdigest(), tuple(crcs))


def summarise(
    folder: Path, description: Description, progress: Callable[[int], None] | None = None
) -> tuple[dict[str, Any], dict[str, ArrayInfo]]:
    """Statistics and checksums of the finished files of a data set.

    Statistics are: `episode_mean_rewards` (per agent and step), `returns` (their distribution over
    episodes, and the mean per policy), `rewards`, `observations`, `actions`, `metrics` (min, max,
    mean, standard deviation per entry), `negative_rewards`, `repeated_actions` (share of steps on
    which an agent's action equals its last one) and `action_histogram` of a discrete space.

    Args:
        folder: of the files.
        description: of the data set.
        progress: called with the number of files done.
    """
    parts: dict[str, _EntryStatistics] = {
        "rewards": _RewardStatistics(description),
        "observations": _EntryStatistics("observations", description.observation.size),
        "actions": _ActionStatistics(description),
    }
    if description.metrics:
        parts["metrics"] = _EntryStatistics("metrics", len(description.metrics))
    if description.state_size:
        parts["state"] = _EntryStatistics("state", description.state_size)
    arrays: dict[str, ArrayInfo] = {}
    for name, layout in description.layouts().items():
        visit = parts[name].visit if name in parts else None
        arrays[name] = rows_of_file(folder / f"{name}.npy", layout, visit)
        if progress is not None:
            progress(len(arrays))
    statistics: dict[str, Any] = {}
    for part in parts.values():
        statistics |= part.to_json()
    return statistics, arrays


class _EntryStatistics:
    """Of every entry of an array by itself."""

    def __init__(self, name: str, columns: int) -> None:
        self._name, self._columns = name, columns
        self._moments = Moments(columns)

    def visit(self, _episode: int, _agent: int, row: NDArray[Any]) -> None:
        self._moments.add(row.reshape(-1, self._columns))

    def to_json(self) -> dict[str, Any]:
        return {self._name: self._moments.to_json()}


class _RewardStatistics(_EntryStatistics):
    def __init__(self, description: Description) -> None:
        super().__init__("rewards", 1)
        self._policies = description.episode_policies
        self._sums = np.zeros(description.num_episodes)
        self._entries = description.num_agents * description.steps
        self._negative = 0

    def visit(self, episode: int, agent: int, row: NDArray[Any]) -> None:
        super().visit(episode, agent, row)
        self._sums[episode] += row.sum()
        self._negative += int((row < 0).sum())

    def to_json(self) -> dict[str, Any]:
        means = self._sums / self._entries
        quartiles = np.quantile(means, (0, 0.25, 0.5, 0.75, 1)).tolist()
        names = ("min", "lower_quartile", "median", "upper_quartile", "max")
        returns: dict[str, Any] = dict(zip(names, map(_rounded, quartiles), strict=True))
        returns |= {"mean": _rounded(float(means.mean())), "std": _rounded(float(means.std()))}
        returns["per_policy"] = {
            name: _rounded(float(means[np.array(self._policies) == name].mean()))
            for name in sorted(set(self._policies))
        }
        return {
            "episode_mean_rewards": [_rounded(x) for x in means.tolist()],
            "returns": returns,
            **super().to_json(),
            "negative_rewards": _rounded(self._negative / (self._entries * len(means))),
        }


class _ActionStatistics(_EntryStatistics):
    def __init__(self, description: Description) -> None:
        action = description.action
        super().__init__("actions", len(action.names))
        self._start = action.start
        self._pairs = description.num_episodes * description.num_agents * (description.steps - 1)
        self._repeated = 0
        choices = action.sizes[0] if action.kind == "discrete" else 0
        self._histogram = np.zeros(choices if choices <= _MAX_HISTOGRAM else 0, np.int64)

    def visit(self, episode: int, agent: int, row: NDArray[Any]) -> None:
        super().visit(episode, agent, row)
        columns = row.reshape(len(row), self._columns)
        self._repeated += int((columns[1:] == columns[:-1]).all(1).sum())
        if self._histogram.size:
            index = columns[:, 0] - self._start
            self._histogram += np.bincount(index, minlength=self._histogram.size)

    def to_json(self) -> dict[str, Any]:
        result = super().to_json()
        result["repeated_actions"] = _rounded(self._repeated / max(self._pairs, 1))
        if self._histogram.size:
            result["action_histogram"] = self._histogram.tolist()
        return result
