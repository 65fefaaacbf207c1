"""Network slicing: every base station splits its band among its slices' users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wirelessenvs.slicing.classes import TrafficClass
from wirelessenvs.slicing.config import SLICES, URLLC_PACKETS, SlicingConfig
from wirelessenvs.slicing.model import SliceModel, learn, slice_model
from wirelessenvs.slicing.policies import POLICIES
from wirelessenvs.slicing.reference import REFERENCE
from wirelessenvs.slicing.simulator import SlicingSimulator, SlicingView, WindowTables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "POLICIES",
    "REFERENCE",
    "SLICES",
    "URLLC_PACKETS",
    "SliceModel",
    "SlicingConfig",
    "SlicingSimulator",
    "SlicingView",
    "TrafficClass",
    "WindowTables",
    "draw",
    "learn",
    "slice_model",
]


def draw(figure: Figure, simulator: SlicingSimulator, env: int = 0) -> None:
    """Draws the current state of environment `env` on a cleared figure."""
    from wirelessenvs.slicing.rendering import draw as draw_state

    draw_state(figure, simulator, env)
