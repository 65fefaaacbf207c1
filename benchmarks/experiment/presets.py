"""Budgets of the main experiment. Every number that a run depends on is here.

* smoke: a second per job; that everything works.
* demo: about a quarter of an hour on two cores.
* cpu: a night on two cores.
* paper: trajectories of 5,000 steps, for a GPU.
* decisive: tasks with room above their rules, on four tiers of data; a night on two cores.
* decisive-smoke: seconds per job; that everything of `decisive` works.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from benchmarks.experiment.methods import (
    ABLATIONS,
    BASELINES,
    CENTRAL,
    JUDGING,
    WEIGHTED,
    WITH_MEAN_FIELD,
)
from benchmarks.experiment.protocol import TIERS_OF_DATA, Protocol, TaskSetup

__all__ = ["PRESETS"]

_Sizes = dict[str, dict[str, Any]]
# Zero-shot sizes: every agent sees what it saw, only the network is smaller or larger.
_CELLS: Final[_Sizes] = {f"{n} cells": {"num_cells": n} for n in (7, 37, 61)}
_LAYOUTS: Final[_Sizes] = {size: {**cells, "layout_seed": None} for size, cells in _CELLS.items()}
# 32 packets for 40 blocks, as with 8 nodes.
_NODES: Final[_Sizes] = {f"{n} nodes": {"num_nodes": n, "load": 0.8} for n in (9, 12, 16)}


def _tasks(steps: int, slicing_steps: int, sizes: bool = False) -> tuple[TaskSetup, ...]:
    nodes, layouts, cells = (given if sizes else {} for given in (_NODES, _LAYOUTS, _CELLS))
    return (
        TaskSetup("rb", "rb-v0", "rb-8", steps, sizes=nodes, heuristic="maxweight"),
        TaskSetup("cbf", "cbf-v0", "paper", steps, sizes=layouts, heuristic="fp-causal-warm"),
        # Its genie, the best of all splits for the window to come, takes 5 minutes per 1,000 steps.
        TaskSetup(
            "slicing",
            "slicing-v0",
            None,
            slicing_steps,
            sizes=cells,
            references=("random", "medium", "heuristic", "expert"),
            heuristic="static",
        ),
    )


def _budget(**steps: int) -> dict[str, tuple[str, ...]]:
    return {method: (f"steps={count}",) for method, count in steps.items()}


# After thousands of updates instead of a million values are rough, and the usual 3 makes weights of
# their errors.
_BETA: Final = "beta=0.3"
# On expert data errors are all that there is to weigh: 92.9 and 97.5 instead of 91.6 and 96.9.
_SMALL_BETA: Final = "beta=0.1"
# DT's usual 1e-4 is for a hundred thousand updates.
_RATE: Final = "learning_rate=1e-3"
# In beamforming the last five steps tell as much as twenty, and four times as many windows are
# learnt from in the same time: 95 instead of 70 in validation worlds. In resource blocks twenty
# are better, in slicing both are alike.
_SHORT: Final = "context=5"

# DD as far ahead as NetWorld's network of these presets, not its usual 32: in validation worlds
# better in beamforming and level in resource blocks, and quicker in every decision.
_AS_FAR: Final = "horizon=8"

# DIMA, with a small model of the reward: most of an update's time goes into that. Discounts as its
# online runs have them; where only the present reward counts, so does only the first imagined step.
_DIMA: Final = ("reward_width=64", "reward_context=5", "reward_batch_size=64")
_DIMA_ONE_STEP: Final = ("gamma=0", "horizon=1", "starts=400", "batch_size=400")
_DIMA_BUDGETS: Final = {
    "dima": ("steps=1500", "gamma=0.9", *_DIMA),
    "dima@cbf": ("steps=1500", *_DIMA_ONE_STEP, *_DIMA),
    "dima@slicing": ("steps=1500", *_DIMA_ONE_STEP, *_DIMA),
}

# With the usual weight of 1 the conservative term is too weak for expert data in so few updates: in
# validation worlds 4 is at 92.0 and 98.8 instead of 88.3 and 94.8. On mixed data 1 is better.
_CONSERVATIVE: Final = "alpha=4"

_SMALLEST: Final = ("steps=10", "batch_size=16", "hidden_size=16")
_SMOKE: Final = Protocol(
    name="smoke",
    tasks=(
        TaskSetup(
            "rb",
            "rb-v0",
            "rb-8",
            40,
            sizes={"9 nodes": {"num_nodes": 9, "load": 0.8}},
            heuristic="maxweight",
        ),
        TaskSetup("cbf", "cbf-v0", "paper", 40, {"num_cells": 7}, heuristic="fp-causal-warm"),
        TaskSetup("slicing", "slicing-v0", "small", 40, heuristic="static"),
    ),
    seeds=1,
    few="2",
    many="4",
    amounts={"networld": {"expert": ("20 steps",)}},
    pretrain_trajectories=4,
    network="smoke",
    network_options=("batch_size=16", "patience=1"),
    pretrain_steps=10,
    adapt_steps=10,
    baseline_options=dict.fromkeys(BASELINES, _SMALLEST)
    | {
        "dt": (*_SMALLEST, "layers=1", "context=4"),
        "dd": (*_SMALLEST, "horizon=8", "channels=8", "diffusion_steps=4", "sampler_steps=2"),
    },
    ablations=("networld-no-guidance",),
    episodes=2,
    eval_steps=5,
    warm_up=2,
    snapshots=2,
    curve_episodes=1,
    curve_steps=2,
    tune_episodes=1,
    tune_steps=2,
    size_methods=("networld",),
)

_DEMO: Final = Protocol(
    name="demo",
    tasks=_tasks(200, 200),
    seeds=1,
    few="10",
    many="60",
    amounts={
        "networld": {"expert": ("1",)},
        "baselines": {"expert": ("10",)},
        # Half a minute of training each: only where the claim needs them.
        "dt": {},
        "dd": {},
    },
    pretrain_trajectories=60,
    network="demo",
    pretrain_steps=1_200,
    adapt_steps=600,
    baseline_options=_budget(bc=1_500, cql=1_500)
    | {
        "iql": ("steps=1500", _BETA),
        "iql@expert": ("steps=1500", _SMALL_BETA),
        "iql@slicing": ("steps=1500", _BETA),
        "dt": ("steps=150", _RATE),
        "dt@cbf": ("steps=600", _RATE, _SHORT),
        "dd": ("steps=700", _AS_FAR),
        "cql@expert": ("steps=1500", _CONSERVATIVE),
        "cql@slicing": ("steps=600", "batch_size=64"),
    },
    ablations=("networld-no-guidance", "networld-one-step"),
    episodes=8,
    eval_steps=100,
    snapshots=4,
    curve_episodes=4,
    curve_steps=40,
    tune_episodes=4,
    tune_steps=40,
)

_CPU: Final = Protocol(
    name="cpu",
    tasks=_tasks(1_000, 500, sizes=True),
    seeds=3,
    few="10",
    many="300",
    amounts={
        # Two of the tasks are learnt from 100 steps: what pre-training is worth shows below that.
        "networld": {
            "expert": ("20 steps", "100 steps", "500 steps", "1", "3", "10", "300"),
            "mixed": ("10", "300"),
        },
        "networld-scratch": {
            "expert": ("20 steps", "100 steps", "500 steps", "1", "3", "10", "100"),
        },
        "baselines": {"expert": ("100 steps", "1", "10", "300"), "mixed": ("10", "300")},
        # What hears the neighbours as NetWorld does must be seen on NetWorld's data, too.
        "bc-mean-field": {"expert": ("10",)},
        "dima": {"expert": ("10",)},
        "networld-weighted": {"mixed": ("10", "300")},
        "bc-weighted": {"mixed": ("10", "300")},
    },
    pretrain_trajectories=100,
    network="demo",
    pretrain_steps=3_000,
    adapt_steps=1_500,
    # Conservative learning of real actions takes 117 ms per update of 256 on a core, all others 12.
    baseline_options=_budget(bc=5_000, cql=5_000)
    | {
        "iql": ("steps=4000", _BETA),
        "iql@expert": ("steps=4000", _SMALL_BETA),
        "iql@slicing": ("steps=4000", _BETA),
        "dt": ("steps=300", _RATE),
        "dt@cbf": ("steps=1200", _RATE, _SHORT),
        "dd": ("steps=2000", _AS_FAR),
        "cql@expert": ("steps=5000", _CONSERVATIVE),
        "cql@slicing": ("steps=2000", "batch_size=64"),
    }
    | _DIMA_BUDGETS,
    ablations=(*ABLATIONS, "bc-mean-field", *CENTRAL, "networld-weighted", "bc-weighted"),
    # Twice as many narrow the intervals between methods near the ceiling.
    episodes=20,
    eval_steps=300,
    snapshots=5,
    curve_episodes=4,
    curve_steps=100,
    tune_episodes=4,
    tune_steps=100,
    size_methods=("networld", "bc"),
)

_PAPER_AMOUNTS: Final = {
    "expert": ("100 steps", "500 steps", "1", "3", "10", "30", "100", "300"),
    "mixed": ("10", "100", "300"),
}
# The published sizes, and all present actions at once: nineteen agents have no order.
_DIMA_PAPER: Final = ("model=paper", "denoiser_conditioning=joint", "state_read=True")
_PAPER: Final = Protocol(
    name="paper",
    tasks=_tasks(5_000, 5_000, sizes=True),
    seeds=3,
    few="10",
    many="300",
    amounts={
        "networld": _PAPER_AMOUNTS,
        "networld-scratch": _PAPER_AMOUNTS,
        "baselines": _PAPER_AMOUNTS,
        "dima": {"expert": ("10",)},
        **{name: {"mixed": ("10", "100", "300")} for name in WEIGHTED},
    },
    pretrain_trajectories=100,
    network="paper",
    pretrain_steps=100_000,
    adapt_steps=10_000,
    # 100 epochs of 1,000 steps.
    baseline_options=dict.fromkeys(BASELINES, ("steps=100_000", "device=auto"))
    | {
        "dima": ("steps=100_000", "device=auto", "gamma=0.9", *_DIMA_PAPER),
        "dima@cbf": ("steps=100_000", "device=auto", "gamma=0", "horizon=1", *_DIMA_PAPER),
        "dima@slicing": ("steps=100_000", "device=auto", "gamma=0", "horizon=1", *_DIMA_PAPER),
    },
    ablations=(*ABLATIONS, *WITH_MEAN_FIELD, *CENTRAL, *WEIGHTED),
    ablation_seeds=3,
    episodes=20,
    eval_steps=1_000,
    snapshots=20,
    curve_episodes=8,
    curve_steps=200,
    tune_episodes=8,
    tune_steps=200,
    size_methods=("networld", *BASELINES),
)

_UNEVEN: Final = {"mean_rate": (1, 1, 2, 2, 5, 5, 8, 8), "load": 0.9}
#: Genies tell nothing of what data or neighbours are worth, and are slow in slicing.
_JUDGED: Final[dict[str, Any]] = {
    "references": ("random", "medium", "heuristic", "expert"), "test_steps": 1_000,
}  # fmt: skip
#: A queue that grows shows after more steps than a channel that fades.
_QUEUES: Final = {**_JUDGED, "heuristic": "maxweight", "tune_steps": 100}
#: Where best rule and expert are far apart, in steps of a trajectory as `demo` has them. Each
#: environment's first setting is what NetWorld is pre-trained on for the others.
_ROOM: Final = (
    TaskSetup("rb-8", "rb-v0", "rb-8", 200, local="mean-field", **_QUEUES),
    TaskSetup("rb-9", "rb-v0", "rb-9", 200, local="mean-field", **_QUEUES),
    TaskSetup("rb-uneven", "rb-v0", "rb-8", 200, _UNEVEN, local="demand-mean", **_QUEUES),
    TaskSetup(
        "cbf-general", "cbf-v0", "general", 200,
        heuristic="fp-causal-warm", local="sweep", **_JUDGED,
    ),
    # Without a sweep no rule is left that knows its own observation alone: this one is told the
    # channel of its own BS.
    TaskSetup(
        "cbf-beam", "cbf-v0", "paper", 200, {"action": "beam"},
        heuristic="coordinate-ascent", local="greedy", **_JUDGED,
    ),
    # A step takes 20 ms: half as long trajectories and tests as elsewhere.
    TaskSetup(
        "slicing", "slicing-v0", None, 100, {"reward": "lstm-a2c", "urllc_packets": "medium"},
        heuristic="static", local="static", **{**_JUDGED, "test_steps": 500},
    ),
)  # fmt: skip
#: Rows that show what a part of NetWorld is worth, on the data of its own row.
_PARTS: Final = (*JUDGING, "networld-behaviour-head", "networld-random-direction")


#: Data that is far from the best: what actions are worth can be learnt from it.
_RATED: Final = ("mixed", "rule", "replay")
#: In RB what a node takes its neighbours lack, now and later. Elsewhere actions do not change what
#: comes, and the own reward says what a beam or a split is worth.
_ALONE: Final = ("gamma=0", "credit=own")
_TOGETHER: Final = ("credit=neighbors",)
_VALUES: Final = {
    "rb-8": _TOGETHER, "rb-9": _TOGETHER, "rb-uneven": _TOGETHER,
    "cbf-general": _ALONE, "cbf-beam": _ALONE, "slicing": _ALONE,
}  # fmt: skip

#: What `benchmarks.studies.option_search` found for data of a rule, with the neighbours' mean: in
#: RB for rb-8, in beamforming for cbf-general; real beams take what slicing's real splits do.
_ALL_DATA: Final = "held_out=False"
_CQL_RB: Final = ("steps=1000", "alpha=0.3")
_IQL_RB: Final = ("steps=800", "beta=1", "expectile=0.9", "agent_ids=True", _ALL_DATA)
_IQL_CBF: Final = ("steps=3000", "beta=10", "expectile=0.9", "agent_ids=True")
_CQL_REAL: Final = ("steps=600", "batch_size=64", "alpha=0.1", "agent_ids=True")
_ON_RULES: Final = {
    "cql@rb-8": _CQL_RB, "cql@rb-9": _CQL_RB, "cql@rb-uneven": _CQL_RB,
    "iql@rb-8": _IQL_RB, "iql@rb-9": _IQL_RB, "iql@rb-uneven": _IQL_RB,
    "cql@cbf-general": ("steps=1000", "alpha=0.1", "agent_ids=True", _ALL_DATA),
    "iql@cbf-general": _IQL_CBF, "cql@cbf-beam": _CQL_REAL, "iql@cbf-beam": _IQL_CBF,
    "cql@slicing": _CQL_REAL,
    "iql@slicing": ("steps=800", "beta=10", "expectile=0.98", "gamma=0", _ALL_DATA),
}  # fmt: skip


def _on_all_tiers(few: str, many: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Amounts of the main comparison, on every tier of data."""
    ours = ("networld", "networld-scratch", *_PARTS)
    found: dict[str, dict[str, tuple[str, ...]]] = {
        method: dict.fromkeys(TIERS_OF_DATA, (few if method in ours else many,))
        for method in (*ours, "baselines", *WITH_MEAN_FIELD)
    }
    # What values are worth depends on how many actions they have seen.
    found["networld"] |= dict.fromkeys(_RATED, (few, many))
    return found


