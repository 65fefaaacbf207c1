"""One row per method: what is printed, and what JSON and CSV hold."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from networld_agent.evaluation.episodes import Episodes
from networld_agent.evaluation.scores import (
    bootstrap_interval,
    normalised,
    normalised_interval,
    spread_over_groups,
)
from wirelessenvs.json_values import finite_or_null

__all__ = ["Row", "as_csv", "as_json", "make_rows", "printed"]


@dataclass(frozen=True)
class Row:
    """A method's result.

    Args:
        method: name.
        information: what it may know.
        reward: mean over episodes.
        reward_interval: 95 % bootstrap interval over episodes.
        reward_spread: standard deviation over groups of seeds.
        score: 0 random, 100 expert; nan without an expert.
        score_interval: 95 % paired bootstrap interval.
        metrics: means by name.
        repeated: share of actions equal to the agent's last one.
        bytes_per_step: that an agent sends.
        milliseconds: per decision of the whole batch.
        episode_rewards: one per episode.
    """

    method: str
    information: str
    reward: float
    reward_interval: tuple[float, float]
    reward_spread: float
    score: float
    score_interval: tuple[float, float]
    metrics: dict[str, float]
    repeated: float
    bytes_per_step: float
    milliseconds: float
    episode_rewards: tuple[float, ...]


def make_rows(
    results: Mapping[str, Episodes], information: Mapping[str, str], groups: int
) -> list[Row]:
    """Rows in the order given; methods "random" and "expert" anchor the score if both are there.

    Args:
        results: by method.
        information: class by method.
        groups: number of equal groups of seeds.
    """
    random, expert = results.get("random"), results.get("expert")
    rows = []
    for method, played in results.items():
        score, interval = math.nan, (math.nan, math.nan)
        if random is not None and expert is not None:
            anchors = random.rewards, expert.rewards
            score = normalised(
                float(played.rewards.mean()), *(float(values.mean()) for values in anchors)
            )
            interval = normalised_interval(played.rewards, *anchors)
        rows.append(
            Row(
                method,
                information[method],
                float(played.rewards.mean()),
                bootstrap_interval(played.rewards),
                spread_over_groups(played.rewards, groups),
                score,
                interval,
                {name: _known_mean(values) for name, values in played.metrics.items()},
                float(played.repeated.mean()),
                played.bytes_per_step,
                1000 * played.seconds_per_step,
                tuple(played.rewards.tolist()),
            )
        )
    return rows


def _known_mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def printed(rows: Sequence[Row], metric: str | None) -> str:
    """A Markdown table.

    Args:
        rows: to print.
        metric: shown beside the reward, if there is one.
    """
    names = ["method", "knows", "reward [95 %]", "spread over seeds", "score [95 %]"]
    names += [metric] if metric else []
    names += ["repeats its action", "bytes sent / step", "ms / decision"]
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    for row in rows:
        cells = [
            row.method,
            row.information,
            f"{row.reward:.4g} [{row.reward_interval[0]:.4g}, {row.reward_interval[1]:.4g}]",
            _number(row.reward_spread, ".2g"),
            "-"
            if math.isnan(row.score)
            else f"{row.score:.1f} [{row.score_interval[0]:.1f}, {row.score_interval[1]:.1f}]",
        ]
        cells += [_number(row.metrics.get(metric, math.nan), ".4g")] if metric else []
        cells += [
            f"{100 * row.repeated:.1f} %",
            _number(row.bytes_per_step, ".4g"),
            f"{row.milliseconds:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One object per row."""
    return [finite_or_null(vars(row)) for row in rows]


def as_csv(rows: Sequence[Row]) -> str:
    """One line per row; intervals as two columns, every metric as its own."""
    metrics = list(dict.fromkeys(name for row in rows for name in row.metrics))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([
        "method", "information", "reward", "reward_low", "reward_high", "reward_spread", "score",
        "score_low", "score_high", "repeated", "bytes_per_step", "milliseconds", *metrics,
    ])  # fmt: skip
    for row in rows:
        values = [
            row.reward, *row.reward_interval, row.reward_spread, row.score, *row.score_interval,
            row.repeated, row.bytes_per_step, row.milliseconds,
            *(row.metrics.get(name, math.nan) for name in metrics),
        ]  # fmt: skip
        cells = ["" if math.isnan(value) else f"{value:.9g}" for value in values]
        writer.writerow([row.method, row.information, *cells])
    return text.getvalue()
