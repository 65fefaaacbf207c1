"""Names of what is trained and compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

__all__ = [
    "ABLATIONS",
    "BASELINES",
    "BESIDE",
    "CENTRAL",
    "METHODS",
    "REFERENCES",
    "TRAJECTORY_WEIGHTING",
    "WEIGHTED",
    "WITH_MEAN_FIELD",
    "Ablation",
    "baseline_of",
]

BASELINES: Final = ("bc", "cql", "iql", "dt", "dd")
#: The same baselines that also see the mean of their neighbours' observations.
WITH_MEAN_FIELD: Final = tuple(f"{name}-mean-field" for name in BASELINES)
#: NetWorld and the baselines, drawing good trajectories more often: for data of several policies.
WEIGHTED: Final = tuple(f"{name}-weighted" for name in ("networld", *BASELINES))
#: How much more often, as an option of training.
TRAJECTORY_WEIGHTING: Final = "trajectory_temperature=0.1"
#: Trained on all agents at once and played on own observations: rows beside the claim's baselines.
CENTRAL: Final = ("dima",)
#: Policies of the tasks. "medium" made a third of the mixed data; "heuristic" is the best rule
#: below the expert that knows nothing of the step to come, see `TaskSetup.heuristic`.
REFERENCES: Final = ("random", "medium", "heuristic", "expert", "genie")


@dataclass(frozen=True)
class Ablation:
    """NetWorld without one of its parts.

    Args:
        model: options of the network that differ; pre-training is done anew for them.
        plan: options of the planner that differ.
    """

    model: tuple[str, ...] = ()
    plan: dict[str, Any] = field(default_factory=dict)


#: "one-step": one denoising step, that is, the mean of all futures instead of a drawn one.
ABLATIONS: Final = {
    "networld-no-guidance": Ablation(plan={"plan_mode": "none"}),
    "networld-one-step": Ablation(plan={"steps": 1}),
    "networld-no-mean-field": Ablation(model=("mean_field=False",)),
    "networld-no-symlog": Ablation(model=("symlog=False",)),
    "networld-one-hot": Ablation(model=("targets=one-hot",)),
}
#: All that is trained, in the order of tables.
METHODS: Final = (
    "networld", "networld-scratch", *BASELINES, *CENTRAL, *ABLATIONS, *WITH_MEAN_FIELD,
    *WEIGHTED,
)  # fmt: skip
#: That a protocol may leave out: no claim rests on them.
BESIDE: Final = (*ABLATIONS, *WITH_MEAN_FIELD, *WEIGHTED, *CENTRAL)


def baseline_of(method: str) -> str | None:
    """The baseline behind a method's name; None for NetWorld and its variants.

    Example:
        >>> baseline_of("bc-mean-field"), baseline_of("dima"), baseline_of("networld")
        ('bc', 'dima', None)
    """
    name = method.removesuffix("-mean-field").removesuffix("-weighted")
    return name if name in (*BASELINES, *CENTRAL) else None