def _held_out(options: dict[str, tuple[str, ...]], looks: int) -> dict[str, tuple[str, ...]]:
    """Baselines' options with the early stopping of NetWorld, with as many looks as it has.

    But for those that a search found to be better without.
    """
    chosen = {}
    for name, pairs in options.items():
        if _ALL_DATA in pairs:
            chosen[name] = pairs
            continue
        steps = int(next(pair for pair in pairs if pair.startswith("steps=")).partition("=")[2])
        chosen[name] = (*pairs, "held_out=True", f"validate_every={max(1, steps // looks)}")
    return chosen


_DECISIVE: Final = Protocol(
    name="decisive",
    tasks=_ROOM,
    seeds=5,
    few="10",
    many="300",
    amounts=_on_all_tiers("10", "300"),
    pretrain_trajectories=60,
    network="demo",
    pretrain_steps=1_200,
    adapt_steps=500,
    baseline_options=_held_out(
        _budget(bc=1_000, cql=1_000)
        | {
            "cql@expert": ("steps=1000", _CONSERVATIVE),
            # Real actions: 117 ms per update of 256.
            "cql@cbf-beam": ("steps=600", "batch_size=64"),
            "cql@slicing": ("steps=600", "batch_size=64"),
            "iql": ("steps=800", _BETA),
            "iql@expert": ("steps=800", _SMALL_BETA),
            "iql@slicing": ("steps=800", _BETA),
            "dt": ("steps=150", _RATE, "context=10"),
            "dt@cbf-general": ("steps=400", _RATE, _SHORT),
            "dt@cbf-beam": ("steps=400", _RATE, _SHORT),
            # As many denoising steps as NetWorld takes at most: two thirds of its time are play.
            "dd": ("steps=400", _AS_FAR, "sampler_steps=3"),
        }
        | {
            f"{key}@{tier}": pairs
            for key, pairs in _ON_RULES.items()
            for tier in ("rule", "replay")
        },
        looks=10,
    ),
    ablations=(*_PARTS, *WITH_MEAN_FIELD),
    ablation_seeds=5,
    # 32 to 64 channels on four levels instead of 32 to 256: a plan takes 20 guided steps of the
    # network instead of 3.
    model_options={"networld-published": ("multipliers=(1,1,2,2)",)},
    values=_VALUES,
    value_tiers=_RATED,
    own_draws=True,
    # Of 1,000 steps: what a world's luck leaves is averaged within it.
    episodes=4,
    test_block="decisive",
    tune_episodes=4,
    tune_steps=25,
)

