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

__all__ = ["Moments", "rows_of_file", "summarise"]

#: Values of a discrete action space up to which a histogram is stored.
_MAX_HISTOGRAM = 4096


class Moments:
    """Least, greatest, mean and spread per column, taken in row by row.

    Mean and variance are combined by Chan's formula: sums of squares of large numbers would lose
    the spread.
    """

    def __init__(self, columns: int) -> None:
        self.count = 0
        self.low = np.full(columns, math.inf)
        self.high = np.full(columns, -math.inf)
        self.mean = np.zeros(columns)
        self._square = np.zeros(columns)

    def add(self, values: NDArray[Any]) -> None:
        """Takes in `(K, columns)` values."""
        values = values.astype(np.float64)
        count, mean = len(values), values.mean(0)
        total = self.count + count
        delta = mean - self.mean
        self._square += ((values - mean) ** 2).sum(0) + delta**2 * self.count * count / total
        self.mean += delta * count / total
        self.count = total
        np.minimum(self.low, values.min(0), out=self.low)
        np.maximum(self.high, values.max(0), out=self.high)

    def to_json(self) -> dict[str, list[float]]:
        """The moments as JSON values, one list each with an entry per column."""
        spread = np.sqrt(self._square / max(self.count, 1))
        parts = {"min": self.low, "max": self.high, "mean": self.mean, "std": spread}
        return {name: [_rounded(x) for x in values.tolist()] for name, values in parts.items()}


def _rounded(value: float) -> float:
    # Nine digits: the last ones depend on the vector width of the processor.
    return float(f"{value:.9g}")


def rows_of_file(
    path: Path,
    layout: ArrayLayout,
    lead: int,
    visit: Callable[[int, NDArray[Any]], None] | None,
) -> ArrayInfo:
    """Reads a file once from start to end.

    Args:
        path: of the file.
        layout: of the array.
        lead: number of leading axes that index rows: 2 for episode and agent.
        visit: called with the episode and each row `(layout.shape[lead], ...)` in order.

    Returns:
        The array's description with its checksums.
    """
    digest, crcs = hashlib.sha256(), []
    dtype = np.dtype(layout.dtype)
    row_shape = layout.shape[lead:]
    row_bytes = math.prod(row_shape) * dtype.itemsize
    with path.open("rb") as file:
        digest.update(file.read(len(layout.header)))
        for episode in range(layout.shape[0]):
            crc = 0
            for _ in range(math.prod(layout.shape[1:lead])):
                data = file.read(row_bytes)
                crc = zlib.crc32(data, crc)
                digest.update(data)
                if visit is not None:
                    visit(episode, np.frombuffer(data, dtype).reshape(row_shape))
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
    layouts = description.layouts()
    statistics: dict[str, Any] = {}
    arrays: dict[str, ArrayInfo] = {}

    def with_moments(name: str, columns: int) -> None:
        moments = Moments(columns)

        def visit(_: int, row: NDArray[Any]) -> None:
            moments.add(row.reshape(-1, columns))

        arrays[name] = rows_of_file(folder / f"{name}.npy", layouts[name], 2, visit)
        statistics[name] = moments.to_json()

    rewards = _RewardStatistics(description)
    arrays["rewards"] = rows_of_file(folder / "rewards.npy", layouts["rewards"], 2, rewards.visit)
    statistics |= rewards.to_json()
    with_moments("observations", description.observation.size)
    actions = _ActionStatistics(description)
    arrays["actions"] = rows_of_file(folder / "actions.npy", layouts["actions"], 2, actions.visit)
    statistics |= actions.to_json()
    if description.metrics:
        with_moments("metrics", len(description.metrics))
    for done, (name, layout) in enumerate(layouts.items()):
        if name not in arrays:
            lead = 1 if name == "adjacency" else 2
            arrays[name] = rows_of_file(folder / f"{name}.npy", layout, lead, None)
        if progress is not None:
            progress(done + 1)
    return statistics, {name: arrays[name] for name in layouts}


class _RewardStatistics:
    def __init__(self, description: Description) -> None:
        self._policies = description.episode_policies
        self._sums = np.zeros(description.num_episodes)
        self._entries = description.num_agents * description.steps
        self._moments = Moments(1)
        self._negative = 0

    def visit(self, episode: int, row: NDArray[Any]) -> None:
        self._sums[episode] += row.sum()
        self._negative += int((row < 0).sum())
        self._moments.add(row[:, None])

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
            "rewards": self._moments.to_json(),
            "negative_rewards": _rounded(self._negative / (self._entries * len(means))),
        }


class _ActionStatistics:
    def __init__(self, description: Description) -> None:
        action = description.action
        self._columns = len(action.names)
        self._moments = Moments(self._columns)
        self._start = action.start
        self._pairs = description.num_episodes * description.num_agents * (description.steps - 1)
        self._repeated = 0
        choices = action.sizes[0] if action.kind == "discrete" else 0
        self._histogram = np.zeros(choices if choices <= _MAX_HISTOGRAM else 0, np.int64)

    def visit(self, _: int, row: NDArray[Any]) -> None:
        columns = row.reshape(len(row), self._columns)
        self._moments.add(columns)
        self._repeated += int((columns[1:] == columns[:-1]).all(1).sum())
        if self._histogram.size:
            index = columns[:, 0] - self._start
            self._histogram += np.bincount(index, minlength=self._histogram.size)

    def to_json(self) -> dict[str, Any]:
        result: dict[str, Any] = {"actions": self._moments.to_json()}
        result["repeated_actions"] = _rounded(self._repeated / max(self._pairs, 1))
        if self._histogram.size:
            result["action_histogram"] = self._histogram.tolist()
        return result
