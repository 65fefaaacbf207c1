"""What is trained and compared: the registered methods, NetWorld, and variants of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from benchmarks.baselines.registry import (
    BASELINES,
    CENTRAL,
    ROWS,
    Method,
    class_path,
    method_class,
)

__all__ = [
    "ABLATIONS",
    "BASELINES",
    "BESIDE",
    "CENTRAL",
    "METHODS",
    "REFERENCES",
    "WEIGHTED",
    "WITH_MEAN_FIELD",
    "Method",
    "own_methods",
]


def _named(*rows: Method) -> dict[str, Method]:
    return {row.name: row for row in rows}


_NETWORLD: Final = Method("networld", "NetWorld", "networld", colour="#0072B2", marker="o")
_SCRATCH: Final = Method(
    "networld-scratch", "NetWorld from scratch", "networld", colour="#56B4E9", marker="s",
    of="networld", from_scratch=True,
)  # fmt: skip


def _ablation(
    name: str, title: str, model: tuple[str, ...] = (), plan: dict[str, Any] | None = None
) -> Method:
    return Method(
        f"networld-{name}", title, "ablation", of="networld", model=model, plan=plan or {}
    )


#: NetWorld without one of its parts. "random-direction": the control of guidance, steered as far
#: but to no end. "behaviour-head": the same weights without planning, a clone. "one-step": one
#: denoising step, that is, the mean of all futures instead of a drawn one.
ABLATIONS: Final = _named(
    _ablation("no-guidance", "NetWorld without guidance", plan={"plan_mode": "none"}),
    _ablation("random-direction", "NetWorld, random direction", plan={"plan_mode": "random"}),
    _ablation("behaviour-head", "NetWorld's behaviour head", plan={"plan_mode": "behaviour"}),
    _ablation("one-step", "NetWorld, one denoising step", plan={"steps": 1}),
    _ablation("no-mean-field", "NetWorld without mean field", model=("communication=none",)),
    _ablation("no-symlog", "NetWorld without symlog", model=("symlog=False",)),
    _ablation("one-hot", "NetWorld with one-hot targets", model=("targets=one-hot",)),
)


def _variant(row: Method, role: str, words: str, option: str) -> Method:
    return Method(
        f"{row.name}-{role}", row.title + words, role, row.path, of=row.name, options=(option,)
    )


_BASELINE_ROWS: Final = tuple(ROWS[name] for name in BASELINES)
#: The baselines that also see the mean of their neighbours' observations.
WITH_MEAN_FIELD: Final = _named(
    *(_variant(row, "mean-field", " with mean field", "mean_field=True") for row in _BASELINE_ROWS)
)
#: NetWorld and the baselines, drawing good trajectories more often: for data of several policies.
WEIGHTED: Final = _named(
    *(
        _variant(row, "weighted", ", good trajectories preferred", "trajectory_temperature=0.1")
        for row in (_NETWORLD, *_BASELINE_ROWS)
    )
)
#: All that is trained, in the order of tables.
METHODS: Final = {
    **_named(_NETWORLD, _SCRATCH, *(ROWS[name] for name in (*BASELINES, *CENTRAL))),
    **ABLATIONS,
    **WITH_MEAN_FIELD,
    **WEIGHTED,
}
#: That a protocol may leave out: no claim rests on them.
BESIDE: Final = (*ABLATIONS, *WITH_MEAN_FIELD, *WEIGHTED, *CENTRAL)
#: Policies of the tasks. "medium" made a third of the mixed data; "heuristic" is the best rule
#: below the expert that knows nothing of the step to come, see `TaskSetup.heuristic`.
REFERENCES: Final = _named(
    Method("random", "random", "reference", colour="#BBBBBB"),
    Method("medium", "medium", "reference", colour="#8C8C8C"),
    Method("heuristic", "best heuristic", "reference", colour="#999933"),
    Method("expert", "expert", "reference", colour="#222222"),
    Method("genie", "genie", "reference", colour="#222222"),
)


def own_methods(given: Sequence[str]) -> dict[str, str]:
    """Class paths by name, of methods of other packages.

    Args:
        given: `module:Class`, or names of entry points.

    Raises:
        ValueError: for a class that cannot be imported or misses a member of the interface, or a
            name that is taken.
    """
    found: dict[str, str] = {}
    for method in given:
        path = class_path(method, "--method")
        name = method_class(method, "--method").name
        if name in (*METHODS, *REFERENCES, "baselines") or found.get(name, path) != path:
            raise ValueError(
                f"--method {method!r}: there is a method {name!r} already; --methods chooses."
            )
        found[name] = path
    return found
