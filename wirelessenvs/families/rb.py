"""The family of RB clusters: sizes, loads and traffic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from wirelessenvs.families.deployment import Family

if TYPE_CHECKING:  # a task is loaded when it is needed
    from wirelessenvs.rb.config import RBConfig

__all__ = ["RB"]

#: Most packets per frame that a node brings on average. It can send 10: beyond that its queue
#: would fill up whatever anybody does.
_HIGHEST_RATE: Final = 8.0
_NUM_RBS: Final = 40


@dataclass(frozen=True)
class RBLaw:
    """Ranges of what is drawn; real numbers are uniform.

    Args:
        sizes: numbers of nodes, all as likely.
        load: mean packets over RBs per frame.
        uneven: share of deployments whose nodes have unequal rates.
        unevenness: standard deviation of the logarithm of these rates.
        modulation: of the hidden traffic modes.
        switch_probability: of the same. With less than 0.1, busy periods last so long that all
            queues fill up, and then no rule and no expert is better than `demand`.
    """

    sizes: tuple[int, ...] = (5, 6, 7, 8, 9, 10, 11, 12)
    load: tuple[float, float] = (0.6, 0.92)
    uneven: float = 0.5
    unevenness: tuple[float, float] = (0.2, 1.0)
    modulation: tuple[float, float] = (0.2, 0.7)
    switch_probability: tuple[float, float] = (0.1, 0.4)


def _draw(law: RBLaw, key: int, rng: np.random.Generator) -> dict[str, Any]:  # noqa: ARG001
    nodes = int(rng.choice(law.sizes))
    load = rng.uniform(*law.load)
    spread = rng.uniform(*law.unevenness) * float(rng.random() < law.uneven)
    rates = np.exp(spread * rng.standard_normal(nodes))
    # What a node at its limit cannot bring is shared out among the others.
    for _ in range(200):
        rates = np.minimum(rates * (load * _NUM_RBS / rates.sum()), _HIGHEST_RATE)
    return {
        "num_nodes": nodes,
        # Rounded: the last bit of an exponential differs between processors.
        "mean_rate": tuple(rates.round(6).tolist()),
        "load": None,  # would scale the rates
        "modulation": rng.uniform(*law.modulation),
        "switch_probability": rng.uniform(*law.switch_probability),
    }


def _quantities(config: RBConfig) -> dict[str, float]:
    return {
        "nodes": config.num_nodes,
        "load": config.offered_load,
        "unevenness": float(config.node_rates.std() / config.node_rates.mean()),
        "modulation": config.modulation,
        "switch probability": config.switch_probability,
    }


_LAW = RBLaw()

RB = Family(
    name="rb",
    version=0,
    task_id="rb-v0",
    splits={
        "train": _LAW,
        "validation": _LAW,
        "test": _LAW,
        "beyond-size": replace(_LAW, sizes=(16, 24, 40)),
        "beyond-load": replace(_LAW, load=(0.94, 0.96)),
        "beyond-unevenness": replace(_LAW, uneven=1.0, unevenness=(1.5, 2.5)),
    },
    draw=_draw,
    quantities=_quantities,
    replacing=("trace",),
    common={},
    rules=(
        "random", "round-robin", "demand", "demand-mean", "hysteresis", "mean-field", "maxweight",
        "proportional-fair", "expert",
    ),
    expert="bayes",
    bound="genie",
)  # fmt: skip
