"""RB: nodes of a clustered ad hoc network share the resource blocks of an MF-TDMA frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wirelessenvs.rb.config import RBConfig
from wirelessenvs.rb.frame import wrap_around_grid
from wirelessenvs.rb.policies import POLICIES
from wirelessenvs.rb.reference import REFERENCE
from wirelessenvs.rb.simulator import RBSimulator
from wirelessenvs.rb.views import RBView

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "POLICIES",
    "REFERENCE",
    "RBConfig",
    "RBSimulator",
    "RBView",
    "draw",
    "wrap_around_grid",
]


def draw(figure: Figure, simulator: RBSimulator, env: int = 0) -> None:
    """Clears the figure and draws the last frame of one environment and the queues after it."""
    from wirelessenvs.rb.rendering import draw as draw_frame

    draw_frame(figure, simulator, env)