_SMOKED: Final = ("rb-8", "rb-uneven", "cbf-beam", "slicing")
#: As small as a setting of its environment can be.
_LITTLE: Final = {"rb": {}, "cbf": {"num_cells": 7}, "slicing": {}}
_DECISIVE_SMOKE: Final = dataclasses.replace(
    _DECISIVE,
    name="decisive-smoke",
    tasks=tuple(
        dataclasses.replace(
            task,
            preset="small" if task.name == "slicing" else task.preset,
            steps=40,
            overrides={**task.overrides, **_LITTLE[task.name.partition("-")[0]]},
            test_steps=8,
            tune_steps=None,
        )
        for task in _ROOM
        if task.name in _SMOKED
    ),
    values={task: (*_VALUES[task], "steps=10") for task in _SMOKED},
    seeds=1,
    few="2",
    many="4",
    amounts=_on_all_tiers("2", "4"),
    pretrain_trajectories=4,
    network="smoke",
    network_options=_SMOKE.network_options,
    pretrain_steps=10,
    adapt_steps=10,
    baseline_options=_held_out(_SMOKE.baseline_options, looks=5),
    ablation_seeds=1,
    episodes=2,
    warm_up=2,
    tune_episodes=1,
    tune_steps=2,
)

PRESETS: Final = {
    protocol.name: protocol
    for protocol in (_SMOKE, _DEMO, _CPU, _PAPER, _DECISIVE, _DECISIVE_SMOKE)
}
