"""A model of slices learnt from simulation: what each allocation is worth, given past demand.

Given its users, a slice's outcome in a window depends only on its own resource blocks. So a few
simulated windows, each evaluated for every number of blocks, teach all that a causal controller
can use: the law of (satisfaction, spectral efficiency) given blocks and last demand.
`python -m wirelessenvs.slicing` learns the models that ship with the package.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import math
import numbers
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from wirelessenvs.command import replacing
from wirelessenvs.slicing.config import SlicingConfig
from wirelessenvs.slicing.rewards import (
    SE_WEIGHT,
    SHAPING_HIT,
    SHAPING_MISS,
    SHAPING_SE_FLOOR,
    SHAPING_SE_SLOPE,
    SHAPING_URLLC_SLOPE,
    SHAPING_URLLC_ZERO,
    shaping_floors,
)
from wirelessenvs.slicing.search import SplitSearch
from wirelessenvs.slicing.simulator import SlicingSimulator
from wirelessenvs.slicing.splits import random_splits

__all__ = ["SHIPPED", "SliceModel", "cache_folder", "learn", "slice_model"]

#: Configurations whose models ship with the package: file name, preset, overrides.
SHIPPED: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("paper", "paper", {}),
    ("paper-medium-utility", "paper", {"urllc_packets": "medium", "reward": "utility",
                                       "beta": (1.0, 4.0, 6.0)}),
    ("paper-medium-lstm-a2c", "paper", {"urllc_packets": "medium", "reward": "lstm-a2c"}),
    ("physical", "physical", {}),
    ("coupled", "coupled", {}),
    ("single-bs", "single-bs", {}),
    ("lstm-a2c", "lstm-a2c", {}),
    ("small", "small", {}),
)  # fmt: skip
#: Fields that change neither the physics nor the reward.
_IRRELEVANT: Final = (
    "max_steps", "context", "adjacency", "observation", "action", "history", "num_threads"
)  # fmt: skip
#: Fields that shipped models were learnt with. Fingerprints leave out later ones that keep their
#: defaults, so that a new field changes no fingerprint.
_FIRST: Final = (
    "reward", "num_cells", "num_users", "cell_radius_m", "box_half_m", "coverage_m",
    "user_mix", "speeds_mps", "tx_power_dbm", "rx_gain_db", "noise_dbm_hz", "shadowing_db",
    "log_base", "mimo_gain", "interference", "bandwidth_hz", "rb_hz", "unit_hz",
    "slots_per_window", "slot_s", "queue_packets", "carry_over", "volte_gap_s", "volte_bits",
    "lomax_shape", "video_gap_s", "video_bits", "urllc_gap_s", "urllc_packets",
    "sla_rate_bps", "sla_latency_s", "ssr_weights", "beta",
)  # fmt: skip
_DEFAULTS: Final = {field.name: field.default for field in dataclasses.fields(SlicingConfig)}
_NUM_BINS: Final = 8
#: Of a model that does not ship: episodes, windows of a cell in all, and every how many numbers of
#: blocks. A seventh of the time of `learn`'s own defaults, for 1 % of the expert's reward.
_SAMPLES: Final = (16, 1200, 4)
_RECIPE: Final = "x".join(map(str, _SAMPLES))


@dataclass(frozen=True, eq=False)
class SliceModel:
    """Statistics of slices by demand and allocation, and the best fixed split.

    Args:
        fingerprint: of the configuration that it was learnt on.
        choices: `(R,)` numbers of resource blocks.
        demand: `(K, Q)` mean last demand of each bin, increasing.
        ssr: `(K, Q, R)` mean satisfaction ratio.
        reached: `(K, Q, R)` probability that it reaches the threshold of the LSTM-A2C shaping.
        below: `(K, Q, R)` mean of the ratio where it stays below that threshold, else zero.
        se: `(K, Q, R)` mean contribution to the spectral efficiency.
        se_variance: `(K, Q, R)` variance of that.
        static: `(K,)` units of the fixed split with the best mean reward.
    """

    fingerprint: str
    choices: NDArray[np.int32]
    demand: NDArray[np.float64]
    ssr: NDArray[np.float64]
    reached: NDArray[np.float64]
    below: NDArray[np.float64]
    se: NDArray[np.float64]
    se_variance: NDArray[np.float64]
    static: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Writes the model as one `.npz` file, without pickle."""
        arrays = dataclasses.asdict(self)
        arrays["fingerprint"] = np.array(self.fingerprint)
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Any) -> SliceModel:
        """Reads a file that `save` wrote."""
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {field.name: stored[field.name] for field in dataclasses.fields(cls)}
        return cls(**{**arrays, "fingerprint": str(arrays["fingerprint"])})

    def at(self, statistic: NDArray[np.float64], demand: NDArray[np.float64]) -> NDArray[Any]:
        """A `(K, Q, R)` statistic at `(..., K)` demands, linear between bins: `(..., K, R)`."""
        result = np.empty((*demand.shape, self.choices.size))
        for s, centres in enumerate(self.demand):
            position = np.interp(demand[..., s], centres, np.arange(centres.size))
            lower = np.minimum(position.astype(np.int64), centres.size - 1)
            upper = np.minimum(lower + 1, centres.size - 1)
            share = (position - lower)[..., None]
            table = statistic[s]
            result[..., s, :] = (1 - share) * table[lower] + share * table[upper]
        return result

    def expected_rewards(
        self, config: SlicingConfig, demand: NDArray[np.float64], splits: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Expected reward of listed splits.

        Args:
            config: whose reward it is.
            demand: `(..., K)` packets of the last window.
            splits: `(S, K)` positions in `choices`.

        Returns:
            `(..., S)`.
        """

        def per_slice(
            statistic: NDArray[np.float64], weights: Sequence[float] = (1.0,) * splits.shape[1]
        ) -> list[NDArray[Any]]:
            # Weighted before the gather: few allocations per slice, over a thousand splits.
            tables = self.at(statistic, demand)
            return [np.take(w * tables[..., s, :], splits[:, s], -1) for s, w in enumerate(weights)]

        if config.built_in_reward == "ssr":
            shares = np.array(config.weights) / sum(config.weights)
            return _sum(per_slice(self.ssr, shares.tolist()))
        se = _sum(per_slice(self.se))
        if config.built_in_reward == "utility":
            return SE_WEIGHT * se + _sum(per_slice(self.ssr, config.betas))
        # The shaping has thresholds: slices are independent given demand, SE is about normal.
        reached, below = per_slice(self.reached), per_slice(self.below)[-1]
        others = math.prod(reached[1:-1], start=reached[0])
        spread = np.sqrt(np.maximum(_sum(per_slice(self.se_variance)), 1e-12))
        distance = (se - SHAPING_SE_FLOOR) / spread
        density = np.exp(-0.5 * distance**2) / np.sqrt(2.0 * np.pi)
        excess = spread * (distance * ndtr(distance) + density)
        hit = reached[-1] * (SHAPING_HIT + SHAPING_SE_SLOPE * excess)
        climb = SHAPING_URLLC_SLOPE * (below - SHAPING_URLLC_ZERO * (1.0 - reached[-1]))
        return others * (hit + climb) + (1.0 - others) * SHAPING_MISS


def _sum(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Sum of the slices' parts, added up in the first one."""
    total = parts[0]
    for part in parts[1:]:
        total += part
    return total


def fingerprint(config: SlicingConfig) -> str:
    """Identifies all that a model depends on."""
    fields = dataclasses.asdict(config) | {"reward": config.built_in_reward}
    relevant = []
    for name in sorted(fields.keys() - set(_IRRELEVANT)):
        value = fields[name]
        if name not in _FIRST and value == _DEFAULTS[name]:
            continue
        # 200000 and 200e3 are one configuration.
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        relevant.append((name, float(value) if number else value))
    return hashlib.sha256(repr(relevant).encode()).hexdigest()[:16]


def learn(
    config: SlicingConfig,
    episodes: int = 8,
    windows: int = 16,
    seed: int = 900_000,
    every: int = 1,
) -> SliceModel:
    """Learns a model from `episodes * windows` simulated windows of every cell.

    Splits are random, so that carried-over queues and interference are met in all states. The seed
    is none that evaluations use (`wirelessenvs.seeds`).

    Args:
        config: of the task.
        episodes: simulated side by side.
        windows: of each episode.
        seed: of the first episode.
        every: simulate windows for every so many numbers of resource blocks only; outcomes between
            them are linear interpolations.
    """
    plain = dataclasses.replace(
        config,
        action="continuous",
        observation="paper",
        history=1,
        reward=config.built_in_reward,
    )
    simulator = SlicingSimulator(plain, episodes)
    observations = simulator.reset(seed)
    rng = np.random.default_rng(seed)
    search, k = SplitSearch(config), config.num_slices
    choices, splits = search.choices, search.splits
    demands, ssrs, ses = [], [], []
    total = np.zeros(0 if splits is None else len(splits))
    for _ in range(windows):
        tables = simulator.window_tables(every)
        demands.append(observations.reshape(-1, k).astype(np.float64))
        ssr, se = (
            _between(tables.choices, values.reshape(-1, k, tables.choices.size), choices)
            for values in (tables.ssr, tables.se)
        )
        ssrs.append(ssr)
        ses.append(se)
        for cell in range(0 if splits is None else len(ssr)):
            total += search.rewards(ssr[cell], se[cell])
        units = random_splits(rng, (episodes, simulator.num_agents), config.num_units, k)
        observations = simulator.step(units * config.unit_hz).observations
    ssr, se = np.concatenate(ssrs), np.concatenate(ses)
    if splits is None:  # what adds up over slices adds up over windows
        static = search.best(ssr.mean(0), se.mean(0))
    else:
        static = splits[int(np.argmax(total))]
    return _summary(fingerprint(config), choices, np.concatenate(demands), ssr, se, static)


def _between(
    known: NDArray[np.int32], values: NDArray[np.float64], wanted: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Values `(..., R)` at `known` numbers of blocks, linear between them, at the `wanted` ones."""
    if known.size == wanted.size:
        return values
    weights = np.stack([np.interp(wanted, known, row) for row in np.eye(known.size)])
    return values @ weights


def _summary(
    name: str,
    choices: NDArray[np.int32],
    demand: NDArray[np.float64],
    ssr: NDArray[np.float64],
    se: NDArray[np.float64],
    static: NDArray[np.int64],
) -> SliceModel:
    """Bins samples by demand, equally many to a bin."""
    num_slices = demand.shape[1]
    floors = shaping_floors(num_slices)
    centres = np.empty((num_slices, _NUM_BINS))
    statistics = np.empty((5, num_slices, _NUM_BINS, choices.size))
    for s in range(num_slices):
        order = np.argsort(demand[:, s], kind="stable")
        for q, rows in enumerate(np.array_split(order, _NUM_BINS)):
            # Bins of equal demand are told apart by a hair, so that interpolation is defined.
            centres[s, q] = demand[rows, s].mean() + 1e-6 * q
            hit = ssr[rows, s] >= floors[s]
            statistics[:, s, q] = (
                ssr[rows, s].mean(0),
                hit.mean(0),
                np.where(hit, 0.0, ssr[rows, s]).mean(0),
                se[rows, s].mean(0),
                se[rows, s].var(0),
            )
    ratio, reached, below, efficiency, variance = statistics
    return SliceModel(
        name, choices, centres, ratio, reached, below, efficiency, variance, static
    )  # fmt: skip


@functools.cache
def _shipped() -> dict[str, SliceModel]:
    folder = resources.files("wirelessenvs.slicing") / "models"
    models = {}
    for file, _, _ in SHIPPED:
        path = folder / f"{file}.npz"
        if path.is_file():
            model = SliceModel.load(path)
            models[model.fingerprint] = model
    return models


def cache_folder() -> Path:
    """Where learnt models are kept: `WIRELESSENVS_CACHE`, or the user's cache folder."""
    chosen = os.environ.get("WIRELESSENVS_CACHE")
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path("~/.cache").expanduser()) / "wirelessenvs"


@functools.lru_cache(maxsize=32)
def _learnt(config: SlicingConfig) -> SliceModel:
    """From the cache folder, or learnt and put there as far as it can be read and written."""
    path = cache_folder() / f"slicing-v0-{_RECIPE}-{fingerprint(config)}.npz"
    # A damaged file raises whatever its bytes lead to: learnt anew.
    with contextlib.suppress(Exception):
        return SliceModel.load(path)
    episodes, samples, every = _SAMPLES
    model = learn(config, episodes, math.ceil(samples / episodes / config.num_cells), every=every)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            model.save(partial)
    return model


def slice_model(config: SlicingConfig) -> SliceModel:
    """The model of a configuration: shipped, kept in `cache_folder`, or learnt now (seconds)."""
    known = _shipped().get(fingerprint(config))
    if known is not None:
        return known
    defaults = SlicingConfig()
    same = {name: getattr(defaults, name) for name in _IRRELEVANT}
    return _learnt(dataclasses.replace(config, **same, reward=config.built_in_reward))
