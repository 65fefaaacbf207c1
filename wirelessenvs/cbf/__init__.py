"""Coordinated beamforming: the multi-cell MISO downlink of `wirelessenvs.cbf_v0`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wirelessenvs.cbf.config import CBFConfig
from wirelessenvs.cbf.policies import POLICIES
from wirelessenvs.cbf.reference import REFERENCE
from wirelessenvs.cbf.simulator import CBFSimulator, CBFView

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["POLICIES", "REFERENCE", "CBFConfig", "CBFSimulator", "CBFView", "draw"]


def draw(figure: Figure, simulator: CBFSimulator, env: int = 0) -> None:
    """Draws the current state of one environment into a Matplotlib figure, which is cleared."""
    from wirelessenvs.cbf.rendering import draw as draw_cells  # Matplotlib is optional and slow

    draw_cells(figure, simulator, env)
