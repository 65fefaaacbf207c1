"""Offline baselines under one interface: MA-BC, MA-CQL, MA-IQL, MA-DT and MA-DD.

All are decentralised: the agents of a task share one network, and each sees its own observation.
DIMA, which trains centrally, has the same interface, and so have methods of other packages.

Example:
    >>> from benchmarks.baselines import OfflineData, make_baseline
    >>> from networld_agent.data import TrajectoryDataset
    >>> data = OfflineData(TrajectoryDataset.open("data/rb-expert"), 10)  # doctest: +SKIP
    >>> method = make_baseline("iql")
    >>> policy = method.fit(data, method.config_type(), Path("runs/iql"))  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.baselines.registry import BASELINES, load_policy, make_baseline, method_class
    from benchmarks.baselines.shared.interface import (
        Baseline,
        BaselineConfig,
        BaselinePolicy,
        Learner,
        OfflineData,
    )

__all__ = [
    "BASELINES",
    "Baseline",
    "BaselineConfig",
    "BaselinePolicy",
    "Learner",
    "OfflineData",
    "load_policy",
    "make_baseline",
    "method_class",
]


def __getattr__(name: str) -> Any:
    # Commands in this package say in a sentence that PyTorch is missing: it must not import it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from benchmarks.baselines import registry
    from benchmarks.baselines.shared import interface

    return getattr(registry if hasattr(registry, name) else interface, name)
