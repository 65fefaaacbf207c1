"""Known scores of the RB task's policies."""

from __future__ import annotations

from wirelessenvs.reference import ReferenceScore

__all__ = ["REFERENCE"]

_SOURCE = "model prototype, 256 episodes x 1,000 frames"

# (policy, reward per agent and frame with 8 nodes, with 9 nodes)
_TABLE = (
    ("random", -13.65, -17.98),
    ("round-robin", -5.47, -20.8),
    ("demand", -3.89, -4.83),
    ("demand-mean", -2.10, -7.57),
    ("expert", -1.09, -2.50),
    ("genie", -0.51, -1.80),
    ("clairvoyant", 0.13, -0.81),
)
# (graph, preset, reward): the mean-field rule by what it hears.
_MEAN_FIELD = (
    ("ring-1", "rb-8", -1.65),
    ("ring-2", "rb-8", -1.36),
    ("complete", "rb-8", -1.25),
    ("complete", "rb-9", -2.98),
)

REFERENCE: tuple[ReferenceScore, ...] = tuple(
    ReferenceScore(policy, "reward", value, _SOURCE, preset, tolerance=_tolerance)
    for policy, small, large in _TABLE
    for preset, value, _tolerance in (("rb-8", small, 0.2), ("rb-9", large, 0.4))
) + tuple(
    ReferenceScore("mean-field", "reward", value, _SOURCE, preset, {"graph": graph}, None)
    for graph, preset, value in _MEAN_FIELD
)
