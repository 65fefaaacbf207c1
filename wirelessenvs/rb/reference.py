"""Known scores of the RB task's policies.

No public environment of this task exists to compare with. The figures come from an independent
implementation of the same model (rules, traffic and reward as in `RBConfig`), averaged over 256
episodes of 1,000 frames. For the mean-field rule they are those of that implementation's rule,
which the source describes only as own need against the neighbours' mean.
"""

from __future__ import annotations

from wirelessenvs.reference import ReferenceScore

__all__ = ["REFERENCE"]

_SOURCE = "independent prototype of the model, 256 episodes x 1,000 frames"

# policy: (reward per agent and frame with 8 nodes, with 9 nodes)
_TABLE = {
    "random": (-13.65, -17.98),
    "round-robin": (-5.47, -20.8),
    "demand": (-3.89, -4.83),
    "demand-mean": (-2.10, -7.57),
    "expert": (-1.09, -2.50),
    "genie": (-0.51, -1.80),
    "clairvoyant": (0.13, -0.81),
}

# The mean-field rule by what nodes hear: (preset, graph, reward). "ring-2" is the default.
_MEAN_FIELD = (
    ("rb-8", "ring-2", -1.36),
    ("rb-8", "none", -2.01),
    ("rb-8", "ring-1", -1.65),
    ("rb-8", "complete", -1.25),
    ("rb-9", "complete", -2.98),
)

REFERENCE: tuple[ReferenceScore, ...] = tuple(
    ReferenceScore(policy, "reward", values[column], _SOURCE, preset)
    for column, preset in enumerate(("rb-8", "rb-9"))
    for policy, values in _TABLE.items()
) + tuple(
    ReferenceScore(
        "mean-field",
        "reward",
        value,
        _SOURCE,
        preset,
        {} if graph == "ring-2" else {"graph": graph},
    )
    for preset, graph, value in _MEAN_FIELD
)
