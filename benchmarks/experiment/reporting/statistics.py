"""Intervals by stratified bootstrap: training seeds and test worlds are drawn anew, per task.

All methods of a task face the same test worlds, so that a draw of worlds is one for all of them and
for the anchors of the score: hard worlds do not look like a difference. The interquartile mean is
that of R. Agarwal et al. (NeurIPS 2021, arXiv 2108.13264), and so is the probability of
improvement, here over pairs of runs in the same world.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from networld_agent.evaluation.scores import percentiles

__all__ = [
    "Draws",
    "Estimate",
    "difference",
    "interquartile_mean",
    "mean_reward",
    "paired",
    "probability_of_improvement",
    "score",
    "score_difference",
    "score_draws",
]

Reals = NDArray[np.float64]
#: Of a bootstrap.
SAMPLES = 2_000


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def shown(self, form: str) -> str:
        """The value and its interval as tables show them."""
        if not np.isfinite(self.value):
            return "-"
        return f"{self.value:{form}} [{self.low:{form}}, {self.high:{form}}]"

    def verdict(self, above: str, below: str) -> str:
        """Which word the interval deserves: above 0, below 0, or "undecided"."""
        return above if self.low > 0 else below if self.high < 0 else "undecided"


def interquartile_mean(values: Reals, axis: int = -1) -> Reals:
    """Mean without the lower and the upper quarter.

    Example:
        >>> float(interquartile_mean(np.array([-100.0, 1.0, 3.0, 100.0])))
        2.0
    """
    cut = values.shape[axis] // 4
    ordered = np.moveaxis(np.sort(values, axis), axis, -1)
    kept: Reals = ordered[..., cut : ordered.shape[-1] - cut].mean(-1)
    return kept


class Draws:
    """Bootstrap draws of a task's test worlds, and of each method's training seeds.

    Args:
        task: equal names draw equally.
        episodes: E.
        samples: number of draws.
    """

    def __init__(self, task: str, episodes: int, samples: int = SAMPLES) -> None:
        self._task, self.samples = task, samples
        self.episodes = self._generator("worlds").integers(episodes, size=(samples, episodes))

    def seeds(self, method: str, count: int) -> NDArray[np.int64]:
        """`(samples, S)` training seeds of a method."""
        return self._generator(f"seeds of {method}").integers(count, size=(self.samples, count))

    def runs(self, method: str, values: Reals) -> Reals:
        """`(samples, S, E)` drawn from `(S, E)`."""
        seeds = self.seeds(method, len(values))
        drawn: Reals = values[seeds[:, :, None], self.episodes[:, None, :]]
        return drawn

    def worlds(self, values: Reals) -> Reals:
        """`(samples,)` means of an anchor's `(E,)` in the drawn worlds."""
        return np.asarray(values[self.episodes].mean(1))

    def _generator(self, what: str) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(f"{self._task}: {what}".encode()))


def _estimate(value: float, drawn: Reals) -> Estimate:
    if not np.isfinite(drawn).all():
        return Estimate(value, float("nan"), float("nan"))
    return Estimate(value, *percentiles(drawn))


def mean_reward(draws: Draws, method: str, rewards: Reals) -> Estimate:
    """The mean over seeds and episodes `(S, E)`."""
    return _estimate(float(rewards.mean()), draws.runs(method, rewards).mean((1, 2)))


def score_draws(draws: Draws, method: str, rewards: Reals, anchors: tuple[Reals, Reals]) -> Reals:
    """`(1 + samples,)` normalised scores: of the data, then of every draw."""
    random, expert = anchors
    drawn = draws.runs(method, rewards).mean((1, 2))
    low = np.concatenate([[random.mean()], draws.worlds(random)])
    high = np.concatenate([[expert.mean()], draws.worlds(expert)])
    values = np.concatenate([[rewards.mean()], drawn])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(100 * (values - low) / (high - low))


def score(draws: Draws, method: str, rewards: Reals, anchors: tuple[Reals, Reals]) -> Estimate:
    """Normalised score: 0 random, 100 the expert."""
    found = score_draws(draws, method, rewards, anchors)
    return _estimate(float(found[0]), found[1:])


def score_difference(
    draws: Draws, ours: tuple[str, Reals], theirs: tuple[str, Reals], anchors: tuple[Reals, Reals]
) -> Estimate:
    """Normalised score of ours minus theirs, in the same worlds."""
    found = score_draws(draws, *ours, anchors) - score_draws(draws, *theirs, anchors)
    return _estimate(float(found[0]), found[1:])


def averaged_score(parts: list[Reals]) -> Estimate:
    """Mean over tasks of what `score_draws` returned for each."""
    found = np.mean(parts, 0)
    return _estimate(float(found[0]), found[1:])


def robust_score(
    draws: Draws, method: str, rewards: Reals, anchors: tuple[Reals, Reals]
) -> Estimate:
    """Interquartile mean of the runs' scores, with the anchors' means as they are."""
    random, expert = (float(values.mean()) for values in anchors)
    if random == expert:
        return Estimate(float("nan"), float("nan"), float("nan"))
    scores = 100 * (rewards - random) / (expert - random)
    drawn = draws.runs(method, scores).reshape(draws.samples, -1)
    return _estimate(float(interquartile_mean(scores.ravel())), interquartile_mean(drawn))


def difference(draws: Draws, ours: tuple[str, Reals], theirs: tuple[str, Reals]) -> Estimate:
    """Mean reward of ours minus theirs, in the same worlds."""
    drawn = [draws.runs(name, values).mean((1, 2)) for name, values in (ours, theirs)]
    return _estimate(float(ours[1].mean() - theirs[1].mean()), drawn[0] - drawn[1])


def paired(ours: Reals, theirs: Reals) -> tuple[tuple[str, Reals], tuple[str, Reals]]:
    """Both sides `(S, E)` with the training seeds that they have in common, drawn together.

    What differs is then what was changed, not a lucky seed.
    """
    seeds = min(len(ours), len(theirs))
    return ("paired", ours[:seeds]), ("paired", theirs[:seeds])


def probability_of_improvement(
    draws: Draws, ours: tuple[str, Reals], theirs: tuple[str, Reals]
) -> Estimate:
    """Share of the pairs of runs in a world of which ours has more reward; ties count half."""

    def share(a: Reals, b: Reals) -> Reals:
        better = (a[..., :, None, :] > b[..., None, :, :]) * 1.0
        equal = (a[..., :, None, :] == b[..., None, :, :]) * 0.5
        return np.asarray((better + equal).mean((-3, -2, -1)))

    drawn = share(draws.runs(*ours), draws.runs(*theirs))
    return _estimate(float(share(ours[1], theirs[1])), drawn)
