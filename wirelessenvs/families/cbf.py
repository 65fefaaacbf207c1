"""The family of cellular layouts: sizes, fading and shadowing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from wirelessenvs.families.deployment import Family

if TYPE_CHECKING:  # a task is loaded when it is needed
    from wirelessenvs.cbf.config import CBFConfig

__all__ = ["CBF"]


@dataclass(frozen=True)
class CBFLaw:
    """Ranges of what is drawn beside the layout; real numbers are uniform.

    Args:
        sizes: numbers of cells, all as likely.
        correlation: of the fading between slots.
        shadowing_db: standard deviation.
    """

    sizes: tuple[int, ...] = (19, 37)
    correlation: tuple[float, float] = (0.4, 0.9)
    shadowing_db: tuple[float, float] = (4.0, 10.0)


def _draw(law: CBFLaw, key: int, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "num_cells": int(rng.choice(law.sizes)),
        # The key itself: no two deployments of the family share a layout.
        "layout_seed": key,
        "correlation": rng.uniform(*law.correlation),
        "doppler_hz": None,  # would set the correlation, and so would a slot
        "slot_s": None,
        "shadowing_db": rng.uniform(*law.shadowing_db),
    }


def _quantities(config: CBFConfig) -> dict[str, float]:
    return {
        "cells": config.num_cells,
        "correlation": config.correlation,
        "shadowing (dB)": config.shadowing_db,
    }


_LAW = CBFLaw()

CBF = Family(
    name="cbf",
    version=0,
    task_id="cbf-v0",
    splits={
        "train": _LAW,
        "validation": _LAW,
        "test": _LAW,
        "beyond-small": replace(_LAW, sizes=(7,)),
        "beyond-size": replace(_LAW, sizes=(61, 127, 271)),
        "beyond-shadowing": replace(_LAW, shadowing_db=(12.0, 12.0)),
        "beyond-slow-fading": replace(_LAW, correlation=(0.95, 0.95)),
        "beyond-fast-fading": replace(_LAW, correlation=(0.3, 0.3)),
    },
    draw=_draw,
    quantities=_quantities,
    replacing=("sites", "users", "bank"),
    common={"observation": "sweep"},
    rules=("random", "sweep", "fp-causal", "fp-causal-warm"),
    expert="expert",
    bound="coordinate-ascent-genie",
)
