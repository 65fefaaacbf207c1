"""DIMA beside MAPPO on the wireless tasks: equal environment steps, same test episodes.

python -m benchmarks.studies.dima_beside_mappo --envs rb-v0 cbf-v0 --seeds 3 --out runs/dima \
        --json benchmarks/results/dima-wireless.json

goes on where it was stopped; the file is written after every run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.command import run_command
from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.command import add_overrides, imports_of, parse_overrides, program
from wirelessenvs.machine import machine_lines
from wirelessenvs.tasks import TASKS

with imports_of(__name__):
    from benchmarks.baselines.dima.policy_config import OnlineConfig
    from benchmarks.baselines.mappo.config import MappoConfig
    from benchmarks.baselines.online.evaluation import Evaluation, Setting, play_references
    from benchmarks.baselines.online.options import add_evaluation, evaluation_of
    from benchmarks.baselines.online.run import evaluate_run, report
    from benchmarks.records import remembered, write_figures
    from benchmarks.studies.online_pieces import train_piece

__all__ = ["main"]

#: Discounts, the same for both methods, chosen by MAPPO on validation seeds.
_GAMMA: Final[dict[str, float]] = {"rb-v0": 0.9, "cbf-v0": 0.0, "slicing-v0": 0.0}
#: Half of the published updates of the model per environment step, a sixth of the starts, and a
#: lighter reward model: a run of 20,000 steps is to take minutes of a CPU core. Small batches: few
#: imagined steps are to be used well.
_DIMA: Final[dict[str, Any]] = {
    "model": "wireless",
    "reward_width": 64,
    "reward_context": 5,
    "reward_batch_size": 64,
    "train_every": 500,
    "model_updates": 50,
    "policy_updates": 10,
    "starts": 100,
    "batch_size": 300,
}
#: Where the discount is 0, only the first imagined step counts, and it starts from a real state:
#: many episodes of one step.
_ONE_STEP: Final[dict[str, Any]] = {"horizon": 1, "starts": 400, "batch_size": 400}
_DIMA_OF: Final[dict[str, dict[str, Any]]] = {
    # MAPPO's own: with the published 0.001 the policy is certain after half the run, and stays so.
    "rb-v0": {"entropy": 0.01},
    "cbf-v0": _ONE_STEP,
    "slicing-v0": _ONE_STEP,
}
_MAPPO: Final[dict[str, Any]] = {"epochs": 10}


def _config(
    method: str, env: str, steps: int, seed: int, options: dict[str, Any]
) -> MappoConfig | OnlineConfig:
    common: dict[str, Any] = {"steps": steps, "seed": seed, "gamma": _GAMMA[env], "snapshots": 4}
    if method == "mappo":
        return MappoConfig(**{**common, **_MAPPO})
    return OnlineConfig.from_json({**common, **_DIMA, **_DIMA_OF.get(env, {}), **options})


def _row(
    method: str, env: str, seed: int, options: argparse.Namespace, evaluation: Evaluation
) -> dict[str, Any]:
    folder, setting = options.out / f"{env}-{method}-{seed}", Setting(env)
    config = _config(method, env, options.steps, seed, parse_overrides(options.overrides))
    trained, played = {"config": config.to_json()}, {"evaluation": vars(evaluation)}

    def make() -> dict[str, Any]:
        spent = train_piece(setting, config, folder)
        references = remembered(
            options.out / f"{env}-references.json",
            played,
            lambda: {"references": play_references(setting, evaluation)},
        )["references"]
        scores = evaluate_run(folder, setting, evaluation, references)
        print(report(method, folder, scores), flush=True)
        return {
            "method": method, "env": env, "seed": seed, **spent,
            "score": scores["score"], "interval": scores["interval"], "reward": scores["reward"],
            "curve": scores["curve"],
        }  # fmt: skip

    return remembered(folder / "row.json", {**trained, **played}, make)


def _summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean score over the seeds of every task and method, and its standard deviation."""
    found = []
    for env, method in dict.fromkeys((row["env"], row["method"]) for row in rows):
        scores = [r["score"] for r in rows if (r["env"], r["method"]) == (env, method)]
        spread = float(np.std(scores, ddof=1)) if len(scores) > 1 else None
        found.append(
            {"env": env, "method": method, "seeds": len(scores),
             "score": float(np.mean(scores)), "deviation": spread}
        )  # fmt: skip
    return found


def _compare(options: argparse.Namespace) -> None:
    for name in options.envs:
        check_choice("--envs", name, TASKS)
    check_int("--seeds", options.seeds, 1)
    check_int("--steps", options.steps, 1)
    evaluation = evaluation_of(options)
    machine = machine_lines(("wirelessenvs", "torch", "numpy"))
    rows = []
    # Seed by seed: whenever it is stopped, all tasks have as many seeds.
    for seed in range(options.seeds):
        for env in options.envs:
            for method in ("mappo", "dima"):
                rows.append(_row(method, env, seed, options, evaluation))
                if options.json is not None:
                    figures = {"evaluation": vars(evaluation), "summary": _summary(rows)}
                    write_figures(
                        options.json, [options.command], machine, {**figures, "rows": rows}
                    )
    for entry in _summary(rows):
        spread = "" if entry["deviation"] is None else f" ± {entry['deviation']:.1f}"
        print(
            f"{entry['env']} {entry['method']}: {entry['score']:.1f}{spread} "
            f"({entry['seeds']} seeds)"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.studies.dima_beside_mappo"),
        description="Train DIMA and MAPPO for equal environment steps and score both.",
    )
    parser.add_argument("--envs", nargs="+", default=list(TASKS), help="tasks (default: all)")
    parser.add_argument("--steps", type=int, default=20_000, help="of a run (default: 20000)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each (default: 3)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--json", type=Path, help="write the result here")
    add_overrides(
        parser,
        "replace an option of DIMA, e.g. --set model_updates=200; repeatable",
        "OPTION=VALUE",
    )
    add_evaluation(parser)
    return run_command(_compare, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
