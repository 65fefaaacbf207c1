"""Further forms of recorded actions: for beamforming, the index and the complex beam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from networld_agent.data.metadata import Form
from wirelessenvs.cbf.codebook import codebook, codebook_beams, nearest_actions, power_levels_mw

__all__ = ["action_forms"]

Convert = Callable[[NDArray[Any]], NDArray[Any]]


def action_forms(task: str, config: Any) -> dict[str, tuple[Form, Convert]]:
    """Forms of a task's actions beside the one that is played, with their conversions.

    cbf-v0 always has "beams": `(..., 2 A)` real parts, then imaginary parts, of the beamformer on
    the A antennas as it was sent, in sqrt(mW). With continuous actions it also has "indices": the
    nearest codebook action.
    """
    if task != "cbf-v0":
        return {}
    words = codebook(config.num_antennas, config.num_beams)
    levels_mw = power_levels_mw(config.num_power_levels, config.max_power_mw)
    vector = Form("<f4", 2 * config.num_antennas, "sqrt(mW)")

    def from_index(actions: NDArray[Any]) -> NDArray[Any]:
        beams = codebook_beams(actions, words, levels_mw)
        return np.concatenate([beams.real, beams.imag], -1)

    if config.action == "codebook":
        return {"beams": (vector, from_index)}

    def limited(actions: NDArray[Any]) -> NDArray[Any]:
        reals = actions.astype(np.float64)
        power_mw = (reals**2).sum(-1, keepdims=True)
        limit = config.max_power_mw
        return reals * np.sqrt(limit / np.maximum(power_mw, limit))

    def to_index(actions: NDArray[Any]) -> NDArray[Any]:
        real, imaginary = np.split(limited(actions), 2, -1)
        return nearest_actions(real + 1j * imaginary, words, levels_mw)

    return {"beams": (vector, limited), "indices": (Form("<i4", 0, "codebook action"), to_index)}
