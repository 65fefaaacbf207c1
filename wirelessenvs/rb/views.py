"""What central, genie and clairvoyant policies see of the RB task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.policy import Privileged

__all__ = ["RBView"]


@dataclass(frozen=True)
class RBView(Privileged):
    """A controller's view; every array is a copy.

    Args:
        information: class that the view was made for.
        frame: `(B,)` frames played in the episode; precedence starts at node `frame mod N`.
        queues: `(B, N)` packets waiting.
        generated: `(B, N)` packets that arrived in the last frame.
        served: `(B, N)` packets delivered in the last frame.
        rates: `(B, N)` true mean arrivals of the frame to come, given the hidden traffic modes;
            None for a central policy. For a trace, its long-run means.
        arrivals: `(B, N)` packets that will arrive in the frame to come; None unless clairvoyant.
    """

    frame: NDArray[np.int64]
    queues: NDArray[np.int64]
    generated: NDArray[np.int64]
    served: NDArray[np.int64]
    rates: NDArray[np.float64] | None = None
    arrivals: NDArray[np.int64] | None = None
