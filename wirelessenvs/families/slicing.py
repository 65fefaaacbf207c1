"""The family of sliced cellular networks: sizes, densities, users and services."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from wirelessenvs.families.deployment import Family

if TYPE_CHECKING:  # a task is loaded when it is needed
    from wirelessenvs.slicing.config import SlicingConfig

__all__ = ["SLICING"]


@dataclass(frozen=True)
class SlicingLaw:
    """Ranges of what is drawn; numbers are uniform.

    Args:
        sizes: numbers of cells, all as likely.
        users_per_cell: subscribers in the area over cells.
        mix: least and greatest share of each class (VoLTE, video, URLLC) among the subscribers
            before shares are normalised to 1.
        urllc_bytes: size of URLLC packets.
        speed: factor on the classes' speeds of 1, 4 and 8 m/s.
    """

    sizes: tuple[int, ...] = (7, 19)
    users_per_cell: tuple[float, float] = (50.0, 160.0)
    mix: tuple[tuple[float, float], ...] = ((0.1, 0.4), (0.2, 0.5), (0.3, 0.6))
    urllc_bytes: tuple[float, float] = (0.05e6, 0.3e6)
    speed: tuple[float, float] = (0.5, 2.0)


def _draw(law: SlicingLaw, key: int, rng: np.random.Generator) -> dict[str, Any]:  # noqa: ARG001
    cells = int(rng.choice(law.sizes))
    users = round(cells * rng.uniform(*law.users_per_cell))
    shares = np.array([rng.uniform(*bounds) for bounds in law.mix])
    size = rng.uniform(*law.urllc_bytes)
    speed = rng.uniform(*law.speed)
    return {
        "num_cells": cells,
        "num_users": users,
        "user_mix": tuple((shares / shares.sum()).tolist()),
        "urllc_packets": (size,),
        "speeds_mps": (speed, 4 * speed, 8 * speed),
    }


def _quantities(config: SlicingConfig) -> dict[str, float]:
    from wirelessenvs.slicing.config import SLICES

    return {
        "cells": config.num_cells,
        "users per cell": config.num_users / config.num_cells,
        **{f"share of {name}": share for name, share in zip(SLICES, config.user_mix, strict=True)},
        "URLLC packet (kB)": config.urllc_bits[0] / 8e3,
        "speed factor": config.speeds_mps[0],
    }


_LAW = SlicingLaw()

SLICING = Family(
    name="slicing",
    version=0,
    task_id="slicing-v0",
    splits={
        "train": _LAW,
        "validation": _LAW,
        "test": _LAW,
        "beyond-size": replace(_LAW, sizes=(37,)),
        "beyond-volte": replace(_LAW, mix=((0.5, 0.6), (0.15, 0.25), (0.15, 0.25))),
        "beyond-video": replace(_LAW, mix=((0.1, 0.2), (0.7, 0.8), (0.1, 0.2))),
        "beyond-urllc": replace(_LAW, mix=((0.1, 0.2), (0.1, 0.2), (0.7, 0.8))),
    },
    draw=_draw,
    quantities=_quantities,
    replacing=("sites", "slices", "trace", "user_classes", "users"),
    common={"reward": "lstm-a2c"},
    rules=("random", "hard", "users", "packets", "bits", "static"),
    expert="expert",
    bound="oracle",
)
