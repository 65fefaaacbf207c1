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
    "JUDGING",
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
    name: str,
    title: str,
    model: tuple[str, ...] = (),
    plan: dict[str, Any] | None = None,
    options: tuple[str, ...] = (),
) -> Method:
    return Method(
        f"networld-{name}", title, "ablation", of="networld", options=options, model=model,
        plan=plan or {},
    )  # fmt: skip


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
#: Rows of the decisive comparison. "no-values": the same weights, plans followed as they are.
#: "published": NetWorld without this project's own choices where the paper makes one: 4 + 4
#: blocks, its three losses alike, noise prediction, real and discrete actions as the mean of
#: two-hot bins, every step of the DDPM with all of its noise, one plan under the classifier's
#: guidance, and light fine-tuning of what tasks share. Where the paper says nothing (the latents'
#: norm, scales), the choices are those of the row `networld`. A protocol may reduce its sizes.
JUDGING: Final = _named(
    _ablation("no-values", "NetWorld without values", plan={"value_scale": 0.0}),
    _ablation(
        "published", "NetWorld as published",
        model=(
            "multipliers=(1,2,4,8)", "blocks_per_level=1", "diffusion_steps=20", "prediction=noise",
            "diffusion_weight=1", "classifier_weight=1", "inverse_weight=1",
            "planned_action_weight=0", "behaviour_weight=0", "reconstruction_weight=0",
            "first_step_weight=1", "stop_gradient=none", "discrete_head=bins", "decode=mean",
        ),
        plan={
            "sampler": "ddpm", "steps": 20, "temperature": 1.0, "votes": 1,
            "unguided_steps": 0,
        },
        options=("body_factor=0.1",),
    )
)  # fmt: skip


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
    **JUDGING,
    **ABLATIONS,
    **WITH_MEAN_FIELD,
    **WEIGHTED,
}
#: That a protocol may leave out: no claim rests on them.
BESIDE: Final = (*ABLATIONS, *JUDGING, *WITH_MEAN_FIELD, *WEIGHTED, *CENTRAL)
#: Policies of the tasks. "medium" made a third of the mixed data, "rule" all of the tiers `rule`
#: and `replay`; "heuristic" is the best rule below the expert that knows nothing of the step to
#: come, see `TaskSetup.heuristic`, and "local" the best one without a controller.
REFERENCES: Final = _named(
    Method("random", "random", "reference", colour="#BBBBBB"),
    Method("medium", "medium", "reference", colour="#8C8C8C"),
    Method("rule", "data's rule", "reference", colour="#B8A58A"),
    Method("local", "best local rule", "reference", colour="#117733"),
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
