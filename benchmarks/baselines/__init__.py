"""Offline baselines under one interface: MA-BC, MA-CQL, MA-IQL, MA-DT and MA-DD.

All are decentralised: the agents of a task share one network, and each sees its own observation.
DIMA, which trains centrally, is found by its name, too.

Example:
    >>> from networld_agent.data import TrajectoryDataset
    >>> data = OfflineData(TrajectoryDataset.open("data/rb-expert"), 10)  # doctest: +SKIP
    >>> method = make_baseline("iql")
    >>> policy = method.fit(data, method.config_type(), Path("runs/iql"))  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.baselines.shared.interface import (
    Baseline,
    BaselineConfig,
    BaselinePolicy,
    OfflineData,
)
from benchmarks.baselines.shared.policy import read_method
from networld_agent.errors import ModelError
from wirelessenvs.checks import check_choice

__all__ = [
    "BASELINES",
    "Baseline",
    "BaselineConfig",
    "BaselinePolicy",
    "OfflineData",
    "load_policy",
    "make_baseline",
]

_PLACES = {
    "bc": "benchmarks.baselines.bc:BehaviourCloning",
    "cql": "benchmarks.baselines.cql.method:ConservativeQLearning",
    "iql": "benchmarks.baselines.iql:ImplicitQLearning",
    "dt": "benchmarks.baselines.dt.method:DecisionTransformer",
    "dd": "benchmarks.baselines.dd.method:DecisionDiffuser",
}


#: Of the same interface, but not one of the five.
_CENTRAL = {"dima": "benchmarks.baselines.dima.offline:Dima"}


class _Registry(Mapping[str, type[Baseline]]):
    """Classes by name, imported when they are first asked for; only the five are listed."""

    def __getitem__(self, name: str) -> type[Baseline]:
        module, _, attribute = {**_PLACES, **_CENTRAL}[name].partition(":")
        found: type[Baseline] = getattr(importlib.import_module(module), attribute)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


#: Every baseline's class by name.
BASELINES: Mapping[str, type[Baseline]] = _Registry()


def make_baseline(name: str) -> Baseline:
    """A baseline by name.

    Raises:
        ValueError: for an unknown name; the sentence lists those that exist.
    """
    return BASELINES[check_choice("method", name, tuple(BASELINES))]()


def load_policy(folder: str | Path) -> BaselinePolicy:
    """The policy in a folder, of whichever method.

    Raises:
        ModelError: naming the file and its fault.
    """
    folder = Path(folder)
    method = read_method(folder)
    if method not in BASELINES:
        raise ModelError(f"{folder}: holds a policy of an unknown method {method!r}.")
    return BASELINES[method].policy_type.load(folder)
