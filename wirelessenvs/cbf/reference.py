"""Scores that these policies are known to reach, for comparison with one's own runs."""

from __future__ import annotations

from typing import Any

from wirelessenvs.reference import ReferenceScore

__all__ = ["REFERENCE"]

_PUBLISHED = "Ge et al., IEEE Trans. Commun. 68(10), 2020, result files of the authors"
_REWRITE = "independent rewrite of the published simulation, seed-2019 layout"
_RANDOM_LAYOUTS = "independent rewrite of the published simulation, mean of 400 random layouts"
_OURS = "this package, docs/cbf.md"
_BEAM: dict[str, Any] = {"action": "beam"}
_Q4: dict[str, Any] = {"num_beams": 4}


def _score(
    policy: str,
    rate: float,
    reward: float | None = None,
    source: str = _REWRITE,
    preset: str = "paper",
    tolerance: float | None = 0.06,
    **overrides: Any,
) -> tuple[ReferenceScore, ...]:
    rows = [ReferenceScore(policy, "rate", rate, source, preset, overrides, tolerance)]
    if reward is not None:
        rows.append(ReferenceScore(policy, "reward", reward, source, preset, overrides, tolerance))
    return tuple(rows)


#: Rates in bit/s/Hz per cell. The random layouts have no tolerance: the standard deviation
#: between layouts is 0.7 to 1.0.
REFERENCE: tuple[ReferenceScore, ...] = (
    *_score("random", 4.4163, source=_PUBLISHED, **_Q4),
    *_score("greedy", 6.9516, source=_PUBLISHED, **_Q4),
    *_score("random", 4.39, 2.88, **_Q4),
    *_score("greedy", 6.96, **_Q4),
    *_score("greedy", 7.25, num_beams=6),
    *_score("greedy", 7.53, 5.29),
    *_score("greedy", 7.43, num_beams=10),
    *_score("mrt", 7.50, 5.28, **_BEAM),
    *_score("slnr", 8.27, 6.54, **_BEAM),
    *_score("coordinate-ascent-genie", 8.35, **_Q4),
    *_score("coordinate-ascent-genie", 8.89, 7.59),
    *_score("fp", 9.46, 8.12, **_BEAM),
    *_score("fp-causal", 9.10, **_BEAM),
    *_score("fp-warm", 9.65, 8.55, tolerance=0.1, **_BEAM),
    # Figures that no source states, so that every policy is played where it belongs.
    *_score("coordinate-ascent", 8.60, 7.19, _OURS),
    *_score("expert", 8.60, 7.19, _OURS),
    *_score("expert", 9.35, 8.02, _OURS, **_BEAM),
    *_score("fp-causal-warm", 9.35, 8.02, _OURS, **_BEAM),
    *_score("sweep", 5.88, None, _OURS, "general", None),
    *_score("random", 3.52, None, _RANDOM_LAYOUTS, "general", None),
    *_score("greedy", 5.86, None, _RANDOM_LAYOUTS, "general", None),
    *_score("mrt", 5.89, None, _RANDOM_LAYOUTS, "general", None, **_BEAM),
    *_score("slnr", 6.54, None, _RANDOM_LAYOUTS, "general", None, **_BEAM),
    *_score("coordinate-ascent-genie", 7.08, None, _RANDOM_LAYOUTS, "general", None),
)
